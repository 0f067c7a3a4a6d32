# A control plane of 200 ± 100 ms each way: the load is what was planned, all agents begin together, and the clock's bound is true: all processes read
# one clock here, so that the true offset is 0 and every offset that is found must lie within its own bound of it.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/net.sh"

net_make 2
plan 'target: {url: "http://127.0.0.1:8000/v1/chat/completions", model: sim}' 'workload: {synthetic: {input_tokens: 16, output_tokens: 32}}' \
    'load: {concurrency: [8], duration: 5s}' 'agents: {count: 2, wait: 20s}'
wire all delay 200 100
net_up 2 --ttft 50ms --tpot 10ms
plateau_wait
expect_carried
expect_report
expect_ledger
check_run
expect '[.points[0].agents[] | (.start_skew_ms | fabs) < 100] | all' 'every agent began within 100 ms of T0'
expect '[.agents[] | .clock_bound_ms > 50 and (.clock_offset_ms | fabs) <= .clock_bound_ms] | all' 'the true offset, 0, is within each bound'
net_end_sims
skew=$(python3 - "$TMP" <<'PY'
import json, sys
firsts = [min(json.loads(l)["received_ns"] for l in open("%s/truth.%d" % (sys.argv[1], k))) for k in (1, 2)]
print(abs(firsts[0] - firsts[1]) // 1000000)
PY
)
bound=$(jq '[.agents[].clock_bound_ms] | add | floor' "$OUT/summary.json")
[ "$skew" -le $((bound + 100)) ] && ok "the endpoints saw the first requests $skew ms apart; the bounds allow $bound" || fail "the agents began $skew ms apart, the bounds allow $bound"
finish

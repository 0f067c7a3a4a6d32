# Every packet of an agent is dropped and then it is killed: no FIN, no RST, a connection that is half open for ever. The silence is noticed; since
# nobody can know that it is dead, the stage is run again only when its lease has run out.
NET_UP=../
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../net.sh"

net_make 2
plan 'target: {url: "http://127.0.0.1:8000/v1/chat/completions", model: sim}' 'workload: {synthetic: {input_tokens: 16, output_tokens: 32}}' \
    'load: {concurrency: [8], duration: 4s}' 'agents: {count: 2, wait: 20s, on_loss: retry}'
net_up 2 --ttft 50ms --tpot 10ms
sleep 1
wire 2 drop both
sleep 0.3
kill -9 "${PID_OF[2]}"
cut=$(mono)
wait_until 6 grep -q 'agent_lost.*agent-2' "$TMP/err.log" && ok "noticed" || fail "not noticed"
plateau_wait
expect_carried
expect_report
expect_ledger
check_run
expect '(.points | length == 1) and (.points[0].agents | length == 1) and .points[0].ledger.lost == 0' 'the stage was run again by the other'
net_end_sims
python3 - "$TMP/truth.1" "$cut" <<'PY' && ok "not before the lease had run out" || fail "the stage began again too early"
import json, sys
at = sorted(json.loads(line)["received_ns"] / 1e9 - float(sys.argv[2]) for line in open(sys.argv[1]))
again = [t for t in at if t > 6]
print("   again %.1f s after the cut" % again[0])
sys.exit(again[0] < 10)
PY
finish

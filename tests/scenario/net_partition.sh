# One agent of three is cut off in the middle of a stage and comes back: it is noticed, its open requests are lost, it stops its load when its lease has
# run out, the others continue, the stage is marked, and the agent takes part in the next one as somebody new.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/net.sh"

net_make 3
plan 'target: {url: "http://127.0.0.1:8000/v1/chat/completions", model: sim}' 'workload: {synthetic: {input_tokens: 16, output_tokens: 32}}' \
    'load: {stages: [{concurrency: 12, duration: 17s}, {concurrency: 12, duration: 2s}], cooldown: 2s}' \
    'agents: {count: 3, wait: 20s, on_loss: mark, max_lost_weight: 50%}'
net_up 3 --ttft 50ms --tpot 10ms
sleep 2.5
wire 3 drop both
cut=$(mono)
wait_until 6 grep -q 'agent_lost.*agent-3' "$TMP/err.log" && ok "the loss was noticed after $(python3 -c "print('%.1f' % ($(mono) - $cut))") s" || fail "the loss was not noticed"
net_busy 3 && ok "agent 3 still loads: its lease runs" || fail "agent 3 stopped before its lease had run out"
wait_until 12 net_idle 3 && ok "agent 3 stopped" || fail "agent 3 loads without a lease"
net_busy 1 && net_busy 2 && ok "the others load on" || fail "the others stopped"
wire 3 clear
plateau_wait
expect_status 4
expect_report
expect_ledger
check_run
expect '.points[0].degraded and .points[0].verdict.status != "valid"' 'the stage is marked'
expect '.points[0].ledger.lost >= 1 and .points[0].ledger.lost <= 4' 'only what was open is lost'
expect '(.points[1].agents | length == 3) and .points[1].degraded != true' 'it takes part in the next stage'
net_end_sims
python3 - "$TMP/truth.3" "$cut" <<'PY' && ok "no request of agent 3 between its lease and the next stage" || fail "agent 3 sent requests without a lease"
import json, sys
cut = float(sys.argv[2])
at = [json.loads(line)["received_ns"] / 1e9 - cut for line in open(sys.argv[1])]
print("   last before the stop: %.1f s after the cut" % max([t for t in at if t < 12], default=-1))
sys.exit(any(10.6 < t < 12.5 for t in at))
PY
finish

# The coordinator stands still for five seconds (SIGSTOP): agents load on, nobody is given up when it wakes, nothing is missing from the sums.
. "$(dirname "$0")/lib.sh"

sim --ttft 50ms --tpot 10ms --truth "$TMP/truth.jsonl"
plan 'workload: {synthetic: {input_tokens: 16, output_tokens: 32}}' 'load: {concurrency: [16], duration: 9s}'
plateau_start --local 3
wait_until 15 grep -q 'stage 1/' "$TMP/err.log" || fail "the stage did not begin"
sleep 2
from=$(date +%s%N)
kill -STOP "$RUN_PID"
sleep 5
kill -CONT "$RUN_PID"
plateau_wait
expect_carried
expect_report
expect_ledger
python3 "$(dirname "$0")/check_run.py" "$OUT" || fail "the sums do not hold"
expect '[.events[] | select(.kind == "agent_lost")] | length == 0' 'nobody was given up'
expect '[.events[] | select(.kind == "coordinator_away")] | length == 1' 'that it stood still is reported'
expect '.points[0].ledger | .ok == .due and .ok > 250' 'every request ended ok'
kill -INT "$SIM_PID"; wait "$SIM_PID" 2>/dev/null
python3 - "$TMP/truth.jsonl" "$(jq '.points[0].ledger.ok' "$OUT/summary.json")" <<'PY' && ok "the endpoint saw the load continue" || fail "the load suffered"
import json, sys
at = sorted(json.loads(line)["received_ns"] for line in open(sys.argv[1]))
gap = max(b - a for a, b in zip(at, at[1:])) / 1e6
print("   %d requests, the longest time without one %.0f ms" % (len(at), gap))
sys.exit(len(at) != int(sys.argv[2]) or gap > 1500)
PY
expect_no_orphans
finish

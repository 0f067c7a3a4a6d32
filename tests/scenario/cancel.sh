#!/usr/bin/env bash
# Users who go away: as many as the plan wants, when it wants, closed in the middle of a stream; no failures, and their slots continue.
. "$(dirname "$0")/lib.sh"
sim --ttft 50ms --tpot 10ms --truth "$TMP/truth.jsonl"
plan 'workload: {synthetic: {input_tokens: 8, output_tokens: 100}}' \
  'load: {concurrency: 30, requests: 300, cancel: {fraction: 30%, after: {uniform: [200ms, 600ms]}}}'
plateau_run --local 2
[ "$STATUS" = 0 ] || [ "$STATUS" = 3 ] || fail "exit status $STATUS: $(cat "$TMP/err.log")" # 3: a busy machine was late
kill "$SIM_PID"
wait "$SIM_PID" 2>/dev/null
python3 - "$OUT/summary.json" "$TMP/truth.jsonl" <<'PY' || fail "users do not go away as the plan says"
import json, sys
ledger = json.load(open(sys.argv[1]))["points"][0]["ledger"]
truth = [json.loads(line) for line in open(sys.argv[2])]
gone = [t for t in truth if t["tokens"] < t["asked"]]
cancelled, ok = ledger["cancelled"], ledger["ok"]
assert 50 <= cancelled <= 130, f"{cancelled} of 300 cancelled, expected 90 ± 5 sd"
assert ok + cancelled == 300 == ledger["due"], ledger
assert len(gone) == cancelled, f"the endpoint saw {len(gone)} break off"
assert min(t["tokens"] for t in gone) >= 8, "somebody went away before 150 ms"
times = sorted(t["tokens"] for t in gone) # 10 ms each after 50 ms: 15 … 55 tokens, and what a busy machine adds
assert 25 <= times[len(times) // 2] <= 60, f"half of them had {times[len(times) // 2]} tokens, expected about 35"
print(f"{cancelled} of 300 went away, half of them before token {times[len(times) // 2]}; {ok} ok")
PY
# Two in five requests hang until their users go away after a second: they kept no limit, and no gate passes without them.
sim --ttft 50ms --tpot 10ms --fault-stall --fault-rate 0.4 --fault-after 0
plan 'workload: {synthetic: {input_tokens: 8, output_tokens: 20}}' \
  'load: {concurrency: [8], duration: 8s, warmup: 2s, cancel: {fraction: 100%, after: 1s}}' \
  'slo: {request: {ttft: 500ms}, run: [ttft.p90 < 500ms, ttft.p90 < 20s, errors.rate < 20%]}'
plateau_run --local 1
case $STATUS in 99 | 3) ;; *) fail "a server that lets two in five requests hang: exit status $STATUS" ;; esac # 3: a busy machine was late
expect '.points[0].window | .cancelled > 10 and .cancelled_early == .cancelled and .cancelled_over == .cancelled' 'all that hung were over ttft'
expect '.points[0] | .error_rate == 0 and .window.unanswered == 0' 'a user who goes away is no error'
expect '[.gates[].result] == ["fail", "inconclusive", "pass"]' 'no gate passes without those that hung'
expect '.answer.goodput == null' 'three in five are fewer than goodput asks for'
expect '.answer.text | test("requests were cancelled by load.cancel, [0-9]+ of them before a first token; latencies are of those that ended before")' 'the answer says it'
finish

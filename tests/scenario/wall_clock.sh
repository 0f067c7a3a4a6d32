# The wall clock of an agent's machine steps by an hour, forth and back, in the middle of a stage: latencies are those of the monotonic clock, the steps are
# counted and make the stage suspect, nothing else notices. Needs libfaketime (Debian's faketime), which fakes the wall clock alone.
. "$(dirname "$0")/lib.sh"

fake=$(ls /usr/lib/*/faketime/libfaketimeMT.so.1 2>/dev/null | head -1)
[ -n "$fake" ] || { echo "skipped: no libfaketime (Debian package faketime)"; exit 77; }
ldd "$BIN/plateau-agent" | found -E 'lib(asan|tsan)' && { echo "skipped: libfaketime and sanitizers do not go together"; exit 77; }
sim --ttft 50ms --tpot 10ms
ENDPOINT=tcp://127.0.0.1:$(free_port)
plan 'workload: {synthetic: {input_tokens: 16, output_tokens: 32}}' 'load: {concurrency: [8], duration: 7s}' 'agents: {count: 1, wait: 20s}'
echo '+0' >"$TMP/clock"
plateau_start --listen "$ENDPOINT"
LD_PRELOAD=$fake FAKETIME_TIMESTAMP_FILE=$TMP/clock FAKETIME_DONT_FAKE_MONOTONIC=1 FAKETIME_NO_CACHE=1 "$BIN/plateau-agent" --connect "$ENDPOINT" --name stepped >"$TMP/agent.log" 2>&1 &
STARTED+=("$!")
wait_until 15 grep -q 'stage 1/' "$TMP/err.log" || { fail "the stage did not begin"; show err.log; show agent.log; }
sleep 2
echo '+1h' >"$TMP/clock"
sleep 2
echo '-1h' >"$TMP/clock"
plateau_wait
expect_carried
expect_report
expect_ledger
python3 "$(dirname "$0")/check_run.py" "$OUT" || fail "the sums do not hold"
expect '.points[0].ledger | .ok == .due and .ok > 100' 'every request ended ok'
expect '.points[0].evidence.clock_steps >= 2' 'both steps were counted'
expect '.points[0].verdict.status != "valid" and ([.points[0].verdict.reasons[] | select(test("stepped"))] | length == 1)' 'and make the stage suspect'
expect '.points[0].ttft_ms | .min > 49 and .mean < 80 and .max < 1000' 'no latency is off by an hour'
expect '.points[0].itl_ms | .mean > 9 and .mean < 12' 'nor is a gap of tokens'
finish

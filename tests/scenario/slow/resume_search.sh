# The coordinator is killed in the middle of a search, and of a sweep that is repeated; `--resume` continues where it was: no load of the search is asked
# for twice, what was finished stays as it was, byte for byte, and at the end there is the answer.
. "$(dirname "$0")/../lib.sh"

finished() { python3 "$(dirname "$0")/../finished.py" "$OUT" "$@"; }
sql() { sqlite3 -readonly "$OUT/run.sqlite" "$1" 2>/dev/null; }
begun_is() { [ "$(sql 'SELECT count(*) FROM stage')" -ge "$1" ]; }
loads() { sql "SELECT group_concat(stage || ':' || repeat || ':' || round(concurrency), ' ') FROM (SELECT * FROM stage WHERE ended_wall_ns IS NOT NULL AND NOT aborted ORDER BY id)"; }

# kill_at N: as soon as the Nth stage runs, counted from the run's beginning
kill_at() {
    wait_until 90 begun_is "$1" || { fail "stage $1 did not begin"; show err.log; }
    sleep 0.7
    kill -9 "$RUN_PID"
    wait "$RUN_PID" 2>/dev/null
    BEFORE=$(finished)
    IDS=$(echo "$BEFORE" | head -1)
    LOADS=$(loads)
    ok "killed after these: $LOADS"
}
same() {
    [ -n "$IDS" ] && [ "$(finished "$IDS")" = "$(echo "$BEFORE" | tail -1)" ] && ok "what was finished ($IDS) is the same, byte for byte" || fail "a finished stage has changed"
    case "$(loads)" in "$LOADS"*) ok "it continued where it was: $(loads)" ;; *) fail "it did not continue from $LOADS but has $(loads)" ;; esac
}
resume_start() {
    : >"$TMP/err.log"
    "$BIN/plateau" run --resume "$OUT" --local 2 >"$TMP/out.log" 2>"$TMP/err.log" &
    RUN_PID=$!
    STARTED+=("$RUN_PID")
}
once() { [ "$(sql 'SELECT count(*) FROM (SELECT stage, repeat FROM stage WHERE ended_wall_ns IS NOT NULL AND NOT aborted GROUP BY stage, repeat HAVING count(*) > 1)')" = 0 ] && ok "$1" || fail "not so: $1"; }

sim --slots 8 --step-base 5ms --step-per-seq 0.5ms --prefill-rate 100000
plan 'workload: {synthetic: {input_tokens: 32, output_tokens: 16}}' \
    'load: {search: {maximize: output_tokens_per_second, within: slo, from: 2, to: 16, tolerance: 10%}, duration: 1500ms, warmup: 200ms, cooldown: 0s}' \
    'slo: {run: [ttft.p90 < 60ms, errors.rate < 10%]}' 'verdict: {lateness: 10s, lag: 10s, achieved: 90%}'
plateau_start --local 2
kill_at 3
resume_start
kill_at 6 # the third was begun twice
resume_start
plateau_wait
expect_status 0
expect_report
expect_ledger
same
once 'no stage was finished twice'
expect '.answer.search.over and .answer.search.found and .answer.search.confirmed' 'the search ended with a confirmed load'
expect '.answer.search.load >= 8 and .answer.search.load <= 9' 'it found the slots'
expect '.answer.slo_tokens_per_s > 0 and .gates_result == "pass"' 'and the answer stands on it'
expect '[.points[].stage] | . as $s | $s == [range($s[0]; $s[0] + length)]' 'its stages are numbered without a gap'
python3 "$(dirname "$0")/../check_run.py" "$OUT" || fail "the sums do not hold"
SEARCH=$(jq -cS .answer "$OUT/summary.json")
"$BIN/plateau" report "$OUT" >"$TMP/again.log" 2>&1
[ "$(jq -cS .answer "$OUT/summary.json")" = "$SEARCH" ] && ok 'made again from the file, the answer is the same' || fail 'made again, the answer is another'

plan 'workload: {synthetic: {input_tokens: 32, output_tokens: 16}}' 'load: {concurrency: [2, 4, 8], duration: 1500ms, cooldown: 0s, repeats: 3}' \
    'verdict: {lateness: 10s, lag: 10s, achieved: 90%}'
plateau_start --local 2
kill_at 2
resume_start
kill_at 6
resume_start
plateau_wait
expect_carried
expect_report
expect_ledger
same
once 'no repetition was finished twice'
expect '.points | length == 9' 'three loads, three times each'
expect '[.points[] | [.stage, .repeat]] | unique | length == 9' 'each of them once'
expect '[.points[].ledger | .ok == .due and .ok > 0] | all' 'every request ended ok'
expect '(.answer.text | length) > 0' 'there is an answer'
python3 "$(dirname "$0")/../check_run.py" "$OUT" || fail "the sums do not hold"
finish

# The coordinator is killed without mercy: while it waits, at the barrier, in the middle of a stage, in the cool-down. Its agents live on, stop their load when
# the lease has run out, and dial; `plateau run --resume` continues with the next unfinished stage. What was finished stays as it was, byte for byte; no ledger
# breaks; no request comes between the end of the lease and the new start.
. "$(dirname "$0")/lib.sh"

LEASE=10
ENDPOINT=tcp://127.0.0.1:$(free_port)
sim --ttft 40ms --tpot 5ms --truth "$TMP/truth.jsonl"
plan 'workload: {synthetic: {input_tokens: 16, output_tokens: 32}}' 'load: {concurrency: [4, 6, 8], duration: 4s, cooldown: 2s}' 'agents: {count: 2, wait: 40s}'

dump() { python3 "$(dirname "$0")/finished.py" "$OUT" "$@"; } # rows of the finished stages, whole
alive() { for p in "${AGENTS[@]}"; do kill -0 "$p" 2>/dev/null || return 1; done; }
begun() { sqlite3 -readonly "$OUT/run.sqlite" "SELECT count(*) FROM stage" 2>/dev/null; }
ended() { sqlite3 -readonly "$OUT/run.sqlite" "SELECT count(*) FROM stage WHERE ended_wall_ns IS NOT NULL" 2>/dev/null; }
begun_is() { [ "$(begun)" -ge "$1" ]; }
ended_is() { [ "$(ended)" -ge "$1" ]; }

# kill_when WORDS COMMAND…: starts a run, kills it as soon as the command is true
kill_when() {
    local words=$1; shift
    echo "== $words"
    rm -f "$TMP/err.log"
    plateau_start --listen "$ENDPOINT"
    AGENTS=()
    for k in 1 2; do agent --name "a$k"; AGENTS+=("$AGENT_PID"); done
    wait_until 40 "$@" || { fail "$words: the moment did not come"; show err.log; }
    kill -9 "$RUN_PID"
    KILLED=$(python3 -c 'import time; print(time.monotonic_ns())')
    wait "$RUN_PID" 2>/dev/null
    BEFORE=$(dump)
    IDS=$(echo "$BEFORE" | head -1)
}
resume() {
    "$BIN/plateau" run --resume "$OUT" --listen "$ENDPOINT" "$@" >"$TMP/out.log" 2>"$TMP/err.log"
    STATUS=$?
}
expect_whole() {
    expect_carried
    expect_report
    expect_ledger
    expect '.points | length == 3' 'three points'
    expect '[.points[].ledger | .due > 0 and .ok == .due] | all' 'every request ended ok'
    expect '[.points[].degraded] | any | not' 'none of them degraded'
    [ -z "$IDS" ] || [ "$(dump "$IDS")" = "$(echo "$BEFORE" | tail -1)" ] && ok "finished stages ($IDS) are the same, byte for byte" || fail "a finished stage has changed"
    local p
    for p in "${AGENTS[@]}"; do wait "$p" && ok "an agent ended with the run" || fail "an agent ended with status $?"; done
}

kill_when 'in the middle of the second stage' begun_is 2
echo "$BEFORE" >"$TMP/mid"
"$BIN/plateau" report "$OUT" >"$TMP/out.log" 2>&1
FIRST=$(jq -cS '.points[0]' "$OUT/summary.json")
sleep 1
alive && ok "the agents live on" || fail "an agent died with its coordinator"
sleep $((LEASE + 2))
AWAY=$(python3 -c 'import time; print(time.monotonic_ns())')
alive && ok "… and beyond the lease" || fail "an agent ended with its lease"
RESUMED=$(python3 -c 'import time; print(time.monotonic_ns())')
resume
expect_whole
expect_text err.log 'the run is resumed: 1 of its stages is finished'
expect '([.points[].verdict.status] | any(. == "invalid")) or (.answer.interrupted.after_stage == 1 and (.answer.text | contains("The run was interrupted after stage 1 (")))' 'the answer says where it was interrupted'
[ "$(jq -cS '.points[0]' "$OUT/summary.json")" = "$FIRST" ] && ok "the finished point is reported as before" || fail "the finished point is reported differently"
expect '.points[1].epoch > 2 and .points[2].epoch > .points[1].epoch' 'what was cut off was run again under a new epoch'
python3 - "$TMP/truth.jsonl" "$KILLED" "$AWAY" "$LEASE" <<'P' && ok "no request came after the lease had run out" || fail "load outlived the lease"
import json, sys
killed, away, lease = int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]) * 10**9
got = [json.loads(line)["received_ns"] for line in open(sys.argv[1]) if line.endswith("}\n")]
late = [t for t in got if killed + lease + 10**9 < t < away]
sys.exit(0 if max(got) > away and not late else 1)
P

kill_when 'in the cool-down' ended_is 1
resume
expect_whole

kill_when 'at the barrier, just as the start is agreed' begun_is 1
resume
expect_whole

kill_when 'while it waits for agents' test -s "$OUT/run.sqlite"
resume
expect_whole

kill_when 'again and again' begun_is 2
for k in 1; do
    n=$(begun)
    "$BIN/plateau" run --resume "$OUT" --listen "$ENDPOINT" >"$TMP/out.log" 2>"$TMP/err.log" &
    RUN_PID=$!
    STARTED+=("$RUN_PID")
    wait_until 40 begun_is $((n + 1)) || fail "the resumed run did not begin"
    sleep 1
    "$BIN/plateau" run --resume "$OUT" --listen "tcp://127.0.0.1:*" >"$TMP/second.log" 2>&1
    [ $? = 2 ] && grep -q 'another coordinator' "$TMP/second.log" && ok "a second coordinator is refused" || { fail "a second coordinator"; show second.log; }
    kill -9 "$RUN_PID"
    wait "$RUN_PID" 2>/dev/null
done
resume
expect_whole

# what cannot be resumed says why
resume
expect_status 2
expect_text err.log 'is finished'
"$BIN/plateau" run "$TMP/plan.yaml" --out "$OUT" --resume-if-there >"$TMP/out.log" 2>"$TMP/err.log"
STATUS=$?
expect_carried
expect_text out.log 'Ledger: due' 'a finished run is reported again'
"$BIN/plateau" run --resume "$TMP/nowhere" >"$TMP/out.log" 2>"$TMP/err.log"
STATUS=$?
expect_status 2
expect_text err.log 'holds no run'
"$BIN/plateau" run "$TMP/plan.yaml" --resume "$OUT" >"$TMP/out.log" 2>"$TMP/err.log"
STATUS=$?
expect_status 2
sed 's/concurrency/concurrency /' "$TMP/plan.yaml" >"$TMP/other.yaml"
"$BIN/plateau" run "$TMP/other.yaml" --out "$OUT" --resume-if-there >"$TMP/out.log" 2>"$TMP/err.log"
STATUS=$?
expect_status 2
expect_text err.log 'another plan'
"$BIN/plateau" run "$TMP/plan.yaml" --out "$OUT" --resume-if-there --set load.drain=7s >"$TMP/out.log" 2>"$TMP/err.log"
STATUS=$?
expect_status 2
expect_text err.log 'another plan \(load.drain: .*, now "7s"\)' 'options are part of the plan'
"$BIN/plateau" run --url http://127.0.0.1:9 --model other --out "$OUT" --resume-if-there >"$TMP/out.log" 2>"$TMP/err.log"
STATUS=$?
expect_status 2
expect_text err.log 'another plan' 'and so is a plan of options alone'
sqlite3 "$OUT/run.sqlite" "UPDATE run SET version = '0.0.0-older'"
resume
expect_status 2
expect_text err.log 'was begun by plateau 0.0.0-older'
finish

# A coordinator that was started with --resume-if-there is asked to make room (SIGTERM, as an orchestrator does that moves its container): no agent hears that
# the run is over; the same command, started again, continues with the same agents. Without that option SIGTERM ends the run for all.
. "$(dirname "$0")/lib.sh"

ENDPOINT=tcp://127.0.0.1:$(free_port)
sim --ttft 40ms --tpot 5ms
plan 'workload: {synthetic: {input_tokens: 16, output_tokens: 32}}' 'load: {concurrency: [4, 6], duration: 4s}' 'agents: {count: 2, wait: 40s}'
begun() { [ "$(sqlite3 -readonly "$OUT/run.sqlite" "SELECT count(*) FROM stage" 2>/dev/null)" -ge "$1" ]; }

plateau_start --listen "$ENDPOINT" --resume-if-there
AGENTS=()
for k in 1 2; do agent --name "a$k"; AGENTS+=("$AGENT_PID"); done
wait_until 40 begun 2 || { fail "the second stage did not begin"; show err.log; }
sleep 0.5
kill -TERM "$RUN_PID"
plateau_wait
expect_status 143
expect_text err.log 'left unfinished'
sleep 0.5
for p in "${AGENTS[@]}"; do kill -0 "$p" 2>/dev/null && ok "an agent waits" || fail "an agent has ended with its coordinator"; done

"$BIN/plateau" run "$TMP/plan.yaml" --out "$OUT" --listen "$ENDPOINT" --resume-if-there >"$TMP/out.log" 2>"$TMP/err.log"
STATUS=$?
expect_carried
expect_report
expect_ledger
expect '.points | length == 2' 'both points'
expect '.points[0].epoch == 1 and .points[1].epoch > 2' 'the first as it was, the second run again under a new epoch'
expect '[.points[].ledger | .due > 0 and .ok == .due] | all' 'every request ended ok'
# Started once more, it reports the run that is over, and its first words say so: nobody takes yesterday's numbers for today's.
WAS=$STATUS
"$BIN/plateau" run "$TMP/plan.yaml" --out "$OUT" --listen "$ENDPOINT" --resume-if-there >"$TMP/again.out" 2>"$TMP/again.log"
[ $? = "$WAS" ] && ok "the status is that of the run" || { fail "another status than that of the run"; show again.log; }
sed -n 1p "$TMP/again.log" | grep -qE 'this run ended at 20[0-9-]+T.*nothing is measured now' && ok "the first line says that nothing is measured" || { fail "the first line hides that nothing is measured"; show again.log; }
sed -n 1p "$TMP/again.out" | grep -qE '^Reported again: the run ended at 20.*; nothing was measured now' && ok "so does the first line of the report" || { fail "the report hides it"; show again.out; }
expect_text again.log "exit status $WAS is that of the run that ended at"
"$BIN/plateau" report "$OUT" >"$TMP/reported" # status 3 where this machine was too busy: no part of the pipe
sed -n 1p "$TMP/reported" | grep -q '^Reported again: the run ended at 20' && ok "plateau report says when the run ended" || fail "plateau report does not say when the run ended"
for p in "${AGENTS[@]}"; do wait "$p" && ok "an agent ended with the run" || fail "an agent ended with status $?"; done
finish

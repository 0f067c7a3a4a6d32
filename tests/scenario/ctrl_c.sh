# Ctrl-C once: no new requests, drain, report, exit status 130. Twice: at once, still with a report and no agent left. SIGTERM: 143.
. "$(dirname "$0")/lib.sh"

loading() { grep -q 'stage 1/' "$TMP/err.log"; }
sim --ttft 100ms --tpot 10ms
plan 'workload: {synthetic: {input_tokens: 16, output_tokens: 64}}' 'load: {concurrency: [4, 8], duration: 60s}'

for sig in INT TERM; do
    HINT=()
    [ $sig = TERM ] && HINT=(--resume-hint "helm upgrade load CHART --set coordinator.resume=x")
    plateau_start --local 2 "${HINT[@]}"
    wait_until 15 loading || fail "the stage did not begin"
    sleep 1
    t0=$(date +%s%N)
    kill -$sig "$RUN_PID"
    plateau_wait
    ms=$((($(date +%s%N) - t0) / 1000000))
    [ "$ms" -lt 8000 ] && ok "SIG$sig: over after $ms ms" || fail "SIG$sig: over after $ms ms only"
    [ $sig = INT ] && expect_status 130 || expect_status 143
    expect_text err.log "exit status $STATUS: ended by" 'the status is explained'
    if [ $sig = INT ]; then expect_text err.log "not finished: plateau run --resume $OUT" 'and how to continue'; else
        expect_text err.log 'not finished; what is missing is measured by: helm upgrade load CHART' 'and how to continue where it runs'
        ! grep -q 'plateau run --resume' "$TMP/err.log" || fail "a command is named that means nothing there"
    fi
    expect_report
    expect_ledger
    expect '.points | length == 1' 'the begun stage is reported, the other is not'
    expect '.points[0].ledger | .due > 0 and .ok == .due' 'what was open was drained'
    expect_no_orphans
    [ $sig = INT ] || continue
    "$BIN/plateau" run --resume "$OUT" --local 2 >"$TMP/again.out" 2>"$TMP/again.log" & # the stage that was cut short is not counted as finished
    RUN_PID=$!
    wait_until 15 grep -q 'the run is resumed' "$TMP/again.log" || fail "it does not go on"
    expect_text again.log 'the run is resumed: 0 of its stages are finished'
    kill -INT "$RUN_PID"
    wait_until 2 grep -q 'once more ends it at once' "$TMP/again.log" || true
    kill -INT "$RUN_PID" 2>/dev/null
    plateau_wait
    expect_no_orphans
done

sed -i 's/output_tokens: 64/output_tokens: 4000/' "$TMP/plan.yaml" # 40 s: a drain would take long
plateau_start --local 2
wait_until 15 loading || fail "the stage did not begin"
sleep 1
kill -INT "$RUN_PID"
sleep 1
expect_text err.log 'drains and ends; once more ends it at once' 'that a second one is at once is said'
kill -0 "$RUN_PID" 2>/dev/null && ok "the first drains" || fail "the first ended it at once"
t0=$(date +%s%N)
kill -INT "$RUN_PID"
plateau_wait
ms=$((($(date +%s%N) - t0) / 1000000))
[ "$ms" -lt 4000 ] && ok "the second ends it: $ms ms" || fail "the second took $ms ms"
grep -q 'was lost' "$TMP/out.log" "$TMP/err.log" && { fail 'an agent that was at work is called lost'; show out.log; } || ok 'and no agent is called lost'
expect_status 130
expect_report
expect_ledger
expect_no_orphans

# Killed without mercy: the agents go with it.
plateau_start --local 2
wait_until 15 loading || fail "the stage did not begin"
kill -9 "$RUN_PID"
wait "$RUN_PID" 2>/dev/null
expect_no_orphans
finish

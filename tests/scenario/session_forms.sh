#!/usr/bin/env bash
# Traces of sessions in their recorders' own forms (tracelab, mooncake-sessions, otel, dag): random ones against a model of their own, and real rows. What is wrong
# with a file is said in scenario/bad_data.
. "$(dirname "$0")/lib.sh"
HERE=$(cd "$(dirname "$0")" && pwd)
DATA=$HERE/../data/traces
seed=${TREE_SEED:-$(date +%s)}
memory() { # a server that remembers
    rm -f "$TMP/port" "$TMP/served.jsonl"
    python3 "$HERE/sessions_server.py" "$TMP/port" "$TMP/served.jsonl" --ttft 0.005 >"$TMP/server.log" 2>&1 &
    STARTED+=("$!")
    wait_until 10 test -s "$TMP/port" || { fail "the server did not start: $(cat "$TMP/server.log")"; finish; }
    URL=http://127.0.0.1:$(head -1 "$TMP/port")/v1/chat/completions
}
by_form() { # FORM FILE AGENTS
    memory
    plan "target: {url: \"$URL\", model: [one, two], headers: {x-session-id: '{session}'}}" "workload: {trace: {file: $2, format: $1, speed: 20}}" 'load: {concurrency: 3, passes: 1}' \
        'record: {requests: true}'
    plateau_run --local "$3"
    expect_carried
    expect_ledger
}

for form in tracelab mooncake-sessions otel dag; do
    python3 "$HERE/session_forms_model.py" make "$form" "$TMP/$form" "$seed" 10
    by_form "$form" "$form/all.jsonl" $([ $form = otel ] && echo 2 || echo 1)
    case $form in
    dag) python3 "$HERE/session_forms_model.py" look "$TMP/$form" "$OUT" "$TMP/served.jsonl" 20 ;;
    mooncake-sessions) python3 "$HERE/trees_model.py" look "$TMP/$form" "$OUT" "$TMP/served.jsonl" speed=20,lanes=3,scope=global ;;
    *) python3 "$HERE/trees_model.py" look "$TMP/$form" "$OUT" "$TMP/served.jsonl" speed=20,lanes=3 ;;
    esac && ok "$form: the model agrees (seed $seed)" || fail "$form: the model does not agree, seed $seed"
    expect '.points[0].sessions | .begun == 10 and .whole == 10 and .broken == 0' "$form: ten sessions are whole"
done
finish

#!/usr/bin/env bash
# Data sets: each record once in a pass, over agents of this machine and over agents that get the data by the wire; broken lines; resuming.
. "$(dirname "$0")/lib.sh"
again() { # a simulator whose truth begins anew
    rm -f "$TMP/truth.jsonl"
    sim --ttft 5ms --tpot 1ms --truth "$TMP/truth.jsonl"
}
truth() { # ends it, so that the file is whole
    kill "$SIM_PID"
    wait "$SIM_PID" 2>/dev/null
}
again

python3 - "$TMP/set.jsonl" <<'PY'
import json, random, sys
r = random.Random(7)
with open(sys.argv[1], "w") as f:
    for k in range(250): # 5 MB that hardly compress: several pieces on the wire
        f.write(json.dumps({"q": f"{k} ä \"quoted\" " + "".join(chr(r.randrange(33, 126)) for _ in range(20000)), "n": k + 1}) + "\n")
PY
DATASET='file: set.jsonl, format: jsonl, fields: {prompt: q, output_tokens: n}'
counts() { # WANTED: each length was asked so often
  python3 - "$TMP/truth.jsonl" "$1" <<'PY'
import collections, json, sys
n = collections.Counter(json.loads(line)["asked"] for line in open(sys.argv[1]))
assert sorted(n) == list(range(1, 251)) and set(n.values()) == {int(sys.argv[2])}, f"{len(n)} records, {collections.Counter(n.values())}"
PY
}

# ---- local agents find the data in the coordinator's folder ----
plan "workload: {dataset: {$DATASET}}" 'load: {concurrency: 12, passes: 2}'
plateau_run --local 3 --data "$TMP/data"
[ "$STATUS" = 0 ] || [ "$STATUS" = 3 ] || fail "exit status $STATUS: $(cat "$TMP/err.log")"
truth
if counts 2; then ok "two passes over three agents: each record twice"; else fail "records were left out or repeated"; fi
[ "$(ls "$TMP/data" | grep -c '\.corpus$')" = 1 ] || fail "in the folder: $(ls -A "$TMP/data")"

# ---- agents that have no folder, one that has an empty one, and one with a damaged copy ----
again
mkdir "$TMP/a" "$TMP/b"
corpus=$(cd "$TMP/data" && echo *.corpus)
head -c 1000000 "$TMP/data/$corpus" >"$TMP/b/$corpus"
plan "workload: {dataset: {$DATASET}}" 'load: {concurrency: 12, passes: 1}' 'agents: {count: 4, wait: 60s}'
plateau_start --listen 'tcp://127.0.0.1:*' --data "$TMP/data"
wait_until 20 grep -q 'listening on' "$TMP/err.log" || fail "the coordinator does not listen: $(cat "$TMP/err.log")"
endpoint=$(sed -n 's/.*listening on \(tcp:[^ ]*\).*/\1/p' "$TMP/err.log" | head -1)
for n in 1 2 3 4; do
  extra=()
  [ "$n" = 2 ] && extra=(--data /sys) # nobody can write there, as in a volume that many agents read
  [ "$n" = 3 ] && extra=(--data "$TMP/a")
  [ "$n" = 4 ] && extra=(--data "$TMP/b")
  "$BIN/plateau-agent" --connect "$endpoint" --name "far-$n" "${extra[@]}" >"$TMP/agent-$n.log" 2>&1 &
  STARTED+=($!)
done
plateau_wait
[ "$STATUS" = 0 ] || [ "$STATUS" = 3 ] || fail "exit status $STATUS: $(cat "$TMP/err.log" "$TMP"/agent-*.log)"
truth
if counts 1; then ok "one pass over four agents that got the data by the wire: each record once"; else fail "records were left out or repeated"; fi
grep -q "the plan's data are not here: they come from the coordinator" "$TMP/agent-3.log" || fail "an agent does not tell where its data come from: $(cat "$TMP/agent-3.log")"
cmp -s "$TMP/data/$corpus" "$TMP/a/$corpus" || fail "the data were not kept by the agent with --data"
cmp -s "$TMP/data/$corpus" "$TMP/b/$corpus" || fail "a damaged copy was not replaced"

# ---- what is wrong is named ----
plateau_run --local 1 --data /sys/plateau
expect_status 1
expect_text err.log '/sys/plateau, the folder for data sets, cannot be made.*name one that can be written with --data DIR'
plateau_run --local 1 --data /sys
expect_status 1
expect_text err.log '/sys: data sets cannot be kept there: .*; --data DIR names another folder'
printf '{"q":"a","n":1}\nnot json\n{"q":5}\n{"q":"b","n":2}\n' >"$TMP/bad.jsonl"
check() { "$BIN/plateau" check "$TMP/plan.yaml" >"$TMP/out.log" 2>"$TMP/err.log"; STATUS=$?; }
plan 'workload: {dataset: {file: bad.jsonl, format: jsonl, fields: {prompt: q, output_tokens: n}}}' 'load: {concurrency: 1, passes: 1}'
check
expect_status 2
grep -q 'bad.jsonl: line 2: it is not a JSON object' "$TMP/err.log" || fail "the line is not named: $(cat "$TMP/err.log")"
plan 'workload: {dataset: {file: bad.jsonl, format: jsonl, skip: 50%, fields: {prompt: q, output_tokens: n}}}' 'load: {concurrency: 1, passes: 1}'
check
expect_status 0
grep -q '2 requests, 2 broken and left out' "$TMP/err.log" && grep -q 'line 3: its prompt is not text' "$TMP/err.log" ||
  fail "the broken lines are not reported: $(cat "$TMP/err.log")"
again
plan 'workload: {dataset: {file: bad.jsonl, format: jsonl, skip: 50%, fields: {prompt: q, output_tokens: n}}}' 'load: {concurrency: 1, passes: 1}'
plateau_run --local 1 --data "$TMP/data"
expect_carried
truth
expect_text out.log '2 of 4 records \(50 %\) of bad.jsonl are broken and left out, the first: line 2: it is not a JSON object\.' 'the answer says what was left out'
expect '.plan.workload[0].dataset.found == {records: 2, broken: 2, first_broken: "line 2: it is not a JSON object"}' 'summary.json has it'
grep -q '<property name="workload.default.broken" value="2"/>' "$OUT/junit.xml" && grep -q 'left_out" value="2 of 4 records' "$OUT/junit.xml" || fail "junit.xml: $(cat "$OUT/junit.xml")"
grep -q 'of bad.jsonl are broken and left out' "$OUT/report.html" || fail "the page does not say what was left out"
plan 'workload: {dataset: {file: bad.jsonl, format: jsonl, fields: {prompt: q, answer: n}}}' 'load: {concurrency: 1, passes: 1}'
check
grep -q 'unknown field; known here: prompt' "$TMP/err.log" || fail "an unknown field: $(cat "$TMP/err.log")"
plan "workload: {dataset: {file: set.jsonl, format: sharegpt, sha256: \"$(printf '%064d' 0)\"}}" 'load: {concurrency: 1, passes: 1}'
check
grep -q 'its SHA-256 is' "$TMP/err.log" || fail "another file is not refused: $(cat "$TMP/err.log")"
plan 'load: {concurrency: 1, passes: 1}'
check
grep -q 'passes need a workload that is one dataset or trace' "$TMP/err.log" || fail "passes without data: $(cat "$TMP/err.log")"

# ---- a message list goes out as it is, and the plan's body wins ----
printf '{"messages":[{"role":"user","content":"x"},{"role":"assistant","tool_calls":[]}],"temperature":1,"max_tokens":9}\n' >"$TMP/chat.jsonl"
again
plan "target: {url: \"$URL\", model: sim, body: {temperature: 0}}" 'workload: {dataset: {file: chat.jsonl, format: messages, output_tokens: 4}}' 'load: {concurrency: 1, requests: 3}'
plateau_run --local 1 --data "$TMP/data"
expect_carried
truth
[ "$(grep -c '"asked":4' "$TMP/truth.jsonl")" = 3 ] || fail "the plan's output_tokens do not win: $(cat "$TMP/truth.jsonl")"
finish

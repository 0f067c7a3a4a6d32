#!/usr/bin/env bash
# Agents' session trees: random trees against a model that was built from their order: each request once, each as long after those it waits for as was recorded, sub-agents spawned, joined
# and left in the background, parallel branches, lanes that hold a tree each; prompts that share what the trace shared; a start in the middle; a server that fails.
. "$(dirname "$0")/lib.sh"
HERE=$(cd "$(dirname "$0")" && pwd)
MODEL="python3 $HERE/trees_model.py"
seed=${TREE_SEED:-$(date +%s)}
memory() { # a server that remembers: OPTIONS…
    rm -f "$TMP/port" "$TMP/served.jsonl"
    python3 "$HERE/sessions_server.py" "$TMP/port" "$TMP/served.jsonl" --ttft 0.005 "$@" >"$TMP/server.log" 2>&1 &
    STARTED+=("$!")
    wait_until 10 test -s "$TMP/port" || { fail "the server did not start: $(cat "$TMP/server.log")"; finish; }
    URL=http://127.0.0.1:$(head -1 "$TMP/port")/v1/chat/completions
}
target() { echo "target: {url: \"$URL\", model: [one, two], headers: {x-session-id: '{session}'}}"; }
build_plan() { plan "$(target)" "workload: {trace: {file: $1, format: weka, $2}}" "load: {$3}" 'record: {requests: true}'; }

# ---- order, waits, lanes, prompts ----
memory
$MODEL make "$TMP/trees" "$seed" 8
build_plan trees 'speed: 20' 'concurrency: 3, passes: 1'
plateau_run --local 1
expect_carried
expect_ledger
if $MODEL look "$TMP/trees" "$OUT" "$TMP/served.jsonl" speed=20,lanes=3; then ok "the model agrees (seed $seed)"; else fail "the model does not agree, seed $seed"; fi
expect '.points[0].sessions | .begun == 8 and .whole == 8 and .broken == 0' 'eight trees are whole'
means=$(python3 -c 'import sqlite3, sys
print("%.6f %.6f" % sqlite3.connect(sys.argv[1]).execute("SELECT avg(asked_input), avg(asked_output) FROM request").fetchone())' "$OUT/run.sqlite")
set -- $means
expect ".points[0].evidence.counters | (.window_asked_input / .window_ok - $1 | fabs) < 0.01 and (.window_asked_output / .window_ok - $2 | fabs) < 0.01" 'lengths that a file gives are what answers and prompts are compared with'
expect_text out.log 'Session trees: load 3 x8: 8 begun, 8 ended'
expect_text err.log '8 session trees of [0-9]+ requests'
"$BIN/plateau" check "$TMP/plan.yaml" --data "$TMP/data" 2>&1 | found 'in flight: at most 3 session trees, each with any number of requests, at once' && ok 'check says what is counted' || fail 'check says what is in flight'

# ---- over two agents; pauses cut; all in one file; words of its own for each play; ids that mean the same in all trees ----
memory
$MODEL make "$TMP/more" "$((seed + 7))" 6 one global
build_plan more/all.json 'speed: 20, max_think: 2s, marker: true' 'concurrency: 4, passes: 1'
plateau_run --local 2
expect_carried
if $MODEL look "$TMP/more" "$OUT" "$TMP/served.jsonl" speed=20,think=2,lanes=4,marker=1,scope=global; then ok "two agents, marked plays"; else fail "two agents: the model does not agree, seed $seed"; fi
memory
build_plan more/all.json 'speed: 20' 'concurrency: 4, passes: 1'
plateau_run --local 1
if $MODEL look "$TMP/more" "$OUT" "$TMP/served.jsonl" speed=20,lanes=4,scope=global; then ok "a global id is the same text in all trees"; else fail "global ids, seed $seed"; fi
$MODEL make "$TMP/list" "$seed" 8 array
"$BIN/plateau" check "$TMP/plan.yaml" --set workload.trace.file=list/all.json --data "$TMP/data" >"$TMP/array.out" 2>&1
"$BIN/plateau" check "$TMP/plan.yaml" --set workload.trace.file=trees --data "$TMP/data" >"$TMP/folder.out" 2>&1
[ -n "$(grep -o 'corpus: .*' "$TMP/array.out")" ] && [ "$(grep -o 'corpus: .*' "$TMP/array.out")" = "$(grep -o 'corpus: .*' "$TMP/folder.out")" ] &&
    ok 'an array of trees is the same as a folder of them' || fail "$(cat "$TMP/array.out" "$TMP/folder.out")"

# ---- by time: trees come again and again, the first from the middle; the lanes are held ----
memory
build_plan trees 'speed: 40, max_idle: 5s, start: random' 'concurrency: 2, duration: 4s, warmup: 1s'
plateau_run --local 1
expect_carried
expect_ledger
expect '.points[0].evidence.counters | (.window_trees_ns / .measured_ns) > 1.95 and (.window_trees_ns / .measured_ns) < 2.05' 'two trees are under way all the time'

# each of its trees twice, however slow this machine is: only the first of each lane may begin in its middle
memory
build_plan trees 'speed: 400, start: random' 'concurrency: 2, passes: 2'
plateau_run --local 1
expect_ledger
python3 - "$OUT/run.sqlite" <<'PY' && ok 'the first trees begin in the middle, later ones at their first request' || fail 'where trees begin'
import sqlite3, sys
first = {}
for session, due, turn in sqlite3.connect(sys.argv[1]).execute("SELECT session, due_ns, turn FROM request ORDER BY due_ns"):
    first.setdefault(session, turn)
assert len(first) >= 8 and all(t == 1 for t in list(first.values())[2:]), first
PY

# ---- a barrier: lanes warm the cache, wait for the end of the warm-up, and go on together; AgentX's rules are judged ----
memory
build_plan trees 'speed: 40, max_idle: 10s, start: random, marker: true, barrier: true' 'scenario: agentx, concurrency: 3, duration: 5s, warmup: 2s'
plateau_run --local 1
expect_carried
expect_ledger
python3 - "$OUT/run.sqlite" <<'PY' && ok 'between the warming of the cache and the end of the warm-up nothing begins' || fail 'a barrier'
import sqlite3, sys
due = {}
for session, ns in sqlite3.connect(sys.argv[1]).execute("SELECT session, due_ns FROM request WHERE session IN (SELECT session FROM request GROUP BY session ORDER BY min(due_ns) LIMIT 3) ORDER BY due_ns"):
    due.setdefault(session, []).append(ns)
assert len(due) == 3, due
for times in due.values():
    assert not [t for t in times if 1e9 < t < 2e9] and times[-1] >= 2e9, times
assert min(times[0] for times in due.values()) < 1e9, due # a tree that begins before any of its agents has nothing to warm
PY
expect '.scenario.name == "AgentX" and (.scenario.not_to_the_rules | map(select(test("window is 3 s long|40 times as fast|ignore_eos"))) | length) == 3 and (.scenario.not_to_the_rules | all(test("window is 3 s|40 times|ignore_eos|still being warmed")))' 'what is not to the rules'
expect_text out.log 'Not to the rules of AgentX: recorded pauses pass 40 times as fast'
"$BIN/plateau" check "$TMP/plan.yaml" 2>&1 | found 'not to the rules: the window is 3 s long, the rules ask for 900 s' && ok 'check says it before' || fail 'check does not say it'

# ---- a server that fails now and then: what follows is still sent, and the tree counts as broken ----
memory --fail-every 7
build_plan trees 'speed: 40' 'concurrency: 3, passes: 1'
plateau_run --local 1
expect_ledger
expect '.points[0].sessions | .begun == 8 and .whole + .broken == 8 and .broken > 0' 'trees with a failed request are broken'
expect '.points[0].ledger | .due == .ok + .failed.http_5xx and .failed.http_5xx > 3' 'and all their requests are sent'

# ---- what a plan may not ask ----
refuse() { # WORDS LOAD TRACE
    build_plan trees "$3" "$2"
    "$BIN/plateau" check "$TMP/plan.yaml" >"$TMP/check.log" 2>&1 && fail "accepted: $2 $3"
    grep -qE -- "$1" "$TMP/check.log" && ok "refused: $1" || fail "$2 $3 says: $(cat "$TMP/check.log")"
}
refuse 'session trees need a concurrency \(lanes of one tree each\), not a rate' 'rate: 5/s, duration: 5s' 'speed: 1'
refuse 'session trees are many requests each: give a duration, or passes' 'concurrency: 5, requests: 50' 'speed: 1'
refuse 'from: is for recorded days|"from".*is for recorded days' 'concurrency: 5, passes: 1' 'from: 10s'
refuse 'barrier.*needs start: random' 'concurrency: 5, passes: 1' 'barrier: true'
finish

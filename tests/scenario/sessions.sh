#!/usr/bin/env bash
# Conversations, as an endpoint saw them that shares no code: what each turn sends, thinking, one connection, the session's name in headers, slots, metrics by turn.
. "$(dirname "$0")/lib.sh"
HERE=$(cd "$(dirname "$0")" && pwd)
server() { # OPTIONS…
    rm -f "$TMP/port" "$TMP/seen.jsonl"
    python3 "$HERE/sessions_server.py" "$TMP/port" "$TMP/seen.jsonl" "$@" >"$TMP/server.log" 2>&1 &
    SERVER=$!
    STARTED+=("$SERVER")
    wait_until 10 test -s "$TMP/port" || { fail "no endpoint: $(cat "$TMP/server.log")"; exit 1; }
    URL=http://127.0.0.1:$(cat "$TMP/port")/v1/chat/completions
}
HEADERS='headers: {x-session-id: "{session}", x-other: "a{session}z"}'
talk() { # WORKLOAD LOAD
    plan "target: {url: \"$URL\", model: m, $HEADERS}" "workload: {$1}" "load: {$2}" 'record: {requests: true}'
    plateau_run --local 2 --data "$TMP/data"
    expect_carried
    expect_ledger
    sleep 0.2
    kill "$SERVER"
    wait "$SERVER" 2>/dev/null
}
judge() { # WORDS OPTIONS…
    local words=$1
    shift
    if python3 "$HERE/sessions.py" "$TMP/seen.jsonl" "$OUT" "$@" 2>"$TMP/judge.log"; then ok "$words"; else fail "$words: $(tail -3 "$TMP/judge.log")"; fi
}

server
talk 'sessions: {turns: {uniform: [2, 5]}, think_time: 150ms}, synthetic: {input_tokens: 12, output_tokens: 20}' 'concurrency: 10, requests: 250'
judge 'sessions hold their slot' --turns 2 5 --think 0.15 --slots 10
expect '.points[0] | .session_turns.mean >= 2 and .session_turns.mean <= 5 and .session_time_ms.p50 > 150' 'turns and time of whole conversations'
"$BIN/plateau" export "$OUT" --to requests-jsonl >/dev/null
if python3 - "$OUT/export-requests-jsonl/requests.jsonl" <<'PY'
import collections, json, sys
rows = collections.defaultdict(list)
for r in map(json.loads, open(sys.argv[1])): rows[r["agent"], r["session"]].append(r["turn"])
assert all(key[1] > 0 and sorted(turns) == list(range(1, len(turns) + 1)) for key, turns in rows.items()), rows
PY
then ok "rows have their session and turn"; else fail "rows of sessions"; fi

server
talk 'sessions: {turns: 3, think_time: {uniform: [100ms, 300ms]}, concurrency: requests}, synthetic: {input_tokens: 12, output_tokens: 20}' 'concurrency: 6, requests: 240'
judge 'requests hold a slot, and thinking does not' --turns 3 3 --think 0.1 --slots 6 --by-request

expect_text out.log 'Sessions: load 6 x240: [0-9]+ begun, [0-9]+ ended with all their turns; ttft p50 by turn: first [0-9.]+ ms, second [0-9.]+ ms, later [0-9.]+ ms'
expect '.points[0] | .session_tokens.min == 54 and .session_tokens.max == 54 and (.session_cached.mean - 100 * 60 / 81 | fabs) < 0.01' 'how far conversations grew, and what of them came from the cache'
expect '.points[0] | .sessions.begun > 80 and .sessions.broken == 0 and .sessions.whole > 50'

server --fail-every 9
talk 'sessions: {turns: 4}, synthetic: {input_tokens: 12, output_tokens: 20}' 'concurrency: 5, requests: 150'
judge 'a failure ends its conversation' --turns 4 4 --slots 5

server
talk 'sessions: {turns: 3, think_time: 300ms}, synthetic: {input_tokens: 12, output_tokens: 20}' 'concurrency: 20, duration: 4s, warmup: 1s'
judge 'by duration' --turns 3 3 --think 0.3 --slots 20 --window
# an answer takes some 30 ms and a thought 300: about one in ten conversations is a request in flight, and that is no fault; a busy machine may be late with a few
expect '.points[0] | .achieved.concurrency < 10 and ([.verdict.reasons[] | capture("^(?<n>[0-9.]+) [a-z]+ in flight on average").n | tonumber] | all(. > 15))' 'thinking is part of the load'

python3 - "$TMP/talks.json" <<'PY'
import json, random, sys
r = random.Random(3)
out = []
for k in range(40):
    turns = [{"from": "system", "value": f"be brief {k}"}] if k % 3 == 0 else []
    if k % 4 == 1: turns.append({"from": "gpt", "value": "an answer before any question"})
    for n in range(r.randrange(1, 5)):
        turns.append({"from": "human", "value": f"question {k}.{n} \"x\" \n ü"})
        turns.append({"from": "gpt", "value": f"answer {k}.{n} \\ \t" + "y" * r.randrange(1, 40)})
    if k % 5 == 2: turns.append({"from": "human", "value": "nobody answers this"})
    if turns[0]["from"] == "gpt": turns = turns[1:] # the reader drops it too
    out.append({"id": str(k), "conversations": turns})
json.dump(out, open(sys.argv[1], "w"))
PY
server
talk 'sessions: {history: recorded}, dataset: {file: talks.json, format: sharegpt}' 'concurrency: 4, requests: 120'
judge 'recorded answers' --turns 1 9 --recorded "$TMP/talks.json"
server
talk 'sessions: {turns: 2}, dataset: {file: talks.json, format: sharegpt}' 'concurrency: 4, requests: 80'
judge 'recorded questions, own answers' --turns 1 2 --own "$TMP/talks.json"
# ---- AIPerf's multi_turn: its turns and lengths, own answers; without sessions the first turn ----
cat >"$TMP/multi.jsonl" <<'JSON'
{"session_id":"a","turns":[{"role":"system","text":"be brief"},{"text":"a one","output_length":3,"delay":0},{"text":"a two","output_length":7,"delay":1000}]}
{"session_id":"b","turns":[{"text":"b one"},{"texts":["b two"],"output_length":5},{"role":"user","text":"b three"}]}
{"text":"c alone","output_length":4}
JSON
aiperf() { # WORKLOAD REQUESTS PYTHON-CONDITION WORDS
    server
    talk "$1" "concurrency: 1, requests: $2"
    python3 - "$TMP/seen.jsonl" "$3" <<'PY' && ok "$4" || fail "$4: $(cat "$TMP/seen.jsonl")"
import json, sys
seen = [(r["asked"], [(m["role"][0], m["content"] if m["role"] != "assistant" else "-") for m in r["messages"]]) for r in map(json.loads, open(sys.argv[1]))]
sys.exit(not eval(sys.argv[2]))
PY
}
A="[(3, [('s', 'be brief'), ('u', 'a one')]), (7, [('s', 'be brief'), ('u', 'a one'), ('a', '-'), ('u', 'a two')])]"
B="[(None, [('u', 'b one')]), (5, [('u', 'b one'), ('a', '-'), ('u', 'b two')]), (None, [('u', 'b one'), ('a', '-'), ('u', 'b two'), ('a', '-'), ('u', 'b three')])]"
aiperf 'sessions: {}, dataset: {file: multi.jsonl, format: aiperf, order: sequential}' 6 "seen == $A + $B + [(4, [('u', 'c alone')])]" "AIPerf's conversations"
aiperf 'dataset: {file: multi.jsonl, format: aiperf, order: sequential}' 3 "seen == $A[:1] + $B[:1] + [(4, [('u', 'c alone')])]" "without sessions their first turn"
plan 'workload: {sessions: {history: recorded}, dataset: {file: multi.jsonl, format: aiperf}}' 'load: {concurrency: 1, requests: 1}'
"$BIN/plateau" check "$TMP/plan.yaml" >"$TMP/check.log" 2>&1 && fail 'recorded answers of AIPerf: accepted'
expect_text check.log "AIPerf's data sets hold no answers: use own"

# ---- over HTTP/2 a connection's streams are of many conversations, and each keeps its name ----
for NGINX in nginx /usr/sbin/nginx; do command -v "$NGINX" >/dev/null && break; done
if command -v "$NGINX" >/dev/null; then
    server
    SIM_PORT=$(cat "$TMP/port")
    nginx_front '127.0.0.1:PORT http2;'
    plan "target: {url: \"http://127.0.0.1:${NGINX_PORTS[0]}/v1/chat/completions\", model: m, http: \"2\", streams_per_connection: 8, $HEADERS}" \
        'workload: {sessions: {turns: 4, think_time: 20ms}, synthetic: {input_tokens: 12, output_tokens: 20}}' 'load: {concurrency: 12, requests: 240}' 'record: {requests: true}'
    plateau_run --local 1
    expect_carried
    expect_ledger
    sleep 0.2
    kill "$SERVER"
    wait "$SERVER" 2>/dev/null
    python3 - "$TMP/seen.jsonl" "$TMP/nginx/access.log" <<'PY' && ok 'over HTTP/2 each conversation has one name, and no other has it' || fail 'names over HTTP/2'
import collections, json, sys
names, talks = collections.defaultdict(set), collections.defaultdict(list)
for r in map(json.loads, open(sys.argv[1])):
    first = r["messages"][0]["content"]
    names[r["session"]].add(first)
    talks[first].append(r)
    assert len(r["session"]) == 16 and r["other"] == f"a{r['session']}z", (r["session"], r["other"])
assert all(len(v) == 1 for v in names.values()) and len(names) == len(talks) > 50, (len(names), len(talks))
assert sum(len(t) for t in talks.values()) == 240 and sum(len(t) == 4 for t in talks.values()) > 40
for turns in talks.values():
    assert [len(r["messages"]) for r in turns] == list(range(1, 2 * len(turns), 2)), [len(r["messages"]) for r in turns]
lines = [line.split() for line in open(sys.argv[2])]
assert {line[3] for line in lines} == {"HTTP/2.0"}, "not all was HTTP/2"
assert len({line[0] for line in lines}) < 12, "a connection of its own for each slot: nothing was shared"
PY
fi
finish

#!/usr/bin/env bash
# Hit rates of a prefix cache side by side: what prompts repeat, beside what an endpoint that shares no code found in its cache of all of them, and beside the trace's own ids. Traces over
# passes, stages and agents, conversations, shared prefixes, session trees; a server that does not say, one with a small cache, one that knows the run before.
. "$(dirname "$0")/lib.sh"
HERE=$(cd "$(dirname "$0")" && pwd)
seed=${REUSE_SEED:-$(date +%s)}
server() { # OPTIONS…
    rm -f "$TMP/port" "$TMP/seen.jsonl"
    python3 "$HERE/reuse_server.py" "$TMP/port" "$TMP/seen.jsonl" "$@" >"$TMP/server.log" 2>&1 &
    STARTED+=("$!")
    wait_until 10 test -s "$TMP/port" || { fail "no endpoint: $(cat "$TMP/server.log")"; exit 1; }
    URL=http://127.0.0.1:$(cat "$TMP/port")/v1/chat/completions
}
ask() { # WORKLOAD LOAD AGENTS [MORE]
    plan "target: {url: \"$URL\", model: m${4:-}}" "workload: {$1}" "load: {$2}"
    plateau_run --local "$3" --data "$TMP/data"
    expect_carried
    expect_ledger
}
same() { # WORDS [CHANCE]: repeated is what the endpoint found; one word of 256 is as that of another prompt by chance
    if python3 - "$TMP/seen.jsonl" "$OUT/summary.json" "${2:-10}" <<'PY'
import json, sys
seen = [json.loads(line) for line in open(sys.argv[1])]
points = json.load(open(sys.argv[2]))["points"]
counted = {k: sum(p["evidence"]["counters"].get(k, 0) for p in points) for k in ("repeated_tokens", "sent_input_tokens", "usage_input_tokens", "cached_tokens", "ok")}
tokens, found = sum(s["tokens"] for s in seen), sum(s["found"] for s in seen)
print(counted, "the endpoint:", tokens, found)
assert counted["ok"] == len(seen) and counted["sent_input_tokens"] == counted["usage_input_tokens"] == tokens
assert counted["cached_tokens"] == found > 0
assert 0 <= found - counted["repeated_tokens"] <= float(sys.argv[3])
PY
    then ok "$1"; else fail "$1 (seed $seed)"; fi
}

# ---- a trace: the endpoint's texts and the ids of the file agree; rows outside of from and to, and those without an answer, are as if they were not there ----
python3 - "$TMP" "$seed" <<'PY'
import json, random, sys
r = random.Random(int(sys.argv[2]))
rows, sent, ids = [], [], 1
for k in range(160):
    base = r.choice(rows) if rows and r.random() < 0.8 else {"hash_ids": []}
    full = base["hash_ids"] if len(base["hash_ids"]) < 20 else []
    keep = full[: r.randint(0, len(full))]
    new = [ids + i for i in range(r.randint(0 if keep else 1, 5))]
    ids += len(new)
    chain = keep + new
    row = {"chat_id": k, "parent_chat_id": -1, "timestamp": k * 0.02, "input_length": 16 * len(chain), "output_length": r.choice([0, 1, 4, 8]), "type": "text", "turn": 1, "hash_ids": chain}
    rows.append(row)
    if 0.4 <= row["timestamp"] < 2.8 and row["output_length"]: sent.append(row)
open(sys.argv[1] + "/day.jsonl", "w").write("".join(json.dumps(row) + "\n" for row in rows))
known, repeated, blocks = set(), 0, 0
for row in sent:
    ids = [tuple(row["hash_ids"][: i + 1]) for i in range(len(row["hash_ids"]))]
    repeated += 16 * sum(i in known for i in ids)
    blocks += 16 * len(ids)
    known |= set(ids)
open(sys.argv[1] + "/day.expect", "w").write(f"{repeated} {blocks} {len(sent)}")
PY
read -r REPEATED ALL ROWS <"$TMP/day.expect"
DAY='trace: {file: day.jsonl, format: bailian, from: 400ms, to: 2800ms}'
server
ask "$DAY" 'concurrency: 1, passes: 1' 1
same 'a trace: what prompts repeat is what the endpoint found'
expect ".points[0].evidence.counters | .repeated_tokens == $REPEATED and .sent_input_tokens == $ALL and .ok == $ROWS" 'and what the ids of the file say'
expect ".points[0] | (.prefix_possible - $REPEATED / $ALL | fabs) < 1e-9 and (.prefix_by_usage - .prefix_possible | fabs) < 0.01 and .verdict.status != \"invalid\"" 'as a share, beside what usage says'
expect '.answer.prefix_cache | .possible > 0.1 and (.by_usage - .possible | fabs) < 0.01 and .by_metrics_page == null' 'and of the run'
expect_text out.log 'Prompts repeat [0-9.]+ % of their input tokens \(what one prefix cache without a limit could answer\); the server.s usage says [0-9.]+ % came from its cache\.'
head -1 "$OUT/curve.csv" | found 'prefix_possible,prefix_by_usage,server_prefix_hit_rate' && ok 'side by side in curve.csv' || fail 'curve.csv'
grep -q 'Prompts repeat [0-9.]* % of their input tokens' "$OUT/report.html" && ok 'and in the page' || fail 'the page says nothing'
# the same server again: it knows all of it from the run before
ask "$DAY" 'concurrency: 1, passes: 1' 1
expect '[.points[0].verdict.reasons[] | select(test("^the server answered 100 % of the input tokens from its prefix cache, and prompts repeat [0-9.]+ %; it still knew those of an earlier run"))] | length == 1' 'a server that was warm is suspected'

server
ask "$DAY" 'concurrency: 1, passes: 2' 1
same 'two passes'
expect ".points[0].evidence.counters.repeated_tokens == $REPEATED + $ALL" 'the second repeats all of the first'
server
ask "$DAY" 'stages: [{concurrency: 1, passes: 1}, {concurrency: 1, requests: 30}]' 1
same 'two stages'
expect '.points[1].prefix_possible == 1' 'the second repeats all of the first'
server
ask "$DAY" 'arrivals: recorded' 2 ", metrics_url: \"${URL%/v1*}/metrics\""
expect ".points[0].evidence.counters | .repeated_tokens == $REPEATED and .sent_input_tokens == $ALL" 'two agents: the same sums'
expect '.answer.prefix_cache | (.by_metrics_page - .possible | fabs) < 0.15' 'the metrics page is read'
expect_text out.log 'of their input tokens \(what one prefix cache without a limit could answer\); the server.s usage says [0-9.]+ % came from its cache, its metrics page [0-9.]+ %\.'

# ---- conversations, prefixes, trees ----
server
ask 'sessions: {turns: {uniform: [2, 5]}}, synthetic: {input_tokens: 30, output_tokens: 12}' 'concurrency: 1, requests: 100' 1
same 'conversations: the prompt before and its answer'
server --template 7
ask 'sessions: {turns: {uniform: [2, 5]}}, synthetic: {input_tokens: 30, output_tokens: 12}' 'concurrency: 1, requests: 100' 1
same 'a template adds to each message: counted as the server counts' $((7 * 60)) # of each conversation the head of its first message is known
server
ask 'synthetic: {input_tokens: 100, output_tokens: 2, shared_prefix: {tokens: 60}}' 'concurrency: 1, requests: 80' 1
same 'a shared prefix' $((80 * 80 / 2 / 256 * 3)) # each goes on beside all before it
expect '.points[0].evidence.counters.repeated_tokens == 60 * 79' 'from its second request on'
server
ask 'synthetic: {input_tokens: 100, output_tokens: 2, shared_prefix: {tokens: 60, groups: 20}}' 'concurrency: 6, requests: 300' 2
expect '.points[0].evidence.counters | (.repeated_tokens - .cached_tokens | fabs) < 0.05 * .cached_tokens' 'many prefixes, two agents'
python3 "$HERE/trees_model.py" make "$TMP/trees" "$seed" 6
server
ask 'trace: {file: trees, format: weka, speed: 400}' 'concurrency: 1, passes: 1' 1
same 'session trees' 100
server
ask 'trace: {file: trees, format: weka, speed: 400, start: random, marker: true}' 'concurrency: 2, passes: 2' 1
expect '.points[0].evidence.counters | .cached_tokens - .repeated_tokens >= 0 and .cached_tokens - .repeated_tokens <= 0.005 * .cached_tokens + 20' "trees from their middle: what was left out was never sent (seed $seed)"

# ---- what a server says, or does not ----
server --silent
ask "$DAY" 'concurrency: 1, passes: 1' 1
expect '.points[0].prefix_by_usage == null and .answer.prefix_cache.by_usage == null' 'a server that names none'
expect_text out.log 'could answer\); the server reports no cached tokens\.'
server --part 0.3
ask "$DAY" 'concurrency: 1, passes: 1' 1
expect_text out.log 'That is less than half of it: the cache is off, or too small for these prompts'
server
ask 'synthetic: {input_tokens: 100, output_tokens: 2}' 'concurrency: 1, requests: 20' 1
expect '.points[0].prefix_possible == null and .answer.prefix_cache.possible == null' 'a plan that repeats nothing'
grep -q 'Prompts repeat' "$TMP/out.log" && fail 'nothing is said of it' || ok 'nothing is said of it'
finish

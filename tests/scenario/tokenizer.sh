#!/usr/bin/env bash
# target.tokenizer: prompts have exactly the lengths asked for, as a server counts that has the same tokenizer: synthetic ones over two agents, with shared prefixes, over APIs of
# messages and of text (where the tokenizer's own BOS counts), rows of a trace; with lengths: measured less what the chat template adds. A data set's prompts are counted.
. "$(dirname "$0")/lib.sh"
PROBE=
DATA=$(cd "$(dirname "$0")/../data/tokenizer" && pwd)
cp "$DATA/tiny.json" "$TMP/tokenizer.json"
TEMPLATE=0
server() { # a template of so many tokens
    [ -z "${SIM_PID:-}" ] || kill "$SIM_PID"
    sim --ttft 2ms --tpot 1ms --tokenizer "$TMP/tokenizer.json" --template-tokens "$1"
}
lengths() { # TARGET WORKLOAD LOAD OPTIONS…
    plan "target: {url: \"http://127.0.0.1:$SIM_PORT\", model: sim, tokenizer: {file: tokenizer.json}, $1}" "workload: $2" "load: $3" 'record: {requests: true}'
    plateau_run "${@:4}"
    expect_ledger
    "$BIN/plateau" export "$OUT" --to requests-jsonl >/dev/null || fail "no rows"
}
holds() { # PYTHON-CONDITION of one row, rows at least
    python3 - "$OUT/export-requests-jsonl/requests.jsonl" "$1" <<'PY' || fail "lengths"
import json, sys
rows = [json.loads(line) for line in open(sys.argv[1])]
bad = [(r["asked_input"], r["input"]) for r in rows if not eval(sys.argv[2], {"asked": r["asked_input"], "got": r["input"]})]
print(f"ok: {len(rows)} rows: {sys.argv[2]}" if rows and not bad else f"{len(bad)} of {len(rows)} rows: not {sys.argv[2]}: {bad[:5]}")
sys.exit(bool(bad) or not rows)
PY
}
CHOICE='input_tokens: {choice: [{value: 33, weight: 1}, {value: 200, weight: 1}, {value: 1000, weight: 1}, {value: 20000, weight: 1}]}, output_tokens: 2'
server 0
lengths 'lengths: words' "{synthetic: {$CHOICE}}" '{concurrency: 4, requests: 100}' --local 2
holds 'got == asked'
expect_text err.log 'tokenizer tokenizer.json: byte-level BPE, split as Llama 3, 387 tokens, 131 merges, normal form C, 1 more around a text' 'the log says what the tokenizer is'
lengths 'http: "1.1", api: openai-completions' "{synthetic: {$CHOICE, shared_prefix: {tokens: 150, groups: 2}}}" '{concurrency: 4, requests: 60}' --local 1
holds 'got == asked'
python3 - "$TMP" <<'PY'
import json, sys
with open(sys.argv[1] + "/rows.jsonl", "w") as f:
    for i, n in enumerate([600, 1024, 5000, 513, 7]):
        f.write(json.dumps({"timestamp": 20 * i, "input_length": n, "output_length": 2, "hash_ids": list(range((n + 511) // 512))}) + "\n")
with open(sys.argv[1] + "/chats.jsonl", "w") as f:
    for text in ["the and for", "the cat's  12345 ok\n\n<|end|>x", "\u00e9 e\u0301 \u65e5\u672c", "x" * 1000]:
        f.write(json.dumps({"prompt": text, "system": "all of it", "output_tokens": 2, "input_tokens": 999}) + "\n")
    f.write(json.dumps({"messages": [{"role": "user", "content": [{"type": "text", "text": "the and"}]}, {"role": "user", "content": "you"}], "output_tokens": 2}) + "\n")
PY
lengths 'lengths: words' '{trace: {file: rows.jsonl, format: mooncake}}' '{arrivals: recorded}' --local 2
holds 'got == asked'
for api in openai-chat openai-completions; do
    [ $api = openai-chat ] || sed -i '$d' "$TMP/chats.jsonl" # a text has no messages
    lengths "api: $api" '{dataset: {file: chats.jsonl, format: jsonl}}' '{concurrency: 2, passes: 2}' --local 1
    holds 'got == asked and asked != 999'
done
"$BIN/plateau" check "$TMP/plan.yaml" >"$TMP/check.log" 2>"$TMP/check.err" || fail "plateau check: $(cat "$TMP/check.err")"
expect_text check.log "sha256: $(sha256sum "$TMP/tokenizer.json" | cut -d' ' -f1)" 'plateau check fills in what follows from the tokenizer'
expect_text check.err 'split as Llama 3' '… and says what it is'
"$BIN/plateau" probe "$TMP/plan.yaml" >"$TMP/said.log" 2>&1 || fail "plateau probe, with a data set: $(cat "$TMP/said.log")"

server 27
lengths 'lengths: words' "{synthetic: {$CHOICE}}" '{concurrency: 4, requests: 20}' --local 1
holds 'got == asked + 27'
lengths 'lengths: measured' "{synthetic: {$CHOICE}}" '{concurrency: 4, requests: 100}' --local 2
holds 'got == asked'
expect '[.events[] | select(.kind == "probe" and (.text | startswith("lengths: by tokenizer.json, and 27 tokens beside a prompt")))] | length == 1' 'the report says what the template adds'

refused() { # STATUS SENTENCE
    [ "$STATUS" = "$1" ] || fail "status $STATUS, expected $1"
    expect_text err.log "$2" "$2"
}
kill "$SIM_PID"
sim --ttft 2ms --tpot 1ms --word-tokens 1.5 --template-tokens 27
plan "target: {url: \"$URL\", model: sim, lengths: measured, tokenizer: {file: tokenizer.json}}" 'load: {concurrency: 1, requests: 5}'
plateau_run --local 1
refused 2 'it has another tokenizer'
sed -i 's/"t h"/"t q"/' "$TMP/tokenizer.json"
plateau_run --local 1
refused 2 'target.tokenizer: .*tokenizer.json: merge 1 names a token, or makes one, that is not in the vocabulary'
finish

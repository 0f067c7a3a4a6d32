#!/usr/bin/env bash
# target.lengths: measured: requests before the load find out how the server counts, and prompts then have the lengths that were asked for, over two agents and over HTTP/2:
# synthetic ones with and without a shared prefix, rows of a trace. What cannot be measured ends the run with a sentence.
. "$(dirname "$0")/lib.sh"
PROBE=
sim --ttft 2ms --tpot 1ms --http2 --word-tokens 1.23 --template-tokens 27
lengths() { # HOW WORKLOAD LOAD OPTIONS…
    plan "target: {url: \"$URL\", model: sim, $1}" "workload: $2" "load: $3" 'record: {requests: true}'
    plateau_run "${@:4}"
    expect_ledger
    "$BIN/plateau" export "$OUT" --to requests-jsonl >/dev/null || fail "no rows"
}
holds() { # PYTHON-CONDITION of one row
    python3 - "$OUT/export-requests-jsonl/requests.jsonl" "$1" <<'PY' || fail "lengths"
import json, sys
rows = [json.loads(line) for line in open(sys.argv[1])]
bad = [(r["asked_input"], r["input"]) for r in rows if not eval(sys.argv[2], {"asked": r["asked_input"], "got": r["input"]})]
print(f"ok: {len(rows)} rows: {sys.argv[2]}" if rows and not bad else f"{len(bad)} of {len(rows)} rows: not {sys.argv[2]}: {bad[:5]}")
sys.exit(bool(bad) or not rows)
PY
}
CHOICE='input_tokens: {choice: [{value: 32, weight: 1}, {value: 200, weight: 1}, {value: 1000, weight: 1}, {value: 20000, weight: 1}]}, output_tokens: 2'
NEAR='abs(got - asked) <= max(1, 0.005 * asked)'
lengths 'lengths: words' "{synthetic: {$CHOICE}}" '{concurrency: 4, requests: 40}' --local 2
holds 'abs(got - (asked * 1.23 + 27)) <= 1'
lengths 'lengths: measured' "{synthetic: {$CHOICE}}" '{concurrency: 4, requests: 200}' --local 2
holds "$NEAR"
expect '[.events[] | select(.kind == "probe" and (.text | startswith("lengths: 1.23 tokens a word, and 27 beside a prompt")))] | length == 1' 'the report says how the server counts'
expect '[.events[] | select(.kind == "probe" and (.text | test("was to have [0-9]+ tokens had [0-9]+$")))] | length == 1' '… and how well that does'
lengths 'lengths: measured, http: "2"' "{synthetic: {$CHOICE, shared_prefix: {tokens: 150, groups: 2}}}" '{concurrency: 4, requests: 60}' --local 1
holds "$NEAR"
python3 - "$TMP/rows.jsonl" <<'PY'
import json, sys
with open(sys.argv[1], "w") as f:
    for i, n in enumerate([600, 1024, 5000, 513, 7]):
        f.write(json.dumps({"timestamp": 20 * i, "input_length": n, "output_length": 2, "hash_ids": list(range((n + 511) // 512))}) + "\n")
PY
lengths 'lengths: measured' '{trace: {file: rows.jsonl, format: mooncake}}' '{arrivals: recorded}' --local 2
holds 'abs(got - asked) <= max(1, 0.005 * asked) or asked == 7 and got == 29'

# ---- a mix of models, each of which counts in its own way ----
kill "$SIM_PID"
sim --ttft 2ms --tpot 1ms --word-tokens 1.23 --other-word-tokens 0.6 --template-tokens 27
plan "target: {url: \"$URL\", model: [{name: sim, weight: 1}, {name: other, weight: 1}], lengths: measured}" "workload: {synthetic: {$CHOICE}}" 'load: {concurrency: 4, requests: 100}' 'record: {requests: true}'
plateau_run --local 2
expect_ledger
"$BIN/plateau" export "$OUT" --to requests-jsonl >/dev/null || fail "no rows"
holds "$NEAR"
expect '[.events[] | select(.kind == "probe" and (.text | test("lengths: model sim: 1.23 tokens a word|lengths: model other: 0.5998 tokens a word")))] | length == 2' 'each model is measured on its own'
kill "$SIM_PID"
sim --ttft 2ms --tpot 1ms --word-tokens 1.23 --template-tokens 27

refused() { # STATUS SENTENCE
    [ "$STATUS" = "$1" ] || fail "status $STATUS, expected $1"
    expect_text err.log "$2" "$2"
}
plan "target: {url: \"$URL\", model: sim, lengths: measured, omit: [stream_options]}" 'load: {concurrency: 1, requests: 5}'
plateau_run --local 1
refused 2 'target.lengths: measured: the server counts no input tokens'
plan "target: {url: \"$URL\", model: sim, lengths: measured}" 'load: {concurrency: 1, requests: 5}'
PROBE=--no-probe
plateau_run --local 1
refused 2 'no-probe: target.lengths is measured, and the probe is what measures them'
"$BIN/plateau" probe "$TMP/plan.yaml" >"$TMP/said.log" 2>&1 || fail "plateau probe: $(cat "$TMP/said.log")"
expect_text said.log 'lengths: 1.23 tokens a word' 'plateau probe says it too'
finish

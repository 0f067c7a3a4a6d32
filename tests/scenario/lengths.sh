#!/usr/bin/env bash
# Lengths from files: a histogram, a list of lengths, and pairs of input and output; what is asked has the file's shares; agents need no file; mistakes are named.
. "$(dirname "$0")/lib.sh"
sim --ttft 2ms --tpot 1ms
printf 'tokens,count\r\n10,50\r\n20,30\r\n40,20\r\n5,0' >"$TMP/in.csv"
python3 -c 'print("output_tokens"); [print(3 if i % 4 else 6) for i in range(40)]' >"$TMP/out.csv"
printf 'name,input_tokens,output_tokens,count\na,10,9,1\nb,100,2,3\n"c, d",10,4,1\nb,100,2,1\n' >"$TMP/pairs.csv"
shares() { # PYTHON-CONDITION over n: {(asked_input, asked_output): share}
    "$BIN/plateau" export "$OUT" --to requests-jsonl >/dev/null || fail "no rows"
    python3 - "$OUT/export-requests-jsonl/requests.jsonl" "$1" <<'PY' || fail "shares"
import collections, json, sys
rows = [json.loads(line) for line in open(sys.argv[1])]
n = {k: v / len(rows) for k, v in collections.Counter((r["asked_input"], r["asked_output"]) for r in rows).items()}
ok = eval(sys.argv[2])
print(("ok: " if ok else "not so: ") + sys.argv[2], "" if ok else n)
sys.exit(not ok)
PY
}
go() {
    plan "workload: {synthetic: {$1}}" 'load: {concurrency: 12, requests: 1200}' 'record: {requests: true}'
    plateau_run --local 2
    expect_carried
    expect_ledger
}
# 4 standard deviations of a share p of 1,200 are at most 0.058
go 'input_tokens: {histogram: in.csv}, output_tokens: {histogram: out.csv}'
shares '(near := lambda got, want: abs(got - want) < 0.058) and set(n) == {(i, o) for i in (10, 20, 40) for o in (3, 6)} and near(n[10, 3], 0.375) and near(n[40, 6], 0.05) and near(n[20, 3], 0.225)'
expect '(.answer.output_tokens.asked - 3.75 | fabs) < 0.001 and (.answer.input_tokens.asked - 19 | fabs) < 0.001' 'the means asked for are those of the files'
go 'lengths: {histogram: pairs.csv}'
shares '(near := lambda got, want: abs(got - want) < 0.058) and set(n) == {(10, 9), (100, 2), (10, 4)} and near(n[100, 2], 4 / 6) and near(n[10, 9], 1 / 6)'
expect '(.answer.output_tokens.asked - 3.5 | fabs) < 0.001 and (.answer.input_tokens.asked - 70 | fabs) < 0.001' 'pairs: the means asked for'
go 'lengths: [[7, 3], [70, 2, 3]]'
shares '(near := lambda got, want: abs(got - want) < 0.058) and set(n) == {(7, 3), (70, 2)} and near(n[70, 2], 0.75)'

# what agents and the hash know is in the plan: the file may go
"$BIN/plateau" check --json "$TMP/plan.yaml" >"$TMP/resolved.json" 2>/dev/null
plan 'workload: {synthetic: {input_tokens: {histogram: in.csv}, output_tokens: 3}}' 'load: {concurrency: 1, requests: 5}'
"$BIN/plateau" check --json "$TMP/plan.yaml" >"$TMP/resolved.json" 2>"$TMP/hash"
mkdir "$TMP/elsewhere"
"$BIN/plateau" check --json - <"$TMP/resolved.json" >"$TMP/again.json" 2>"$TMP/hash2" || fail "the resolved plan is no plan: $(cat "$TMP/hash2")"
cmp -s "$TMP/resolved.json" "$TMP/again.json" && grep -q '"choice":\[{"value":10' "$TMP/resolved.json" && ok "the resolved plan holds the lengths" || fail "resolved: $(cat "$TMP/resolved.json")"

bad() { # KEY FILE-CONTENT SENTENCE
    printf "$2" >"$TMP/bad.csv"
    plan "workload: {synthetic: {$1: {histogram: bad.csv}}}" 'load: {concurrency: 1, requests: 5}'
    "$BIN/plateau" check "$TMP/plan.yaml" >"$TMP/out.log" 2>"$TMP/err.log"
    STATUS=$?
    [ "$STATUS" = 2 ] && [ "$(sed "s|$TMP/||" "$TMP/err.log")" = "workload default: bad.csv: $3" ] && ok "$3" || fail "expected $3; got $STATUS, $(cat "$TMP/err.log")"
}
bad input_tokens '' 'is empty'
bad input_tokens 'a,b\n1,2\n' 'line 1: no column is named "input_tokens" or "tokens"'
bad input_tokens 'tokens,count\n5,x\n' 'line 2: "x" is not a number of tokens from 1 to 1000000, or a count above 0'
bad input_tokens 'tokens\n0\n' 'line 2: "0" is not a number of tokens from 1 to 1000000, or a count above 0'
bad input_tokens 'tokens,count\n5,0\n' 'it holds no length'
bad input_tokens 'tokens,count\n5\n' 'line 2: columns here: 1, in the header: 2'
bad lengths 'input_tokens\n5\n' 'line 1: no column is named "output_tokens"'
bad lengths 'PAR1xxxx' 'it is a Parquet file: write its records as JSON lines first'
plan 'workload: {synthetic: {lengths: [[5, 5]], input_tokens: 3}}' 'load: {concurrency: 1, requests: 5}'
"$BIN/plateau" check "$TMP/plan.yaml" >"$TMP/out.log" 2>"$TMP/err.log"
grep -q 'workload.synthetic.input_tokens: is given by "lengths" already' "$TMP/err.log" && ok "not twice" || fail "twice"
finish

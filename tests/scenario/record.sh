#!/usr/bin/env bash
# Rows of single requests: each request once and with the times that the histograms have, over several agents; a part of them; a limit, and what it left out; none.
. "$(dirname "$0")/lib.sh"
sim --ttft 20ms --tpot 2ms --tokens-per-event 2 --fault-status 503 --fault-rate 0.1
export_rows() { # FORM: into rows.log
    "$BIN/plateau" export "$OUT" --to "$1" >"$TMP/rows.log" 2>"$TMP/rows.err"
}
rows() { sqlite3 "$OUT/run.sqlite" "$1" 2>"$TMP/sql.err"; }
command -v sqlite3 >/dev/null || rows() { python3 -c 'import sqlite3, sys
for r in sqlite3.connect(sys.argv[1]).execute(sys.argv[2]): print("|".join(map(str, r)))' "$OUT/run.sqlite" "$1"; }

# ---- all of them ----
plan 'workload: [{name: short, synthetic: {input_tokens: 20, output_tokens: 8}}, {name: long, weight: 2, synthetic: {input_tokens: 40, output_tokens: 16}}]' \
    'load: {stages: [{concurrency: 9, requests: 300}, {rate: 60/s, duration: 3s, warmup: 0s}], cancel: {fraction: 5%, after: 30ms}}' 'record: {requests: true}'
plateau_run --local 3
expect_carried
expect_ledger
for form in requests-jsonl requests-csv; do
    export_rows $form || fail "$form: $(cat "$TMP/rows.err")"
    [ "$(cat "$TMP/rows.log")" = "$OUT/export-$form/requests.${form#requests-}" ] || fail "$form printed: $(cat "$TMP/rows.log")"
done
if python3 "$(dirname "$0")/record.py" "$OUT"; then ok "each request has a row, and rows and histograms agree"; else fail "rows and run differ"; fi
expect '[.points[].recorded | .wanted == .kept and .kept > 100] | all' 'summary.json says how many'
expect_text out.log 'Rows: .*in run.sqlite; plateau export DIR --to requests-csv writes them'

# ---- a part of them, the same each time; not more than the limit ----
plan 'workload: {synthetic: {input_tokens: 20, output_tokens: 4}}' 'load: {concurrency: 8, requests: 600}' 'record: {sample: 20%, rows: 50}'
plateau_run --local 2
expect_carried
expect '.points[0].recorded | .wanted > 80 and .wanted < 170 and .kept == 50' 'a fifth was wanted, fifty were kept'
expect_text out.log '50 in run.sqlite.*more were wanted and not kept: record.rows is 50'
wanted=$(jq '.points[0].recorded.wanted' "$OUT/summary.json")
plateau_run --local 2
[ "$(jq '.points[0].recorded.wanted' "$OUT/summary.json")" = "$wanted" ] && ok "the seed chooses them" || fail "another run with the same seed wanted other rows"

# ---- off ----
plan 'load: {concurrency: 4, requests: 40}'
plateau_run --local 1
expect_carried
expect '.points[0].recorded == null' 'none are wanted'
[ "$(rows 'SELECT count(*) FROM request')" = 0 ] || fail "rows without record: $(rows 'SELECT count(*) FROM request')"
export_rows requests-csv && fail "an export without rows"
grep -q 'kept no rows of single requests: its plan asks for them with record: {requests: true}' "$TMP/rows.err" || fail "the reason: $(cat "$TMP/rows.err")"
[ -z "$(ls "$OUT/export-requests-csv" 2>/dev/null)" ] || fail "half a file was left: $(ls "$OUT/export-requests-csv")"
finish

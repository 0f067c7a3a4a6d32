#!/usr/bin/env bash
# summary.json is what its JSON Schema says, of runs of every kind: invented ones, a sweep with the server's own figures, an open loop with users
# who go away, a search, a run in which every request fails.
. "$(dirname "$0")/lib.sh"
for PY in python3 /usr/bin/python3 none; do "$PY" -c 'import jsonschema; jsonschema.Draft202012Validator' 2>/dev/null && break; done
[ "$PY" != none ] || { echo "skipped: no python3-jsonschema"; exit 77; }
summaries=()
for kind in "" hostile "lose late"; do
    d="$TMP/made-${kind// /-}"
    # shellcheck disable=SC2086
    "$BIN/../bench/make_run" "$d" $kind >/dev/null 2>&1
    summaries+=("$d/summary.json")
done
run() { # NAME PLAN-LINE…
    OUT=$TMP/$1
    shift
    plan "$@"
    plateau_run --local 1
    summaries+=("$OUT/summary.json")
}
sim --slots 8
run sweep "target: {url: \"$URL\", model: sim, metrics_url: \"http://127.0.0.1:$SIM_PORT/metrics\"}" 'load: {concurrency: [1, 4, 8], duration: 2s, repeats: 2}' \
    'slo: {run: [ttft.p99 < 500ms, errors.rate < 1%], capacity: ">= 5 token/s", request: {ttft: 200ms}}' 'cost: {gpus: 2, per_gpu_hour: 3 EUR}'
run open 'load: {rate: [5, 20], arrivals: poisson, duration: 2s, cancel: {fraction: 20%, after: 50ms}}'
run search 'load: {search: {plateau: {over: concurrency, from: 1, to: 4}}, duration: 1s}'
sim --fault-status 500
run failing 'load: {concurrency: [1, 2], duration: 1s}'
for s in "${summaries[@]}"; do [ -s "$s" ] || fail "no $s"; done
"$PY" "$(dirname "$0")/summary_schema.py" "$(dirname "$0")/../../coordinator/report/summary.schema.json" "${summaries[@]}" || FAILED=1
# The first columns of curve.csv say whose a row is and what was asked; the ten that matter follow.
[ "$(head -1 "$TMP/sweep/curve.csv" | cut -d, -f1-18)" = run,model,started,stage,repeat,load,kind,verdict,output_tokens_per_s,requests_per_s,error_rate,ttft_ms_p50,ttft_ms_p99,tpot_ms_p50,tpot_ms_p99,itl_ms_p99,e2e_ms_p50,e2e_ms_p99 ] || fail "the first columns of curve.csv: $(head -1 "$TMP/sweep/curve.csv")"
[ "$(cut -d, -f4,5 "$TMP/sweep/curve.csv" | sed 1d | sort | tr -d '\r' | tr '\n' ' ')" = "1,1 1,2 2,1 2,2 3,1 3,2 " ] || fail "stages and repeats do not count from 1"
[ "$(sed 1d "$TMP/sweep/curve.csv" | cut -d, -f1,2 | sort -u)" = "$(jq -r .run.id "$TMP/sweep/summary.json"),\"sim\"" ] || fail "a row does not say whose it is"
finish

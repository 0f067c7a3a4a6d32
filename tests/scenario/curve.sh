#!/usr/bin/env bash
# load.curve: the plan in configs/ runs, shortened, over its data set; each load has its region in summary.json, text and page, Offline asks for everything at
# once and carries no answer, and the run is called not to the rules. Its rows of requests become MLPerf Endpoints' log of events.
. "$(dirname "$0")/lib.sh"
configs=$(cd "$(dirname "$0")/../../configs" && pwd)
sim --ttft 20ms --tpot 2ms --truth "$TMP/truth.jsonl"
cp -r "$configs/mlperf-curve.yaml" "$configs/data" "$TMP"
mv "$TMP/mlperf-curve.yaml" "$TMP/plan.yaml"
plateau_run --local 1 --data "$TMP/corpus" --set target.url="$URL" --set load.scale=0.002 --set load.cooldown=200ms --set record.requests=true
[ "$STATUS" = 0 ] || [ "$STATUS" = 3 ] || fail "exit status $STATUS: $(cat "$TMP/err.log")"
expect '.points | length == 8'
expect '[.points[].region] == ["ultra low", "low", "low", "low", "medium", "high", "high", "offline"]'
expect '[.points[].requested.concurrency] == [1, 2, 3, 5, 10, 25, 64, 8]'
expect '[.points[:7][].requested.duration_s] == [2.46, 2.46, 2.46, 2.46, 2.46, 2.46, 4.86]'
expect '.points[7].ledger.ok == 8 and .points[7].requested.requests == 8'
expect '.answer.points_used <= 7'
expect '.curve.max_concurrency == 64 and .curve.offline == "all" and (.curve.not_to_the_rules | map(select(startswith("windows are 0.002 times"))) | length == 1)'
grep -q "^ultra low  *1 " "$TMP/out.log" || fail "no regions on the last screen: $(cat "$TMP/out.log")"
grep -q "Not to the rules" "$TMP/out.log" || fail "the last screen does not say what the run is not"
grep -q '"region": "offline"' "$OUT/report.html" || grep -q '"region":"offline"' "$OUT/report.html" || fail "the page's data have no regions"
if "$BIN/plateau" export "$OUT" --to mlperf-endpoints --events --out "$TMP/org" >"$TMP/names" 2>"$TMP/export.log"; then
    if python3 "$(dirname "$0")/mlperf_events.py" "$TMP/org"; then ok "events.jsonl says what result_summary.json says"; else fail "events.jsonl and result_summary.json differ"; fi
else
    grep -q "no valid point" "$TMP/export.log" && echo "no point was fit for an export: this machine is too busy" || fail "no events: $(cat "$TMP/export.log")"
fi
# All eight were on their way before the first was answered.
kill "$SIM_PID"; wait "$SIM_PID" 2>/dev/null
python3 - "$TMP/truth.jsonl" <<'PY' || fail "Offline did not ask for everything at once"
import json, sys
last = sorted((json.loads(line) for line in open(sys.argv[1])), key=lambda t: t["received_ns"])[-8:]
first_token = min(t["received_ns"] + t["emitted_ns"][0] if t.get("emitted_ns") else t["first_ns"] for t in last)
sys.exit(0 if max(t["received_ns"] for t in last) < first_token else 1)
PY
finish

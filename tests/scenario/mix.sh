#!/usr/bin/env bash
# A mix of workloads and models, by workload, by model and together: what each group has is what the rows of its requests have, over three agents; the same in summary.json, groups.csv, on
# the screen, and again from the run's file. A plan that mixes nothing has no groups.
. "$(dirname "$0")/lib.sh"
sim --ttft 20ms --tpot 2ms --fault-status 503 --fault-rate 0.05
plan "target: {url: \"$URL\", model: [{name: base, weight: 2}, {name: \"lora,1\"}, {name: lora-2, weight: 0.5}]}" \
    'workload: [{name: short, synthetic: {input_tokens: 20, output_tokens: 8}}, {name: long, weight: 2, synthetic: {input_tokens: 40, output_tokens: 32}}]' \
    'load: {stages: [{concurrency: 9, requests: 400}, {rate: 60/s, duration: 4s, warmup: 1s}]}' 'record: {requests: true}'
plateau_run --local 3
expect_carried
expect_ledger
expect '.points[0] as $p | all("finish_length", "usage_requests", "ok"; . as $k | all("by_workload", "by_model"; . as $by | ([$p[$by][].counters[$k] // 0] | add) == $p.evidence.counters[$k]))' 'counters of the groups are those of all'
expect '.points[0].by_workload | all(.counters.usage_requests == .counters.ok and .counters.ok > 0)' 'and tell the groups apart'
"$BIN/plateau" export "$OUT" --to requests-jsonl >"$TMP/rows.log" 2>&1 || fail "export: $(cat "$TMP/rows.log")"
python3 "$(dirname "$0")/mix.py" "$OUT" && ok "each group has what its rows have" || fail "groups and rows differ"
expect_text out.log 'Load 9 x400 +share +output +TTFT ms'
[ "$(grep -cE '^  (short|long|base|lora,1|lora-2|together) ' "$TMP/out.log")" = 12 ] && ok 'the screen has a line for each' || { fail 'lines on the screen'; show out.log; }
cp "$OUT/groups.csv" "$OUT/summary.json" "$TMP"
rm "$OUT/groups.csv"
"$BIN/plateau" report "$OUT" >/dev/null 2>"$TMP/again.log"
cmp "$TMP/groups.csv" "$OUT/groups.csv" && cmp "$TMP/summary.json" "$OUT/summary.json" && ok 'the run file gives the same again' || fail "reported again: $(cat "$TMP/again.log")"

plan 'load: {concurrency: 4, requests: 40}'
plateau_run --local 2
expect_carried
expect '.points[0] | .by_workload == [] and .by_model == []' 'one workload and one model are no mix'
[ ! -e "$OUT/groups.csv" ] && ! grep -q '^  together ' "$TMP/out.log" && ok 'and no file, no table' || fail 'groups without a mix'
finish

#!/usr/bin/env bash
# Stages that end before their time: `duration: auto` once the gates are decided, `slo.abort_on_fail` once one is broken for good.
. "$(dirname "$0")/lib.sh"

sim --ttft 20ms --tpot 5ms
plan 'workload: {synthetic: {input_tokens: 16, output_tokens: 16}}' \
     'load: {stages: [{concurrency: 16, duration: {auto: {limit: 60s}}, warmup: 500ms}]}' \
     'slo: {run: [tpot.p50 < 50ms, errors.rate < 5%]}' \
     'verdict: {lateness: 10s, lag: 10s, achieved: 90%}'
plateau_run --local 2
expect_status 0
expect '.points[0].window_s >= 4.5 and .points[0].window_s < 40' 'auto: it ended when the gates were decided'
expect '.gates | map(.result == "pass") | all' 'and they hold'
expect '.points[0].aborted | not' 'that is no abort'
expect_ledger

plan 'workload: {synthetic: {input_tokens: 16, output_tokens: 16}}' \
     'load: {stages: [{concurrency: 16, duration: 60s, warmup: 500ms}, {concurrency: 8, duration: 60s}]}' \
     'slo: {run: [tpot.p50 < 1ms], abort_on_fail: 3s}' \
     'verdict: {lateness: 10s, lag: 10s, achieved: 90%}'
plateau_run --local 2
expect_status 99
expect '.points | length == 1' 'the second stage was not begun'
expect '.points[0].window_s < 30 and .points[0].aborted' 'the first was cut short'
expect '.gates[0].result == "fail"' 'by the gate'
expect '[.events[] | select(.kind == "gate_failed")] | length == 1' 'which is written down'
expect_ledger

plan 'workload: {synthetic: {input_tokens: 16, output_tokens: 16}}' 'load: {concurrency: [16], duration: 60s, warmup: 500ms}' \
     'slo: {run: [tpot.p50 < 1ms], abort_on_fail: 3s}' 'verdict: {lateness: 10s, lag: 10s, achieved: 90%}'
HTTPS_PROXY=http://127.0.0.1:9 plateau_run --local 1
expect_status 99
expect '.points[0].window_s < 30 and .points[0].aborted' 'a list of one load is cut short too'
[ "$(grep -c 'HTTPS_PROXY is set and not used: the plan decides' "$TMP/err.log")" = 1 ] && ok 'a proxy of the environment is named, once' || { fail 'no word of the proxy'; show err.log; }
rm -rf "$OUT"
plateau_run --local 1 --log-json
jq -e -s 'length > 3 and all(.[]; type == "object")' "$TMP/err.log" >/dev/null && ok 'with --log-json nothing else is on standard error' ||
    { fail 'standard error is not JSON lines'; show err.log; }
finish

#!/usr/bin/env bash
# A run without a plan: a few options make one, which is kept with the run and is the one that `plateau plan` prints. What is no plan is named.
. "$(dirname "$0")/lib.sh"
sim --ttft 20ms --tpot 2ms
here="http://127.0.0.1:$SIM_PORT"
asked=(--url "$here" --model sim --concurrency 1,2,4 --input 32 --output 16 --duration 2s --slo 'ttft.p50 < 500ms' --header 'x-team: perf')

"$BIN/plateau" run "${asked[@]}" --out "$OUT" >"$TMP/run.log" 2>&1
STATUS=$?
expect_carried
expect '[.points[].requested.concurrency] == [1, 2, 4]'
expect '.agents | length == 1'
expect '.plan.target.url | endswith("/v1/chat/completions")'
expect '.plan.target.headers == {"x-team": "perf"}'
expect '.plan.workload[0].synthetic.output_tokens == 16 or .plan.workload.synthetic.output_tokens == 16'
expect '.gates[0].gate == "ttft.p50 < 500ms"'

# The plan of these options, printed, checked, and run from standard input: the same plan but for the number of agents.
"$BIN/plateau" plan "${asked[@]}" >"$TMP/printed.yaml" || fail "plateau plan"
hash_of() { "$BIN/plateau" check --json --set agents.count=1 "$@" 2>&1 >/dev/null; }
[ "$(hash_of "$TMP/printed.yaml")" = "sha256:$(jq -r .run.plan_hash "$OUT/summary.json")" ] || fail "the printed plan is not the one that ran"
[ "$(hash_of - <"$TMP/printed.yaml")" = "$(hash_of "$TMP/printed.yaml")" ] || fail "a plan from standard input is another"
"$BIN/plateau" check "$TMP/printed.yaml" >"$TMP/checked" || fail "plateau check of the printed plan"
for line in '# length: 3 stages in 8s, and at most 90s more' '# requests: as many as are answered' '# in flight: at most 4 at once'; do
    grep -qF "$line" "$TMP/checked" || fail "plateau check does not say: $line: $(grep '^#' "$TMP/checked")"
done
"$BIN/plateau" plan --url "$here" --model m --rate 5,10 --duration 20s | "$BIN/plateau" check - | found -F '# requests: at most about 300' || fail "requests of an open loop"
"$BIN/plateau" run - --local 1 --set load.duration=1s --set load.concurrency=1,2 --out "$TMP/piped" <"$TMP/printed.yaml" >/dev/null 2>&1
STATUS=$?
expect_carried
[ "$(jq '.points | length' "$TMP/piped/summary.json")" = 2 ] || fail "--set load.concurrency=1,2 is not a list"

(cd "$TMP" && "$BIN/plateau" init >/dev/null && "$BIN/plateau" check plan.yaml >/dev/null) || fail "plateau init writes no plan"
cp "$TMP/plan.yaml" "$TMP/kept"
(cd "$TMP" && "$BIN/plateau" init >/dev/null 2>&1) && fail "plateau init overwrites a file"
cmp -s "$TMP/plan.yaml" "$TMP/kept" || fail "plateau init changed a file that was there"

# A run that ends before its first stage leaves no folder that nobody asked for; one that was asked for stays.
mkdir "$TMP/none"
(cd "$TMP/none" && "$BIN/plateau" run --url "http://127.0.0.1:$(free_port)" --model m >out 2>err) && fail "a run against nobody ends well"
grep -qE 'connect|refused' "$TMP/none/err" || fail "nobody is told why: $(cat "$TMP/none/err")"
[ "$(ls "$TMP/none")" = "$(printf 'err\nout')" ] || fail "an empty run leaves: $(ls "$TMP/none")"
"$BIN/plateau" run --url "http://127.0.0.1:$(free_port)" --model m --out "$TMP/asked" >/dev/null 2>&1
[ -s "$TMP/asked/report.html" ] || fail "the folder that was asked for is gone"

refused() { # EXPECTED COMMAND…: status 2, and the words on standard error
    local expected=$1 status=0
    shift
    "$BIN/plateau" "$@" >"$TMP/out" 2>"$TMP/err" </dev/null || status=$?
    [ "$status" = 2 ] || fail "status $status instead of 2: plateau $*"
    grep -qF -- "$expected" "$TMP/err" || fail "plateau $*: expected: $expected; got: $(cat "$TMP/err")"
}
refused "is an address, not a plan: plateau run --url $here" run "$here" --local 1
refused "is the folder of a run, not a plan: plateau report $OUT shows it" run "$OUT"
refused "is the summary of a run, not a plan" check "$OUT/summary.json"
refused "is the data of a run, not a plan" check "$OUT/run.sqlite"
refused "is a page, not a plan" check "$OUT/report.html"
refused "is the curve of a run, not a plan" run "$OUT/curve.csv"
refused "--model is needed" run --url "$here"
refused "--url is needed" run --model m
refused "--url: expected a URL that begins with http:// or https://, such as http://127.0.0.1:8000" run --url 127.0.0.1:8000 --model m
refused "--url: expected an IPv6 address" plan --url 'http://[::1' --model m
refused "give one of them" run "$TMP/plan.yaml" --url "$here"
refused "give one" run --url "$here" --model m --rate 5 --concurrency 5
refused "chooses the loads itself" plan --url "$here" --model m --rate 5 --search
refused 'expected a number or a list such as 1,2,4,8, got "1,x"' plan --url "$here" --model m --concurrency 1,x
for zero in '--duration 0' '--duration 0s' '--input 0' '--output 0'; do # never the default in place of what was said
    read -r option value <<<"$zero"
    refused "$option: expected more than 0, got \"$value\"" plan --url "$here" --model m $zero
    refused "$option: expected more than 0" run --url "$here" --model m $zero
done
for zero in '--rate 0' '--rate 5,0' '--concurrency 0' '--concurrency 0,1'; do
    refused "0" run --url "$here" --model m $zero
done
refused "keep API keys out of plans" plan --url "$here" --model m --header 'Authorization: Bearer CANARY'
grep -q CANARY "$TMP/err" && fail "a secret is repeated"
"$BIN/plateau" help run | found -F 'plateau run --url http://127.0.0.1:8000' || fail "plateau help run shows no example"
finish

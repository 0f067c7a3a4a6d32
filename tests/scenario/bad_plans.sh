#!/usr/bin/env bash
# plateau check as a process: broken plans end with status 2 and the sentence on standard error, nothing on standard output; good ones with status 0,
# the same hash by every way, and a canonical JSON that is a plan again. Secrets are repeated nowhere.
set -euo pipefail
bin=$(cd "${1:?usage: bad_plans.sh BIN}" && pwd)
configs=$(cd "$(dirname "$0")/../../configs" && pwd)
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
fail() { echo "bad_plans: $*" >&2; exit 1; }

bad() { # EXPECTED ARGUMENT… : the plan on standard input
  local expected=$1 status=0
  shift
  cat >p.yaml
  "$bin/plateau" check p.yaml "$@" >out 2>err || status=$?
  [ "$status" = 2 ] || fail "status $status instead of 2 for: $expected"
  [ "$(cat err)" = "$expected" ] || fail "expected: $expected; got: $(cat err)"
  [ ! -s out ] || fail "something on standard output for: $expected"
  ! grep -q CANARY out err || fail "a secret is repeated"
}
good='plan: 1
target: {url: "http://h:1", model: m}
load: {concurrency: [1, 2], duration: 10s}'

bad 'p.yaml: empty' </dev/null
bad 'p.yaml:4:13: load.stages[2].rate: must be > 0, got -1' <<'Y'
plan: 1
target: {url: "http://h:1", model: m}
load: {stages: [{concurrency: 1, duration: 1s}, {rate: 1, duration: 1s}, {
     rate:  -1, duration: 1s}]}
Y
bad 'p.yaml:3:26: load.duratoin: unknown key; did you mean "duration"?' <<'Y'
plan: 1
target: {url: "http://h:1", model: m}
load: {concurrency: [1], duratoin: 10s}
Y
bad 'p.yaml:2:54: target.auth.bearer: a secret is named in a plan, never written into it: use {env: NAME} or {file: PATH}' <<'Y'
plan: 1
target: {url: "http://h:1", model: m, auth: {bearer: sk-CANARY0123456789}}
load: {concurrency: [1], duration: 10s}
Y
bad 'p.yaml:4:1: dataset: unknown key; it belongs in workload' <<<"$good
dataset: {}"
bad 'p.yaml:4:21: workload.dataset: needs "format" (how the file is written), such as format: jsonl' <<<"$good
workload: {dataset: {file: x}}"
# All mistakes at once, in the order in which they are read; what follows from one of them is not another.
bad 'p.yaml:2:31: target.modle: unknown key; did you mean "model"?
p.yaml:4:15: load.duratoin: unknown key; did you mean "duration"?
p.yaml:4:47: load.concurrency[1]: expected a whole number, got "x"' <<'Y'
plan: 1
target: {url: "http://h:1",   modle: m}
name: all at once
load:        {duratoin: 10s, concurrency: [1, x]}
Y
# Each gate has a mistake of its own.
bad 'p.yaml:4:13: slo.run[0]: unknown metric "ttft_p99"; did you mean "ttft.p99"?
p.yaml:4:46: slo.run[2]: unknown metric "foo"; expected throughput, goodput, requests.rate, errors.rate, errors.count or a metric such as ttft.p99
p.yaml:4:55: slo.run[3]: expected METRIC OPERATOR VALUE with <, <=, > or >=, such as "ttft.p99 < 800ms", got "ttft.p99"' <<<"$good
slo: {run: [ttft_p99 < 1s, errors.rate < 1%, foo < 2, ttft.p99]}"
# What people write who know other tools, and what comes of a list without brackets.
bad 'p.yaml:2:39: target.api_key: unknown key; a key is named, never written down: auth: {bearer: {env: NAME}}' <<'Y'
plan: 1
target: {url: "http://h:1", model: m, api_key: sk-CANARY0123456789}
load: {concurrency: [1], duration: 10s}
Y
bad 'p.yaml:3:23: load.2: unknown key; a list is written in brackets, such as [1, 2, 4]
p.yaml:3:25: load.4: unknown key; a list is written in brackets, such as [1, 2, 4]' <<'Y'
plan: 1
target: {url: "http://h:1", model: m}
load: {concurrency: 1,2,4, duration: 10s}
Y
bad 'p.yaml:3:21: load.concurrency: expected one load, a list such as [1, 2, 4, 8], or a search (load.search), got "1-64"' <<'Y'
plan: 1
target: {url: "http://h:1", model: m}
load: {concurrency: 1-64, duration: 10s}
Y
bad 'p.yaml:4:13: slo.run[0]: unknown metric "ttft_p99"; did you mean "ttft.p99"?' <<<"$good
slo: {run: [ttft_p99 < 1s]}"
bad 'p.yaml:5:1: a tab: YAML is indented with spaces' <<<"$good
slo:
	run: [ttft.p99 < 1s]"
[ "$("$bin/plateau" check --json --set load.concurrency=1,2,4 - <<<"$good" 2>/dev/null)" = "$("$bin/plateau" check --json --set 'load.concurrency=[1, 2, 4]' - <<<"$good" 2>/dev/null)" ] || fail "a list of --set without brackets is another list"
bad '--set agents.count: must be at least 1, got 0' --set agents.count=0 <<<"$good"
bad '--set target.auth.bearer: a secret is named in a plan, never written into it: use {env: NAME} or {file: PATH}' --set target.auth.bearer=CANARY <<<"$good"
bad '--set: expected path=value, such as load.duration=5s' --set load.duration <<<"$good"
bad 'p.yaml:1:4: a: anchors and aliases are not used in a plan: write the value out' <<<'a: &a [x, x]
b: [*a, *a]'

status=0
"$bin/plateau" check missing.yaml >out 2>err || status=$?
[ "$status" = 2 ] && [ "$(cat err)" = 'missing.yaml: cannot be opened: No such file or directory' ] || fail "a missing file: $status, $(cat err)"
status=0
"$bin/plateau" check >out 2>err || status=$?
[ "$status" = 2 ] || fail "no file given: status $status"
status=0
"$bin/plateau" check --jsn p.yaml >out 2>err || status=$?
[ "$status" = 2 ] && grep -q 'did you mean --json' err || fail "an unknown option: $status, $(cat err)"

cp -r "$configs/data" . # a plan names its data sets by where it lies
for plan in "$configs"/*.yaml; do
  "$bin/plateau" check "$plan" >resolved.yaml
  "$bin/plateau" check --json "$plan" >plan.json 2>err
  grep '^sha256:' err >hash # what a data set holds is said before it
  grep -q "^# hash: $(cat hash)\$" resolved.yaml || fail "$plan: two hashes"
  [ "sha256:$(tr -d '\n' <plan.json | sha256sum | cut -d' ' -f1)" = "$(cat hash)" ] || fail "$plan: the hash is not that of the JSON"
  "$bin/plateau" check --json resolved.yaml 2>/dev/null | cmp -s - plan.json || fail "$plan: the resolved plan is another plan"
  "$bin/plateau" check --json plan.json 2>/dev/null | cmp -s - plan.json || fail "$plan: the JSON is another plan"
done
"$bin/plateau" check --schema | cmp -s - "$configs/plan.schema.json" || fail "configs/plan.schema.json is not what --schema prints"
grep -q 'url: "http://127.0.0.1:9999/v1/chat/completions"' <<<"$("$bin/plateau" check "$configs/quickstart.yaml" --set target.url=http://127.0.0.1:9999)" || fail "--set did not set"
if "$bin/plateau" check "$configs/smallest.yaml" >/dev/full 2>err; then fail "a full disk went unseen"; fi
echo "bad_plans: ok"

#!/usr/bin/env bash
# Guess:   an image's tag that is a build's number, a date or a short commit hash reaches the image as it was written, by --set as by a values file.
# Instead: in a values file 20261129 becomes 2.0261129e+07, and the hash 1234e56 becomes 1.234e+59; by --set both arrive whole. `helm lint` passes.
# So:      quote tags in values files, use --set-string in CI, and let a chart's values.schema.json want a string: Helm then refuses the number by name.
. "$(dirname "$0")/lib.sh"
helm_program
mkdir -p "$dir/chart/templates"
printf 'apiVersion: v2\nname: chart\nversion: 0.1.0\n' >"$dir/chart/Chart.yaml"
printf 'tag: "1"\n' >"$dir/chart/values.yaml"
printf 'apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {containers: [{name: c, image: "server:{{ .Values.tag }}"}]}\n' >"$dir/chart/templates/pod.yaml"
image() { "$helm" template x "$dir/chart" "$@" | grep -o 'server:[^"]*'; }       # OPTIONS: what the pod would be given
written() { echo "tag: $1" >"$dir/v.yaml"; image -f "$dir/v.yaml"; }              # TAG, as it stands in a values file
guess "the tag as it was written"
is "20261129 by --set" "$(image --set tag=20261129)" "server:20261129"
is "20261129 in a values file" "$(written 20261129)" "server:2.0261129e+07"
is "1234e56 by --set" "$(image --set tag=1234e56)" "server:1234e56"
is "1234e56 in a values file" "$(written 1234e56)" "server:1.234e+59"
is "0123456 in a values file" "$(written 0123456)" "server:42798"
is "\"20261129\", quoted, in a values file" "$(written '"20261129"')" "server:20261129"
echo 'tag: 20261129' >"$dir/v.yaml"
is "helm lint with the number" "$("$helm" lint --quiet "$dir/chart" -f "$dir/v.yaml" >/dev/null 2>&1 && echo passes)" "passes"
echo '{"properties": {"tag": {"type": "string"}}}' >"$dir/chart/values.schema.json"
has "with a schema" "$("$helm" template x "$dir/chart" --set tag=20261129 2>&1 || true)" "tag.*(string|number|integer).*"

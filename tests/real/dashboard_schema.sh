#!/usr/bin/env bash
# The dashboards as Grafana's own schema has them, read by the library that Grafana makes from it (grafana-foundation-sdk): every field is known, has its
# type, and none that is needed is missing. Only the chosen values of variables are empty, as in every dashboard that is shared. Needs go and the network;
# the library takes some minutes to build. tests/real/dashboard_schema.sh [DASHBOARD…]
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
command -v go >/dev/null || { echo "skipped: no go"; exit 77; }
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cat >"$tmp/main.go" <<'GO'
package main

import (
	"fmt"
	"os"

	"github.com/grafana/grafana-foundation-sdk/go/cog/plugins"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
)

func main() {
	plugins.RegisterDefaultPlugins()
	for _, path := range os.Args[1:] {
		var d dashboard.Dashboard
		raw, err := os.ReadFile(path)
		if err == nil {
			err = d.UnmarshalJSONStrict(raw)
		}
		if err != nil {
			fmt.Println(err)
		}
	}
}
GO
(cd "$tmp" && go mod init check && go get github.com/grafana/grafana-foundation-sdk/go@v0.0.22 && go build -o check .) >"$tmp/log" 2>&1 || { tail -5 "$tmp/log"; echo "skipped: the library cannot be built"; exit 77; }
[ $# -gt 0 ] || set -- deploy/grafana/plateau.json deploy/helm/plateau/dashboard.json
"$tmp/check" "$@" >"$tmp/said"
if grep -vE '^$|^templating\.list\[[0-9]+\]\.current\.(text|value): required field is missing from input$' "$tmp/said"; then
    echo "FAILED: a dashboard is not as Grafana's schema has it"
    exit 1
fi
echo "$# dashboards are as Grafana's schema has them"

#!/usr/bin/env bash
# Installs, builds, starts the simulated endpoint and two agents, sweeps concurrency, and prints the curve, the plateau, the verdict and the
# path of the HTML report.   deploy/quickstart.sh [further options of plateau run]
# PLATEAU_BIN=build/dev/bin deploy/quickstart.sh: with programs that are built already; installs and builds nothing.
set -euo pipefail
cd "$(dirname "$0")/.."

bin=${PLATEAU_BIN:-}
if [ -z "$bin" ]; then
  bin=build/release/bin
  deploy/install-deps.sh
  cmake --preset release >/dev/null
  cmake --build --preset release
fi

tmp=$(mktemp -d)
sim=
cleanup() { [ -z "$sim" ] || kill "$sim" 2>/dev/null || true; rm -rf "$tmp"; }
trap cleanup EXIT

"$bin/plateau-sim" --listen 127.0.0.1:0 --port-file "$tmp/port" --exit-after 600s >"$tmp/sim.log" 2>&1 &
sim=$!
for _ in $(seq 100); do [ -s "$tmp/port" ] && break; sleep 0.05; done
[ -s "$tmp/port" ] || { echo "the simulated endpoint did not start:" >&2; cat "$tmp/sim.log" >&2; exit 1; }

"$bin/plateau" run configs/quickstart.yaml --local 2 --set target.url="http://127.0.0.1:$(cat "$tmp/port")/v1/chat/completions" "$@"

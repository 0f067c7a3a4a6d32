#!/usr/bin/env bash
# No two modules depend on each other in a circle, names that others see bear their module's name, results that may be errors must be
# used: read from the sources and from the object files of this build. Runs no program of ours.
set -euo pipefail
build=$(cd "${1:-$(dirname "$0")/../../build/dev/bin}/.." && pwd)
cd "$(dirname "$0")/../.."
for tool in python3 nm readelf; do
  command -v $tool >/dev/null || { echo "no $tool here: skipped"; exit 77; }
done
exec python3 tests/scenario/modules.py "$build"

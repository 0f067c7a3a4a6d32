#!/usr/bin/env bash
# What the documents tell a person to type exists: commands, options, the chart's settings and files, asked of the programs themselves.
set -euo pipefail
bin=$(cd "${1:-$(dirname "$0")/../../build/dev/bin}" && pwd)
cd "$(dirname "$0")/../.."
command -v python3 >/dev/null || { echo "no python3 here: skipped"; exit 77; }
exec python3 tests/scenario/documents.py "$bin"

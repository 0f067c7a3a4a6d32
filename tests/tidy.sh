#!/usr/bin/env bash
# clang-tidy over every source of the product and the simulator, as .clang-tidy says, or over those that are named: tests/tidy.sh [FILE…]
set -uo pipefail
cd "$(dirname "$0")/.."
[ -f build/clang/compile_commands.json ] || cmake --preset clang >/dev/null || exit 1
files=("$@")
if [ $# -eq 0 ]; then
  mapfile -t files < <(find common agent coordinator tests/sim -name '*.c' | sort)
  [ ${#files[@]} -ge 100 ] || { echo "FAIL: found only ${#files[@]} sources: this test looks at nothing"; exit 1; }
fi
out=$(printf '%s\n' "${files[@]}" | xargs -P "$(nproc)" -n 8 clang-tidy -p build/clang --quiet 2>&1)
found=$(grep -E '(warning|error): ' <<<"$out" | sort -u)
failed=0
[ -z "$found" ] || { echo "FAIL:"; echo "$found" | sed "s@$PWD/@@"; failed=1; }
[ "$failed" = 1 ] || echo "clang-tidy: ${#files[@]} sources, nothing found"
exit "$failed"

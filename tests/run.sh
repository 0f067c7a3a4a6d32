#!/usr/bin/env bash
# Installs, builds and passes all tests.
#   tests/run.sh            everything: gcc and clang, units and scenarios, sanitizers, a short fuzz run
#   tests/run.sh quick      one compiler, units and scenarios
set -euo pipefail
cd "$(dirname "$0")/.."
mode=${1:-all}
deploy/install-deps.sh test

preset() { # NAME [ctest options]: configures, builds, tests
  local name=$1; shift
  echo "== $name: build"
  cmake --preset "$name" >/dev/null
  cmake --build --preset "$name"
  [ "${1:-}" != build-only ] || return 0
  echo "== $name: tests"
  # scenarios mostly wait, so more of them than cores; those that judge times run alone
  ctest --test-dir "build/$name" --output-on-failure --timeout 600 -j 4 "$@"
}

preset dev
if [ "$mode" = all ]; then
  preset clang build-only
  echo "== clang-tidy"
  tests/tidy.sh
  preset release build-only
  export ASAN_OPTIONS=detect_leaks=1:abort_on_error=1 UBSAN_OPTIONS=print_stacktrace=1
  export TSAN_OPTIONS="suppressions=$PWD/tests/tsan.supp:halt_on_error=1:second_deadlock_stack=1"
  preset asan
  preset tsan
  preset fuzz build-only
  tests/fuzz/run.sh 10
fi
echo "all passed"

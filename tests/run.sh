#!/usr/bin/env bash
# Installs, builds and passes all tests.
#   tests/run.sh            everything: gcc and clang, units and scenarios, sanitizers, a short fuzz run
#   tests/run.sh quick      one compiler, units and scenarios
# Builds run beside the tests of sanitized programs, which judge no times; ccache is used where it is installed.
set -euo pipefail
cd "$(dirname "$0")/.."
mode=${1:-all}
deploy/install-deps.sh test
if [ -z "${CMAKE_C_COMPILER_LAUNCHER:-}" ] && command -v ccache >/dev/null; then export CMAKE_C_COMPILER_LAUNCHER=ccache; fi
began=$SECONDS
say() { echo "== $((SECONDS - began)) s: $*"; }

build() { # NAME
  say "$1: build"
  cmake --preset "$1" >/dev/null
  cmake --build --preset "$1"
}
pass() { # NAME JOBS OPTIONS…: all tests of a build
  say "$1: tests"
  # scenarios mostly wait, so more of them than cores; those that judge times run alone
  ctest --test-dir "build/$1" --output-on-failure --timeout 600 -j "$2" "${@:3}"
}
# beside LOG COMMAND…: in the background, at low priority; `join` shows its output and ends with its status
beside() {
  beside_log=$1
  shift
  (nice -n 10 bash -euo pipefail -c "$(declare -f build say); began=$began SECONDS=$SECONDS; $*") >"$beside_log" 2>&1 &
  beside_pid=$!
}
join() {
  local rc=0
  wait "$beside_pid" || rc=$?
  if [ "$rc" = 0 ]; then grep -E '^(==|clang-tidy:)' "$beside_log" || true; else tail -n 200 "$beside_log"; fi
  return "$rc"
}
# until_there FILE: waits for a file of the work in the background, or for that work's end
until_there() {
  while [ ! -e "$1" ] && kill -0 "$beside_pid" 2>/dev/null; do sleep 1; done
  [ -e "$1" ] || join
}

build dev
pass dev 6
if [ "$mode" = all ]; then
  work=$(mktemp -d)
  trap 'kill "${beside_pid:-}" 2>/dev/null || true; rm -rf "$work"' EXIT
  export ASAN_OPTIONS=detect_leaks=1:abort_on_error=1 UBSAN_OPTIONS=print_stacktrace=1
  export TSAN_OPTIONS="suppressions=$PWD/tests/tsan.supp:halt_on_error=1:second_deadlock_stack=1"
  build asan
  # the tests mostly wait, so all other builds fit beside them; the thread sanitizer's comes first
  beside "$work/log" "build tsan; touch '$work/tsan'; build clang; tests/tidy.sh; build release; build fuzz"
  pass asan 6 -LE text # what reads sources and documents has passed above
  until_there "$work/tsan"
  pass tsan 6 -LE text
  join
  say "fuzz"
  tests/fuzz/run.sh 10
fi
say "all passed"

#!/usr/bin/env bash
# Runs each fuzz target from its seeds for some seconds: tests/fuzz/run.sh [SECONDS=60] [TARGET…]; new inputs go to build/fuzz/corpus.
set -euo pipefail
cd "$(dirname "$0")/../.."
seconds=${1:-60}
[ $# -eq 0 ] || shift
[ -x build/fuzz/fuzz ] || { cmake --preset fuzz >/dev/null && cmake --build --preset fuzz; }
targets=("$@")
[ ${#targets[@]} -gt 0 ] || mapfile -t targets < <(cd build/fuzz/fuzz && ls fuzz_*)
fuzz() { # TARGET
  local t=$1 seeds made log
  mkdir -p "build/fuzz/corpus/$t" "build/fuzz/crashes/$t"
  seeds="tests/fuzz/corpus/${t#fuzz_}"
  [ -d "$seeds" ] || seeds="tests/fuzz/corpus/$t"
  made="build/fuzz/seeds/$t" # by the program itself: fuzz_seed.h
  mkdir -p "$made"
  [ -d "$seeds" ] || { [ "$t" = fuzz_snapshot ] && seeds=$made; } || { echo "$t: no seeds in tests/fuzz/corpus" >&2; return 1; }
  log="build/fuzz/$t.log"
  if ! FUZZ_SEEDS=$made "build/fuzz/fuzz/$t" -max_total_time="$seconds" -rss_limit_mb=2048 -timeout=10 -print_final_stats=1 \
      -artifact_prefix="build/fuzz/crashes/$t/" "build/fuzz/corpus/$t" "$made" "$seeds" >"$log" 2>&1; then
    tail -40 "$log"
    echo "$t: FAILED, input kept in build/fuzz/crashes/$t" >&2
    return 1
  fi
  echo "$t: $(awk '/number_of_executed_units/{n=$2} END{print n}' "$log") runs, none failed"
}
# as many side by side as there are cores; all end before the first failure is the script's own
running=0 rc=0
for t in "${targets[@]}"; do
  if [ $running -ge "$(nproc)" ]; then
    wait -n || rc=1
    running=$((running - 1))
  fi
  fuzz "$t" &
  running=$((running + 1))
done
while [ $running -gt 0 ]; do
  wait -n || rc=1
  running=$((running - 1))
done
exit $rc

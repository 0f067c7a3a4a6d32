#!/usr/bin/env bash
# A paced token costs the worker, and an event the scan, no more instructions than they did: counted, so that a busy machine changes nothing.
set -u
BIN=$(cd "${1:-$(dirname "$0")/../../build/dev/bin}" && pwd) || exit 1
MOST=800 # about 762 with gcc -O2, by how many reads a busy machine makes of the tokens; 805 with what glibc does around recvmsg, 1,150 before streams shared the shapes of their first and last events and the way of a usual read was inline, 1,920 before chunk sizes, gaps and strings had ways of their own, 4,450 when libcurl carried it
command -v valgrind >/dev/null || { echo "needs valgrind"; exit 77; }
[ -x "$BIN/../bench/bench_engine" ] && [ -x "$BIN/../bench/bench_scan" ] || { echo "needs the benchmarks"; exit 77; }
grep -qE '^CMAKE_BUILD_TYPE:[^=]*=(RelWithDebInfo|Release)$' "$BIN/../CMakeCache.txt" 2>/dev/null || { echo "counts only an optimized build"; exit 77; }
grep -qE '^PLATEAU_SANITIZE:[^=]*=.' "$BIN/../CMakeCache.txt" && { echo "a sanitizer is not ours to count"; exit 77; }
exec bash "$(dirname "$0")/../bench/instructions.sh" "$BIN/.." "$MOST"

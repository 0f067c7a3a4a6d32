#!/bin/bash
# Does an open loop send when the schedule says? open.sh BIN_DIR [RATE ...] (1000 2000 5000 10000 requests/s of one token)
#   Constant arrivals, 4 s after a second of warm-up. Prints achieved / asked for, requests ok / due, how late they were sent, and CPU a request.
#   Endpoint on core 0, client on core 1. ROUNDS=1: medians of rounds.
set -eu
bin=${1:?folder of the programs, such as build/release}; shift
[ $# -gt 0 ] || set -- 1000 2000 5000 10000
[ "$(nproc)" -ge 2 ] || { echo "needs two cores"; exit 77; }
ulimit -n "$(ulimit -Hn)"
dir=$(mktemp -d); trap 'kill "$sim" 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$dir"' EXIT
taskset -c 0 "$bin/bin/plateau-sim" --listen 127.0.0.1:0 --port-file "$dir/port" --exit-after 600s --null >/dev/null 2>&1 &
sim=$!
for _ in $(seq 100); do [ -s "$dir/port" ] && break; sleep 0.05; done
median() { jq -s "map($1) | sort | .[((length - 1) / 2 | floor)]" "$dir/$2"; }
printf '%8s %9s %8s | %9s %9s %9s | %s\n' rate achieved ok/due "late p50" "p99" "p99.9 us" "CPU us/request"
for rate; do
    for _ in $(seq "${ROUNDS:-1}"); do
        taskset -c 1 "$bin/bench/bench_engine" --url "http://127.0.0.1:$(cat "$dir/port")/v1/chat/completions" --rate "$rate" --constant --slots 2000 --tokens 1 \
            --duration 5s --warmup 1s --workers 1 ${FLAGS:-} >>"$dir/$rate"
    done
    printf '%8s %9.4f %8.4f | %9.0f %9.0f %9.0f | %.1f\n' "$rate" "$(median ".counters.window_due / $rate / .window_s" "$rate")" "$(median '.counters.ok / .counters.due' "$rate")" \
        "$(median .lateness.p50 "$rate")" "$(median .lateness.p99 "$rate")" "$(median .lateness.p999 "$rate")" "$(median .cpu_us_per_token "$rate")"
done

#!/bin/bash
# As many streams at once as the limit of open files allows: streams.sh BIN_DIR [STREAMS=19800] [bench_engine's options: --http2 …]
# SIM_FLAGS, SCHEME=https: more options of the simulator, such as those for TLS. The endpoint is a process of its own, with a limit of its own. Each stream gets a token every two seconds. Prints what was open, and the memory of a
# stream: the process at its peak, less that of one with 64 streams.
set -eu
bin=${1:?folder of the programs, such as build/release}; streams=${2:-19800}; shift; [ $# = 0 ] || shift
ulimit -n "$(ulimit -Hn)"
most=$(($(ulimit -n) - 200))
[ "$streams" -le "$most" ] || { echo "only $most streams: the limit of open files is $(ulimit -n)"; streams=$most; }
dir=$(mktemp -d); trap 'kill "$sim" 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$dir"' EXIT
"$bin/bin/plateau-sim" --listen 127.0.0.1:0 --port-file "$dir/port" --exit-after 300s --ttft 1s --tpot 2s ${SIM_FLAGS:-} >"$dir/sim.log" 2>&1 &
sim=$!
for _ in $(seq 100); do [ -s "$dir/port" ] && break; sleep 0.05; done
port=$(cat "$dir/port")
run() {
    local n=$1; shift
    "$bin/bench/bench_engine" --url "${SCHEME:-http}://127.0.0.1:$port/v1/chat/completions" --slots "$n" --tokens 16 --duration 24s --warmup 12s --ramp 10s "$@"
}
run 64 "$@" >"$dir/few"
run "$streams" "$@" >"$dir/many"
jq -rn --slurpfile few "$dir/few" --slurpfile many "$dir/many" --argjson n "$streams" '
    $many[0] as $m | $few[0] as $f | $m.counters as $c |
    "streams at once     \($c.inflight_max) of \($n), on \($c.connections) connections; failed \($c.sent - ($c.ok // 0) - ($c.aborted // 0)), dropped \($c.dropped // 0)",
    "in flight, mean     \($m.mean_in_flight)",
    "tokens a second     \($m.tokens_per_s), CPU \($m.cpu_us_per_token) us a token; lag p99 \($m.lag.p99) us",
    "memory at its peak  \($m.rss_kib) KiB; with 64 streams \($f.rss_kib) KiB",
    "memory of a stream  \((($m.rss_kib - $f.rss_kib) / ($n - 64) * 100 | round) / 100) KiB"'

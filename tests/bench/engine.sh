#!/bin/bash
# The engine beside the raw reader, in one run: engine.sh BIN_DIR [paced SLOTS RATE | flat] [ROUNDS]
#   paced  SLOTS streams at RATE token/s each (1000 at 20), begun evenly over a second so that tokens do not come in bursts
#   flat   64 streams x 128 tokens, as fast as they come
#   READERS="raw ours-0 ours-1ms" runs these only
# The endpoint has core 0, the client core 1. Each round runs every reader once; the table shows medians.
set -eu
bin=${1:?folder of the programs, such as build/release}; mode=${2:-paced}
case $mode in
    paced) slots=${3:-1000}; rate=${4:-20}; rounds=${5:-5} ;;
    flat) slots=64; rate=0; rounds=${3:-5} ;;
    *) sed -n 2,6p "$0"; exit 2 ;;
esac
duration=${BENCH_DURATION:-6s}
[ "$(nproc)" -ge 2 ] || { echo "needs two cores"; exit 77; }
ulimit -n "$(ulimit -Hn)"
dir=$(mktemp -d); trap 'kill "$sim" 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$dir"' EXIT
if [ "$mode" = flat ]; then
    pace=(--null); tokens=128; ramp=0
else
    pace=(--ttft 50ms --tpot "$((1000000 / rate))us"); tokens=$((rate * 4)); ramp=1s # a request lasts 4 s
fi
taskset -c 0 "$bin/bin/plateau-sim" --listen 127.0.0.1:0 --port-file "$dir/port" --exit-after 600s "${pace[@]}" >"$dir/sim.log" 2>&1 &
sim=$!
for _ in $(seq 100); do [ -s "$dir/port" ] && break; sleep 0.05; done
port=$(cat "$dir/port")
raw() { taskset -c 1 "$bin/bench/raw_reader" --port "$port" --slots "$slots" --tokens "$tokens" --duration "$duration" --ramp "$ramp" "$@"; }
ours() {
    taskset -c 1 "$bin/bench/bench_engine" --url "http://127.0.0.1:$port/v1/chat/completions" --slots "$slots" --tokens "$tokens" \
        --duration "$duration" --warmup 1s --ramp "$ramp" --workers 1 "$@"
}
read -ra names <<<"${READERS:-raw raw-stamps raw-500us ours-0 ours-500us ours-1ms}"
run() {
    case $1 in
        raw) raw ;;
        raw-stamps) raw --stamps ;;
        raw-500us) raw --quantum 500us ;;
        ours-*) ours --quantum "${1#ours-}" ;;
    esac
}
for _ in $(seq "$rounds"); do
    for name in "${names[@]}"; do run "$name" >>"$dir/$name"; done
done
median() { sort -g | awk '{v[NR]=$1} END {print v[int((NR+1)/2)]}'; }
printf '%-12s %12s %14s %10s %10s %10s\n' reader "CPU us/token" "token/s" "gap p50" "gap p99" "lag p99"
for name in "${names[@]}"; do
    cpu=$(jq .cpu_us_per_token "$dir/$name" | median); tps=$(jq .tokens_per_s "$dir/$name" | median)
    p50=$(jq '.gap_p50_us // .itl.p50' "$dir/$name" | median); p99=$(jq '.gap_p99_us // .itl.p99' "$dir/$name" | median)
    lag=$(jq '.lag.p99 // 0' "$dir/$name" | median)
    printf '%-12s %12s %14s %10s %10s %10s\n' "$name" "$cpu" "$tps" "$p50" "$p99" "$lag"
    [ "$name" = raw ] && base=$cpu
    case $name in ours-*) printf '%-12s %12s\n' "  x raw" "$(awk "BEGIN{printf \"%.2f\", $cpu / $base}")" ;; esac
done

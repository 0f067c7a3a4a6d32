#!/bin/bash
# Is what the engine reports what the endpoint emitted? timing.sh BIN_DIR [STREAMS ...] (50 200 500 1000 5000)
#   Each count of streams: TTFT 200 ms, 50 ms a token (5,000: 250 ms), begun evenly over a second; the simulator writes when it emitted each token. Prints
#   the error of every gap between two tokens; how long a slot of the closed loop stood empty (refill); TTFT, TPOT and ITL reported against emitted.
#   Endpoint on core 0, client on core 1. QUANTUM=0, 500us (default), 1ms; ROUNDS=1: medians of rounds; OUT=FILE keeps each round's JSON;
#   SIM_FLAGS, SCHEME=https, FLAGS: more options of the simulator and of bench_engine, such as those for TLS.
set -eu
bin=${1:?folder of the programs, such as build/release}; shift
[ $# -gt 0 ] || set -- 50 200 500 1000 5000
here=$(cd "$(dirname "$0")" && pwd)
[ "$(nproc)" -ge 2 ] || { echo "needs two cores"; exit 77; }
ulimit -n "$(ulimit -Hn)"
dir=$(mktemp -d); sim=; trap '[ -n "$sim" ] && kill "$sim" 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$dir"' EXIT
one() { # STREAMS: one round, its JSON on standard output
    local tpot=50ms tokens=40
    [ "$1" -gt 2000 ] && { tpot=250ms; tokens=8; }
    rm -f "$dir"/port
    taskset -c 0 "$bin/bin/plateau-sim" --listen 127.0.0.1:0 --port-file "$dir/port" --exit-after 120s --ttft 200ms --tpot $tpot --truth "$dir/truth" \
        --truth-tokens ${SIM_FLAGS:-} >/dev/null 2>&1 &
    sim=$!
    for _ in $(seq 100); do [ -s "$dir/port" ] && break; sleep 0.05; done
    taskset -c 1 "$bin/bench/bench_engine" --url "${SCHEME:-http}://127.0.0.1:$(cat "$dir/port")/v1/chat/completions" --slots "$1" --tokens $tokens --duration 8s \
        --warmup 2s --ramp 1s --workers 1 --quantum "${QUANTUM:-500us}" --streams "$dir/streams" ${FLAGS:-} >"$dir/result"
    kill -INT "$sim"; wait "$sim" || true; sim=
    python3 "$here/timing.py" "$dir/streams" "$dir/truth" "$dir/result"
}
median() { jq -s "map($1) | sort | .[((length - 1) / 2 | floor)]" "$2"; }
printf '%8s | %27s | %17s | %-44s | %s\n' "" "gap error us" "refill us" "off by, us: mean p50 p99" "within 0.1 % + 20 us"
printf '%8s | %8s %8s %9s | %8s %8s | %14s %14s %14s |\n' streams p50 p99 p99.9 p50 p99 TTFT TPOT ITL
for n; do
    for _ in $(seq "${ROUNDS:-1}"); do one "$n" >>"$dir/of.$n"; done
    [ -z "${OUT:-}" ] || cat "$dir/of.$n" >>"$OUT"
    f=$dir/of.$n
    off() { echo "$(median ".off.$1.mean.us" "$f") $(median ".off.$1.p50.us" "$f") $(median ".off.$1.p99.us" "$f")"; }
    printf '%8s | %8.2f %8.2f %9.2f | %8.0f %8.0f | %14s %14s %14s | %s\n' "$n" "$(median .gap_error.p50 "$f")" "$(median .gap_error.p99 "$f")" \
        "$(median .gap_error.p999 "$f")" "$(median .refill.p50 "$f")" "$(median .refill.p99 "$f")" "$(off ttft)" "$(off tpot)" "$(off itl)" \
        "$(jq -s 'map(select(.within)) | length' "$f") of $(jq -s length "$f") rounds, $(jq -s 'map(.alone) | add' "$f") streams not found in the truth"
done

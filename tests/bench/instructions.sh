#!/bin/bash
# Instructions a paced token costs in the worker, from the socket's event to the histograms, counted by callgrind: a figure that no neighbour disturbs.
#   instructions.sh BIN_DIR [MOST]   BIN_DIR such as build/release; over MOST instructions a token it fails
# 16 streams at 50 token/s, one token a read, so that each pays for its read: transport_ready and all it calls, OpenSSL and nghttp2 too. The kernel's are not seen.
set -eu
bin=${1:?folder of the programs, such as build/release}; most=${2:-0}
for tool in valgrind jq; do command -v $tool >/dev/null || { echo "needs $tool"; exit 77; }; done
dir=$(mktemp -d); trap 'kill $sim 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$dir"' EXIT
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=sim -keyout "$dir/key" -out "$dir/cert" 2>/dev/null
"$bin/bin/plateau-sim" --listen 127.0.0.1:0 --port-file "$dir/port" --exit-after 100s --http2 --ttft 50ms --tpot 20ms >"$dir/sim.log" 2>&1 &
sim=$!
"$bin/bin/plateau-sim" --listen 127.0.0.1:0 --port-file "$dir/port-tls" --exit-after 100s --http2 --tls-cert "$dir/cert" --tls-key "$dir/key" --ttft 50ms --tpot 20ms >"$dir/sim-tls.log" 2>&1 &
sim="$sim $!"
for _ in $(seq 100); do [ -s "$dir/port" ] && [ -s "$dir/port-tls" ] && break; sleep 0.05; done
url=http://127.0.0.1:$(cat "$dir/port")/v1/chat/completions
per_token() { # NAME OPTIONS…
    local name=$1; shift
    valgrind --tool=callgrind --callgrind-out-file="$dir/out" --toggle-collect=transport_ready \
        "$bin/bench/bench_engine" --url "$url" --slots 16 --tokens 100 --requests 32 --quantum 500us --workers 1 "$@" >"$dir/json" 2>"$dir/log" ||
        { tail -5 "$dir/log"; exit 1; }
    local all tokens reads
    all=$(awk '/Collected/ {print $NF}' "$dir/log")
    tokens=$(jq .counters.events "$dir/json"); reads=$(jq .counters.reads "$dir/json")
    [ "$tokens" -eq 3200 ] || { echo "$name: $tokens tokens instead of 3200"; exit 1; }
    count=$((all / tokens))
    echo "$name: $((all / tokens)) instructions a token, $((tokens * 100 / reads)) tokens in 100 reads"
    [ "$most" = 0 ] || [ "$name" != plain ] || [ $((all / tokens)) -le "$most" ] || { echo "more than $most"; exit 1; }
}
per_token plain
# instructions that the row of a request costs the worker (record.requests), beside those of a request of 128 tokens
row() { # LIMIT
    local all each
    all=$(valgrind --tool=callgrind --callgrind-out-file=/dev/null --toggle-collect=row_put \
        "$bin/bench/bench_engine" --url "$url" --slots 16 --tokens 10 --requests 64 --workers 1 --record 2>&1 >/dev/null | awk '/Collected/ {print $NF}')
    each=$((all / 64))
    echo "row: $each instructions a request, $((each * 1000 / (128 * count))) in a thousand of its 128 tokens"
    [ "$each" -gt 0 ] || { echo "no row was kept"; exit 1; }
    [ "$most" = 0 ] || [ "$each" -le "$1" ] || { echo "more than $1"; exit 1; }
}
row 600
# instructions that the scan of one event of a chat costs, by how many bytes a read has
scan() { # ROW LIMIT
    local all events n
    events=$("$bin/bench/bench_scan" 0 "$1" | awk '{print $(NF - 1)}')
    all=$(valgrind --tool=callgrind --callgrind-out-file=/dev/null --toggle-collect=stream_feed "$bin/bench/bench_scan" 0 "$1" 2>&1 | awk '/Collected/ {print $NF}')
    n=$((all / events))
    echo "scan, $1: $n instructions an event"
    [ "$most" = 0 ] || [ "$n" -le "$2" ] || { echo "more than $2"; exit 1; }
}
scan "64 KiB a read" 240      # 213, 478 and 1,767 with gcc -O2; 214, 1,187 and 5,005 before events that come in pieces had shapes
scan "1,000 bytes a read" 520
scan "100 bytes a read" 1850
url=https://127.0.0.1:$(cat "$dir/port-tls")/v1/chat/completions
[ "$most" != 0 ] || { per_token tls --insecure; cp "$dir/out" "${CALLGRIND_OUT:-/dev/null}"; per_token http2 --insecure --http2; }

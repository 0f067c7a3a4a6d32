#!/bin/bash
# What TLS and HTTP/2 cost a token in the agent, in one run: tls.sh BIN_DIR [SLOTS] [RATE] [ROUNDS]
#   SLOTS streams (200) at RATE token/s each (20), through one nginx as HTTP/1.1 in the clear and over TLS , as HTTP/2 over TLS, and without nginx.
#   Endpoint and nginx have core 0, the client core 1. Medians of rounds (5).
set -eu
bin=${1:?folder of the programs, such as build/release}; slots=${2:-200}; rate=${3:-20}; rounds=${4:-5}
[ "$(nproc)" -ge 2 ] || { echo "needs two cores"; exit 77; }
set -- "$bin/bin"
. "$(dirname "$0")/../scenario/lib.sh"
need_nginx
ulimit -n "$(ulimit -Hn)"
set +e
make_ca ca; make_cert ca server # trusted by nobody: the handshake is not what is measured
on_core_0() { taskset -cp 0 "$1" >/dev/null; }
sim --ttft 50ms --tpot "$((1000000 / rate))us"; on_core_0 "$SIM_PID"
T="ssl_certificate $TMP/server.crt; ssl_certificate_key $TMP/server.key;"
nginx_front "127.0.0.1:PORT;" "127.0.0.1:PORT ssl; $T" "127.0.0.1:PORT ssl http2; $T"; on_core_0 "$NGINX_PID"
path=v1/chat/completions
run() {
    local url more=()
    case $1 in
        direct) url=http://127.0.0.1:$SIM_PORT/$path ;;
        plain) url=http://127.0.0.1:${NGINX_PORTS[0]}/$path ;;
        tls) url=https://127.0.0.1:${NGINX_PORTS[1]}/$path; more=(--insecure) ;;
        http2) url=https://127.0.0.1:${NGINX_PORTS[2]}/$path; more=(--insecure --http2) ;;
    esac
    taskset -c 1 "$bin/bench/bench_engine" --url "$url" --slots "$slots" --tokens $((rate * 2)) --duration "${BENCH_DURATION:-6s}" --warmup 2s --ramp 1s --workers 1 "${more[@]}"
}
median() { sort -g | awk '{v[NR]=$1} END {print v[int((NR+1)/2)]}'; }
names=(direct plain tls http2)
for _ in $(seq "$rounds"); do for name in "${names[@]}"; do run "$name" >>"$TMP/$name.json"; done; done
printf '%-10s %13s %8s %10s %10s %10s\n' way "CPU us/token" "x plain" "token/s" "gap p50" "gap p99"
base=$(jq .cpu_us_per_token "$TMP/plain.json" | median)
for name in "${names[@]}"; do
    cpu=$(jq .cpu_us_per_token "$TMP/$name.json" | median)
    printf '%-10s %13s %8s %10s %10s %10s\n' "$name" "$cpu" "$(awk "BEGIN{printf \"%.2f\", $cpu / $base}")" \
        "$(jq .tokens_per_s "$TMP/$name.json" | median)" "$(jq .itl.p50 "$TMP/$name.json" | median)" "$(jq .itl.p99 "$TMP/$name.json" | median)"
done

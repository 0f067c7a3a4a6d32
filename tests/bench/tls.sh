#!/bin/bash
# What TLS and HTTP/2 cost a token in the agent, in one run: tls.sh BIN_DIR [SLOTS] [RATE] [ROUNDS]
#   SLOTS streams (200) at RATE token/s each (20) against the simulator itself and through one nginx: HTTP/1.1 in the clear and over TLS, HTTP/2 in the clear and
#   over TLS, 100 streams a connection. OLD=BIN_DIR: an earlier build's bench_engine over HTTP/2 beside it. Endpoint and nginx have core 0, the client core 1.
#   Medians of rounds (5), interleaved.
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
sim --ttft 50ms --tpot "$((1000000 / rate))us" --http2; on_core_0 "$SIM_PID"; CLEAR=$SIM_PORT
T="ssl_certificate $TMP/server.crt; ssl_certificate_key $TMP/server.key;"
nginx_front "127.0.0.1:PORT;" "127.0.0.1:PORT ssl; $T" "127.0.0.1:PORT ssl http2; $T"; on_core_0 "$NGINX_PID"
sim --ttft 50ms --tpot "$((1000000 / rate))us" --http2 --tls-cert "$TMP/server.crt" --tls-key "$TMP/server.key"; on_core_0 "$SIM_PID"; SECURE=$SIM_PORT
path=v1/chat/completions
run() {
    local url more=() from=$bin
    case $1 in
        plain) url=http://127.0.0.1:$CLEAR/$path ;;
        tls) url=https://127.0.0.1:$SECURE/$path; more=(--insecure) ;;
        http2-clear) url=http://127.0.0.1:$CLEAR/$path; more=(--http2) ;;
        http2) url=https://127.0.0.1:$SECURE/$path; more=(--insecure --http2) ;;
        http2-old) url=https://127.0.0.1:$SECURE/$path; more=(--insecure --http2); from=$OLD ;;
        nginx-plain) url=http://127.0.0.1:${NGINX_PORTS[0]}/$path ;;
        nginx-tls) url=https://127.0.0.1:${NGINX_PORTS[1]}/$path; more=(--insecure) ;;
        nginx-http2) url=https://127.0.0.1:${NGINX_PORTS[2]}/$path; more=(--insecure --http2) ;;
        nginx-http2-old) url=https://127.0.0.1:${NGINX_PORTS[2]}/$path; more=(--insecure --http2); from=$OLD ;;
    esac
    taskset -c 1 "$from/bench/bench_engine" --url "$url" --slots "$slots" --tokens $((rate * 2)) --duration "${BENCH_DURATION:-6s}" --warmup 2s --ramp 1s --workers 1 "${more[@]}"
}
median() { sort -g | awk '{v[NR]=$1} END {print v[int((NR+1)/2)]}'; }
names=(plain tls http2-clear http2 nginx-plain nginx-tls nginx-http2)
[ -z "${OLD:-}" ] || names+=(http2-old nginx-http2-old)
for _ in $(seq "$rounds"); do for name in "${names[@]}"; do run "$name" >>"$TMP/$name.json"; done; done
printf '%-16s %13s %8s %10s %10s %10s %14s\n' way "CPU us/token" "x plain" "token/s" "gap p50" "gap p99" "tokens a read"
for name in "${names[@]}"; do
    case $name in nginx-*) base=nginx-plain ;; *) base=plain ;; esac
    base=$(jq .cpu_us_per_token "$TMP/$base.json" | median)
    cpu=$(jq .cpu_us_per_token "$TMP/$name.json" | median)
    printf '%-16s %13s %8s %10s %10s %10s %14s\n' "$name" "$cpu" "$(awk "BEGIN{printf \"%.2f\", $cpu / $base}")" \
        "$(jq .tokens_per_s "$TMP/$name.json" | median)" "$(jq .itl.p50 "$TMP/$name.json" | median)" "$(jq .itl.p99 "$TMP/$name.json" | median)" \
        "$(jq '.counters.events / .counters.reads * 100 | round / 100' "$TMP/$name.json" | median)"
done

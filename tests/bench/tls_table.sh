#!/bin/bash
# HTTPS and HTTP/2 in one table, against the simulator itself: tls_table.sh BIN_DIR [ROUNDS]
#   CPU a token in the clear, over TLS and over HTTP/2 with TLS, 200 and 1,000 streams at 20 token/s, 100 streams a connection; flat out over HTTP/2, 64 and 256
#   streams (busy: how much of its core the client had. Where that is not near 100 % the endpoint is the limit, and the client pays for its waits); an open
#   loop over TLS whose requests all come on new connections; then how true the times are, and the memory of a stream over HTTP/2.
#   OLD=BIN_DIR            an earlier build's bench_engine over HTTP/2 beside it, in the same rounds
#   H2LOAD, OHA, K6=FILE   other clients over HTTP/2 with TLS, 200 streams at 20 token/s, as yardsticks (h2load, oha and k6 of $PATH); none parses an event
#   ONLY="paced flat open peers truth memory"   these parts only
# The endpoint has core 0, the client core 1. Medians of ROUNDS (5) interleaved rounds; a round takes about 75 s, truth and memory 2 minutes at the end.
set -eu
bin=${1:?folder of the programs, such as build/release}; rounds=${2:-5}; only=${ONLY:-paced flat open peers truth memory}
[ "$(nproc)" -ge 2 ] || { echo "needs two cores"; exit 77; }
for tool in jq openssl; do command -v $tool >/dev/null || { echo "needs $tool"; exit 77; }; done
ulimit -n "$(ulimit -Hn)"
here=$(cd "$(dirname "$0")" && pwd); dir=$(mktemp -d); sims=()
trap 'kill "${sims[@]}" 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$dir"' EXIT
part() { case " $only " in *" $1 "*) return 0 ;; esac; return 1; }
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=sim -addext subjectAltName=IP:127.0.0.1 \
    -keyout "$dir/key" -out "$dir/cert" 2>/dev/null
secure=(--http2 --tls-cert "$dir/cert" --tls-key "$dir/key")
path=v1/chat/completions
endpoint() { # NAME SIM-OPTIONS: its port is in $dir/NAME.port
    local name=$1; shift
    taskset -c 0 "$bin/bin/plateau-sim" --listen 127.0.0.1:0 --port-file "$dir/$name.port" --exit-after 3600s "$@" >"$dir/$name.log" 2>&1 &
    sims+=($!)
    for _ in $(seq 100); do [ -s "$dir/$name.port" ] && return; sleep 0.05; done
    echo "no endpoint: $(cat "$dir/$name.log")" >&2; exit 1
}
port() { cat "$dir/$1.port"; }
endpoint clear --ttft 50ms --tpot 50ms
endpoint tls --ttft 50ms --tpot 50ms "${secure[@]}"
endpoint flat --null "${secure[@]}"
endpoint once --ttft 50ms --tpot 50ms --close-after 1 "${secure[@]}" # each answer ends its connection

engine() { # NAME BUILD OPTIONS: a line of JSON more in $dir/NAME
    local name=$1 from=$2; shift 2
    taskset -c 1 "$from/bench/bench_engine" --workers 1 --log-level warn --quantum 500us "$@" >>"$dir/$name" # as plans have it
}
paced() { # NAME BUILD STREAMS OPTIONS
    local name=$1 from=$2 streams=$3; shift 3
    engine "$name" "$from" --slots "$streams" --tokens 40 --duration 5s --warmup 1500ms --ramp 1s "$@"
}

# ---- other clients: 600 requests of 40 tokens, 200 at a time ----

cpu_of() { # COMMAND…: user and system seconds of it and its children
    local TIMEFORMAT='%3U %3S' spent
    spent=$({ time taskset -c 1 timeout --foreground 60 "$@" >"$dir/peer.out" 2>"$dir/peer.err"; } 2>&1) || { cat "$dir/peer.out" "$dir/peer.err" >&2; return 1; }
    awk '{print $1 + $2}' <<<"$spent"
}
body() { # TOKENS
    printf '{"model":"sim","messages":[{"role":"user","content":"one two three four"}],"max_tokens":%s,"stream":true,"stream_options":{"include_usage":true}}' "$1" >"$dir/body"
}
cat >"$dir/k6.js" <<'JS'
import http from 'k6/http';
const body = open(__ENV.BODY);
export const options = {insecureSkipTLSVerify: true, discardResponseBodies: true, scenarios: {all: {executor: 'shared-iterations',
    vus: Number(__ENV.STREAMS), iterations: Number(__ENV.REQUESTS), maxDuration: '60s'}}};
export default function () {
    const answer = http.post(__ENV.URL, body, {headers: {'content-type': 'application/json'}});
    if (answer.status !== 200 || answer.proto !== 'HTTP/2.0') throw new Error(`${answer.status} ${answer.proto}`);
}
JS
peer_run() { # PEER REQUESTS STREAMS TOKENS: its CPU seconds
    local url; url=https://127.0.0.1:$(port tls)/$path
    body "$4"
    local connections=$((($3 + 99) / 100)) each=$(($3 < 100 ? $3 : 100))
    case $1 in
        h2load) cpu_of "$H2LOAD" -n "$2" -c $connections -m $each -t 1 -d "$dir/body" -H 'content-type: application/json' "$url" ;;
        oha) cpu_of "$OHA" -n "$2" -c $connections -p $each --http2 --insecure --no-tui -m POST -T application/json -D "$dir/body" "$url" ;;
        k6) cpu_of env BODY="$dir/body" STREAMS="$3" REQUESTS="$2" URL="$url" "$K6" run --no-usage-report --no-summary --quiet --log-output none "$dir/k6.js" ;;
    esac
}
peer_said() { # PEER: how many of the answers were whole
    case $1 in
        h2load) sed -n 's/.* \([0-9]*\) succeeded.*/\1/p' "$dir/peer.out" ;;
        oha) sed -n 's/ *\[200\] \([0-9]*\) responses/\1/p' "$dir/peer.out" ;;
        k6) [ -s "$dir/peer.err" ] || echo 600 ;; # it says nothing when each iteration was right
    esac
}
H2LOAD=${H2LOAD:-$(command -v h2load || true)}; OHA=${OHA:-$(command -v oha || true)}; K6=${K6:-$(command -v k6 || true)}
peers=()
if part peers; then
    for peer in h2load oha k6; do
        case $peer in h2load) program=$H2LOAD ;; oha) program=$OHA ;; k6) program=$K6 ;; esac
        [ -x "$program" ] || { echo "$peer is not installed: left out"; continue; }
        if peer_run $peer 1 1 1 >"$dir/$peer.start"; then peers+=($peer); else echo "$peer does not run here: left out"; fi
    done
fi
peer() { # PEER: us a token, less its start
    local spent; spent=$(peer_run "$1" 600 200 40)
    [ "$(peer_said "$1")" = 600 ] || { echo "$1: $(peer_said "$1") of 600 answers were whole" >&2; return 0; }
    awk -v all="$spent" -v start="$(cat "$dir/$1.start")" 'BEGIN {printf "%.3f\n", (all - start) * 1e6 / (600 * 40)}' >>"$dir/peer.$1"
}

# ---- the rounds ----

for _ in $(seq "$rounds"); do
    for n in 200 1000; do
        part paced || break
        paced "plain.$n" "$bin" $n --url "http://127.0.0.1:$(port clear)/$path"
        paced "tls.$n" "$bin" $n --url "https://127.0.0.1:$(port tls)/$path" --insecure
        paced "http2.$n" "$bin" $n --url "https://127.0.0.1:$(port tls)/$path" --insecure --http2
        [ -z "${OLD:-}" ] || paced "old.$n" "$OLD" $n --url "https://127.0.0.1:$(port tls)/$path" --insecure --http2
    done
    if part flat; then
        for n in 64 256; do
            flat=(--slots $n --tokens 128 --duration 3s --warmup 1s --url "https://127.0.0.1:$(port flat)/$path" --insecure --http2)
            engine flat.$n "$bin" "${flat[@]}"
            [ -z "${OLD:-}" ] || engine flat-old.$n "$OLD" "${flat[@]}"
        done
    fi
    if part open; then
        engine open "$bin" --rate 1000 --constant --slots 4000 --tokens 5 --duration 5s --warmup 1s --url "https://127.0.0.1:$(port once)/$path" --insecure
    fi
    for peer in "${peers[@]}"; do peer "$peer"; done
done

# ---- what came of them ----

median() { sort -g | awk '{v[NR] = $1} END {print v[int((NR + 1) / 2)]}'; }
of() { jq "$2" "$dir/$1" | median; } # NAME FIELD
ratio() { # NAME BASE: the median of the rounds' own ratios
    paste <(jq .cpu_us_per_token "$dir/$1") <(jq .cpu_us_per_token "$dir/$2") | awk '{print $1 / $2}' | median
}
row() { # NAME LABEL BASE
    [ -s "$dir/$1" ] || return 0
    printf '%-34s %9.3f %8.2f %10.0f %9.0f %9.0f %9.0f %8.2f %9.3f %6.0f\n' "$2" "$(of "$1" .cpu_us_per_token)" "$(ratio "$1" "$3")" "$(of "$1" .tokens_per_s)" \
        "$(of "$1" .itl.p50)" "$(of "$1" .itl.p99)" "$(of "$1" .lag.p99)" "$(of "$1" '.counters.events / .counters.reads')" \
        "$(of "$1" '.counters.wakes / .counters.events')" "$(of "$1" '.cpu_us_per_token * .tokens_per_s / 1e4')"
}
printf '%-34s %9s %8s %10s %9s %9s %9s %8s %9s %6s\n' "" "us/token" "x plain" "token/s" "gap p50" "gap p99" "lag p99" "tok/read" "wakes/tok" "busy %"
for n in 200 1000; do
    part paced || break
    row "plain.$n" "$n streams, HTTP/1.1, clear" "plain.$n"
    row "tls.$n" "$n streams, HTTP/1.1, TLS" "plain.$n"
    row "http2.$n" "$n streams, HTTP/2, TLS" "plain.$n"
    row "old.$n" "$n streams, HTTP/2, TLS, older" "plain.$n"
    printf '    HTTP/2 / HTTP/1.1 over TLS %.2f' "$(ratio "http2.$n" "tls.$n")"
    [ -z "${OLD:-}" ] || printf ', / the older build %.2f' "$(ratio "http2.$n" "old.$n")"
    echo
done
for peer in "${peers[@]}"; do
    [ -s "$dir/peer.$peer" ] || continue
    printf '%-34s %9.2f\n' "200 streams, HTTP/2, TLS, $peer" "$(median <"$dir/peer.$peer")"
done
for n in 64 256; do
    row flat.$n "flat out, $n streams, HTTP/2, TLS" flat.$n
    [ -s "$dir/flat-old.$n" ] || continue
    row flat-old.$n "flat out, $n streams, HTTP/2, TLS, older" flat.$n
    printf '    token/s a core: %.2f times the older build'\''s\n' "$(ratio flat-old.$n flat.$n)"
done
if part open; then
    jq -s 'map({made: (.counters.connections / .counters.due), ok: (.counters.ok / .counters.due), late: .lateness.p99, lag: .lag.p99, cpu: (.cpu_us_per_token * 5)})
        | def mid(f): map(f) | sort | .[((length - 1) / 2 | floor)];
        "open loop, 1,000/s over TLS: \(mid(.made) * 100 | round / 100) connections a request, ok \(mid(.ok)), late p99 \(mid(.late)) us, lag p99 \(mid(.lag)) us, \(mid(.cpu) | round) us a request"' -r "$dir/open"
fi
kill "${sims[@]}"; wait "${sims[@]}" 2>/dev/null || true; sims=()
export SIM_FLAGS="${secure[*]}" SCHEME=https
if part truth; then
    echo "times against those emitted, HTTP/1.1 over TLS, then HTTP/2 over TLS:"
    FLAGS=--insecure ROUNDS=$(((rounds + 1) / 2)) bash "$here/timing.sh" "$bin" 200
    FLAGS="--insecure --http2" ROUNDS=$(((rounds + 1) / 2)) bash "$here/timing.sh" "$bin" 200 | tail -1
fi
if part memory; then
    echo "memory over HTTP/2 with TLS:"
    bash "$here/streams.sh" "$bin" 5000 --http2 --insecure
fi

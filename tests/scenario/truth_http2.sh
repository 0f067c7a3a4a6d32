# Over TLS and HTTP/2, against the simulator itself: measured is what was emitted, streams share connections, each read has its kernel stamp, and a
# server that allows few streams, or that ends its connections after a few answers, costs no request.
. "$(dirname "$0")/lib.sh"
make_ca ca; make_cert ca server
WORK='workload: {synthetic: {input_tokens: 16, output_tokens: 32}}'
counter() { sqlite3 "$OUT/run.sqlite" "SELECT coalesce(sum(value), 0) FROM stage_counter WHERE agent = -1 AND counter = '$1'"; }
# front tls|clear SIM-OPTIONS
front() {
    local how=$1; shift
    [ -n "${SIM_PID:-}" ] && { kill "$SIM_PID"; wait "$SIM_PID"; } 2>/dev/null
    rm -f "$TMP/truth.jsonl"
    [ "$how" = clear ] || set -- --tls-cert "$TMP/server.crt" --tls-key "$TMP/server.key" "$@"
    sim --http2 --truth "$TMP/truth.jsonl" --truth-tokens "$@"
}
# try tls|clear HTTP STREAMS LOAD
try() {
    local tls=", tls: {ca_file: $TMP/ca.crt}" scheme=https streams=", streams_per_connection: $3"
    [ "$1" = tls ] || { tls=; scheme=http; }
    [ "$2" != 1.1 ] || streams=
    plan "target: {url: \"$scheme://127.0.0.1:$SIM_PORT/v1/chat/completions\", model: sim, http: \"$2\"$streams$tls}" "$WORK" "load: {$4}"
    plateau_run --local 1
}
once() { # tls|clear HTTP CONNECTIONS
    front "$1" --ttft 100ms --tpot 20ms
    try "$1" "$2" 10 'concurrency: [40], duration: 3s, warmup: 1s'
    expect '.points[0].ledger | .ok == .due and .ok > 0' "$1, $2: every request ended ok"
    expect_ledger
    echo "   connections $(counter connections), reads $(counter reads), unstamped $(counter unstamped), events $(counter events)"
    [ "$(counter connections)" = "$3" ] && ok "$1, $2: $3 connections" || fail "$1, $2: $(counter connections) connections instead of $3"
    [ $(($(counter unstamped) * 20)) -le "$(counter reads)" ] && ok "$1, $2: reads have stamps" || fail "$1, $2: $(counter unstamped) of $(counter reads) reads have no stamp"
    judge_truth
}
for kind in "tls 1.1 40" "tls 2 4" "tls auto 4" "clear 2 4"; do
    expect_truth "$kind" once $kind
done
front tls --ttft 10ms --tpot 2ms --max-streams 3
try tls 2 100 'concurrency: [12], duration: 1s'
expect '.points[0].ledger | .ok == .due and .ok > 0' 'few streams: every request ended ok'
[ "$(counter connections)" = 4 ] && ok 'few streams: as many connections as they need' || fail "few streams: $(counter connections) connections instead of 4"
front tls --ttft 10ms --tpot 2ms --close-after 7
try tls 2 100 'concurrency: [12], duration: 1s'
expect '.points[0].ledger | .ok == .due and .ok > 0' 'GOAWAY after every 7 answers: every request ended ok'
front tls --ttft 10ms --tpot 2ms
try tls 1.1 1 'concurrency: [4], duration: 1s'
expect_carried
finish

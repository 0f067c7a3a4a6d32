# HTTP/2 through a real server (nginx before the simulator), over TLS and in the clear with prior knowledge: measured is what was emitted, there are no more
# streams on a connection than the plan allows, each read has its kernel stamp, and streams that break end under their label.
. "$(dirname "$0")/lib.sh"
need_nginx
make_ca ca; make_cert ca server
tls() { echo "127.0.0.1:PORT ssl $1; ssl_certificate $TMP/server.crt; ssl_certificate_key $TMP/server.key;"; }
WORK='workload: {synthetic: {input_tokens: 16, output_tokens: 32}}'

# front SIM-OPTIONS: a simulator, and nginx with HTTP/2 over TLS, in the clear, over TLS without HTTP/2, with few requests a connection, with few streams
front() {
    [ -n "${NGINX_PID:-}" ] && { kill "$NGINX_PID" $SIM_PID; wait "$NGINX_PID" $SIM_PID; rm -rf "$TMP/nginx" "$TMP/truth.jsonl"; } 2>/dev/null
    sim --truth "$TMP/truth.jsonl" --truth-tokens "$@"
    nginx_front "$(tls http2)" "127.0.0.1:PORT http2;" "$(tls '')" "$(tls http2) keepalive_requests 20;" "$(tls http2) http2_max_concurrent_streams 10;"
}
# try PORT SCHEME STREAMS LOAD
try() {
    plan "target: {url: \"$2://127.0.0.1:$1/v1/chat/completions\", model: sim, http: \"2\", streams_per_connection: $3, tls: {ca_file: $TMP/ca.crt}}" "$WORK" "load: {$4}"
    [ "$2" = https ] || sed -i 's/, tls: {[^}]*}//' "$TMP/plan.yaml"
    plateau_run --local 1
}
counter() { sqlite3 "$OUT/run.sqlite" "SELECT coalesce(sum(value), 0) FROM stage_counter WHERE agent = -1 AND counter = '$1'"; }
connections() { awk '{print $1}' "$TMP/nginx/access.log" | sort -u | wc -l; }

once() { # SCHEME PORT-INDEX
    front --ttft 100ms --tpot 20ms
    try "${NGINX_PORTS[$2]}" "$1" 10 'concurrency: [40], duration: 4s, warmup: 2s'
    expect '.points[0].ledger | .ok == .due and .ok > 0' "$1: every request ended ok"
    expect_ledger
    awk '$4 != "HTTP/2.0"' "$TMP/nginx/access.log" | found . && fail "$1: not all was HTTP/2"
    echo "   connections $(counter connections), reads $(counter reads), unstamped $(counter unstamped), events $(counter events)"
    local most
    # nginx names those that carried requests; where a stream ends late, one more is made and may stay without
    [ "$(connections)" -le "$(counter connections)" ] && ok "$1: the connections that nginx served are counted" || fail "$1: $(counter connections) connections, nginx says $(connections)"
    [ "$(connections)" -ge 4 ] && [ "$(counter connections)" -le 8 ] && ok "$1: 40 requests at 10 a connection" || fail "$1: $(counter connections) connections for 40 requests at 10 each, $(connections) of them used"
    [ $(($(counter unstamped) * 20)) -le "$(counter reads)" ] && ok "$1: reads have stamps" || fail "$1: $(counter unstamped) of $(counter reads) reads have no stamp"
    judge_truth
}
kinds=("https 0")
front --ttft 20ms --tpot 2ms
try "${NGINX_PORTS[1]}" http 10 'concurrency: [4], duration: 1s'
kinds+=("http 1")
for kind in "${kinds[@]}"; do
    expect_truth "HTTP/2, ${kind% *}" once $kind
done

front --ttft 20ms --tpot 2ms
try "${NGINX_PORTS[2]}" https 10 'concurrency: [4], duration: 2s'
expect_status 2
cat "$TMP/err.log" "$TMP/out.log" >"$TMP/all.log"
expect_text all.log 'does not speak HTTP/2' 'a server that chooses HTTP/1.1 is refused'

try "${NGINX_PORTS[3]}" https 4 'concurrency: [1], duration: 2s, warmup: 200ms'
expect '.points[0].ledger | .ok == .due and .ok > 20' 'GOAWAY: connections that the server ends harm no request'
[ "$(connections)" -gt 1 ] && ok "GOAWAY: $(connections) connections" || fail 'GOAWAY: one connection only'

try "${NGINX_PORTS[3]}" https 25 'concurrency: [50], requests: 500'
expect '.points[0].ledger | .ok == .due and .ok == 500' 'GOAWAY: nor with 50 requests in flight'
[ "$(connections)" -ge 25 ] && [ "$(connections)" -le 75 ] && ok "GOAWAY: $(connections) connections for 500 requests of 20 each" || fail "GOAWAY: $(connections) connections for 500 requests of 20 each"

try "${NGINX_PORTS[4]}" https 100 'concurrency: [40], requests: 200'
expect '.points[0].ledger | .ok == .due and .ok == 200' 'few streams: all requests end ok'
# A stream whose end comes long after its end marker is still one of the ten when its slot has its next request: a sanitizer's programs see many ends late.
most=4; if sanitized; then most=8; fi
[ "$(counter connections)" -ge 4 ] && [ "$(counter connections)" -le $most ] && ok "few streams: $(counter connections) connections for 40 requests" ||
    fail "few streams: $(counter connections) connections for 40 requests at 10 each"
expect '[.events[] | select(.kind == "connections") | .text] == ["the server allows 10 streams a connection, target.streams_per_connection is 100: 4 connections are used at stage 1"]' 'few streams: the report says so'
sed -i 's/http: "2"/http: auto/' "$TMP/plan.yaml"; plateau_run --local 1
expect '[.events[] | select(.kind == "connections") | .text] | any(. == "HTTP/2 is spoken (target.http: auto)")' 'auto: the report says what was chosen'

front --ttft 20ms --tpot 2ms --fault-truncate --fault-rate 0.3 --seed 3
try "${NGINX_PORTS[0]}" https 10 'concurrency: [8], duration: 2s, warmup: 200ms'
expect '.points[0].ledger | .ok > 0 and ((.failed.reset // 0) + (.failed.truncated // 0)) > 0 and .due == .ok + (.failed.reset // 0) + (.failed.truncated // 0) + .aborted' \
    'RST_STREAM: broken streams are reset or truncated, their neighbours live'
expect_ledger
finish

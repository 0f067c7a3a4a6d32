# TLS through a real server (nginx before the simulator): a certificate of an authority of our own is accepted by its file and refused without, by a
# sentence that says why; verify: false takes any; a client certificate is sent. What is measured is what was emitted, the
# authority's file is not read once for each connection, and sessions are taken up again.
. "$(dirname "$0")/lib.sh"
need_nginx
make_ca ca; make_ca other
make_cert ca server; make_cert ca client; make_cert ca elsewhere DNS:elsewhere.invalid

sim --ttft 50ms --tpot 5ms --truth "$TMP/truth.jsonl" --truth-tokens
tls() { echo "127.0.0.1:PORT ssl; ssl_certificate $TMP/$1.crt; ssl_certificate_key $TMP/$1.key;"; }
nginx_front "$(tls server)" "$(tls server) ssl_client_certificate $TMP/ca.crt; ssl_verify_client on;" "$(tls elsewhere)"
PLAIN=${NGINX_PORTS[0]} CLIENT=${NGINX_PORTS[1]} ELSEWHERE=${NGINX_PORTS[2]}

# try PORT TLS-KEYS [LOAD]
try() {
    plan "target: {url: \"https://127.0.0.1:$1/v1/chat/completions\", model: sim, tls: {$2}}" 'workload: {synthetic: {input_tokens: 16, output_tokens: 16}}' \
        "${3:-load: {concurrency: [4], duration: 2s, warmup: 500ms\}}"
    plateau_run --local 1
}
all_ok() { expect '.points | length > 0 and all(.ledger | .ok == .due and .ok > 0)' "$1: every request ended ok"; expect_ledger; }
refused() {
    [ "$STATUS" != 0 ] && ok "$1: exit status $STATUS" || fail "$1: exit status 0"
    cat "$TMP/err.log" "$TMP/out.log" >"$TMP/all.log"
    expect_text all.log "$2" "$1: the message says why: $2"
}

try "$PLAIN" "verify: true"
refused 'an authority nobody knows' '127.0.0.1:[0-9]+.*certificate.*ca_file'
try "$PLAIN" "ca_file: $TMP/other.crt"
refused 'the wrong authority' '127.0.0.1:[0-9]+.*certificate.*ca_file'
try "$PLAIN" "ca_file: $TMP/absent.crt"
refused 'no such file' 'absent.crt'
try "$ELSEWHERE" "ca_file: $TMP/ca.crt"
refused 'a certificate of another host' 'elsewhere.invalid|subject name'
try "$CLIENT" "ca_file: $TMP/ca.crt, cert_file: $TMP/client.crt, key_file: $TMP/other.key"
refused 'a key of another certificate' 'key'
try "$SIM_PORT" "verify: false"
refused 'a server that speaks no TLS' 'TLS|SSL'
[ ! -s "$TMP/nginx/access.log" ] && ok 'none of these sent a request' || fail "requests were sent: $(cat "$TMP/nginx/access.log")"

try "$PLAIN" "verify: false"
all_ok 'verify: false'
try "$CLIENT" "ca_file: $TMP/ca.crt"
expect '.points[0].ledger | .ok == 0 and .failed.http_4xx == .due - .cancelled - .aborted' 'no client certificate: nginx says 400'
try "$CLIENT" "ca_file: $TMP/ca.crt, cert_file: $TMP/client.crt, key_file: $TMP/client.key"
all_ok 'with a client certificate'

# front SIM-OPTIONS: another simulator, and another nginx before it
front() {
    kill "$NGINX_PID"; wait "$NGINX_PID" 2>/dev/null; rm -rf "$TMP/nginx" "$TMP/truth.jsonl"
    sim "$@"
    nginx_front "$(tls server)"
}
# 40 connections: measured is what was emitted, and the file of authorities is read a few times only
measured() {
    front --ttft 100ms --tpot 20ms --truth "$TMP/truth.jsonl" --truth-tokens
    plan "target: {url: \"https://127.0.0.1:${NGINX_PORTS[0]}/v1/chat/completions\", model: sim, tls: {ca_file: $TMP/ca.crt}}" \
        'workload: {synthetic: {input_tokens: 16, output_tokens: 32}}' 'load: {concurrency: [40], duration: 4s, warmup: 2s}'
    plateau_run --local 1
    all_ok '40 connections'
    judge_truth
}
expect_truth TLS measured
expect '.points[0].tls_ms.count == 40' 'a handshake for each connection, in the metric tls'
if command -v strace >/dev/null; then
    rm -rf "$OUT"
    strace -f -s 256 --seccomp-bpf -e trace=openat -o "$TMP/strace" "$BIN/plateau" run "$TMP/plan.yaml" --out "$OUT" --local 1 --set load.duration=1s --set load.warmup=100ms >/dev/null 2>&1
    reads=$(grep -c "$TMP/ca.crt" "$TMP/strace")
    [ "$reads" -gt 0 ] && [ "$reads" -lt 10 ] && ok "the authorities were read $reads times" || fail "the authorities were read $reads times for 40 connections"
fi
# a new connection for each request takes up the session of one before it
front --ttft 5ms --tpot 1ms
plan "target: {url: \"https://127.0.0.1:${NGINX_PORTS[0]}/v1/chat/completions\", model: sim, tls: {ca_file: $TMP/ca.crt}, connections: fresh}" \
    'workload: {synthetic: {input_tokens: 16, output_tokens: 2}}' 'load: {stages: [{concurrency: 4, requests: 40, warmup: 0s}]}'
plateau_run --local 1
all_ok 'fresh connections'
resumed=$(awk '$2 == 1 && $7 == "r"' "$TMP/nginx/access.log" | wc -l)
[ "$resumed" -ge 30 ] && ok "$resumed of 40 sessions were taken up again" || fail "$resumed of 40 sessions were taken up again"
finish

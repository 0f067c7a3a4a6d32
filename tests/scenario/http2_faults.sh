# What HTTP/2 servers do besides answering, by the simulator's switches, over TLS: connections that end under open streams or are renewed, SETTINGS that come
# late, few streams, large heads, streams that end with RST_STREAM, a reason for each reset, answers that come before the prompt is sent.
. "$(dirname "$0")/lib.sh"
make_ca ca; make_cert ca server
WORK='workload: {synthetic: {input_tokens: 16, output_tokens: 8}}'
# try SIM-OPTIONS -- STREAMS LOAD [WORKLOAD]
try() {
    local options=()
    while [ "$1" != -- ]; do options+=("$1"); shift; done
    shift
    sim --http2 --tls-cert "$TMP/server.crt" --tls-key "$TMP/server.key" --ttft 30ms --tpot 5ms --truth "$TMP/truth.jsonl" "${options[@]}"
    plan "target: {url: \"https://127.0.0.1:$SIM_PORT/v1/chat/completions\", model: sim, http: \"2\", streams_per_connection: $1, tls: {ca_file: $TMP/ca.crt}, timeouts: {idle: 10s, first_token: 10s}}" \
        "${3:-$WORK}" "load: {$2}"
    plateau_run --local 1
    kill -INT "$SIM_PID"; wait "$SIM_PID" 2>/dev/null
}
counter() { sqlite3 "$OUT/run.sqlite" "SELECT coalesce(sum(value), 0) FROM stage_counter WHERE agent = -1 AND counter = '$1'"; }
all_ok() { expect '.points[0].ledger | .ok == .due and .ok == '"$1" "$2"; expect_ledger; }

try --drop-after 3 -- 8 'concurrency: [16], requests: 200'
expect '.points[0].ledger | .due == .ok + (.failed.reset // 0) + (.failed.truncated // 0) and .ok >= 60 and .ok < 200' 'close_notify under open streams: each of them is told at once'
expect '.points[0].ledger | (.failed.timeout_idle // 0) + (.failed.timeout_first_token // 0) == 0' 'close_notify under open streams: none waits for a timeout'
expect_ledger

for i in 1 2 3; do # whether a request crosses a GOAWAY on the way is chance
    try --close-after 10 -- 25 'concurrency: [50], requests: 400'
    [ "$(counter not_processed)" = 0 ] || break
done
all_ok 400 'GOAWAY: what was not looked at is sent again'
[ "$(counter not_processed)" -gt 0 ] && ok "GOAWAY: $(counter not_processed) sent again" || fail 'GOAWAY: none was sent again, so nothing was tried'
[ "$(grep -c '"end": *"done"' "$TMP/truth.jsonl")" = 400 ] && ok 'GOAWAY: the server answered 400' || fail "GOAWAY: the server answered $(grep -c '"end": *"done"' "$TMP/truth.jsonl") of 400"

try --max-streams 5 --late-settings 300ms -- 100 'concurrency: [40], requests: 200'
all_ok 200 'late SETTINGS, few streams: no request is refused'
[ "$(counter connections)" = 8 ] && ok 'few streams: 8 connections for 40 requests at 5 each' || fail "few streams: $(counter connections) connections for 40 requests at 5 each"

try --head-bytes 40000 -- 10 'concurrency: [10], requests: 60'
all_ok 60 'a head of 40 KB, in CONTINUATION'

try --reset-end -- 10 'concurrency: [10], requests: 100'
all_ok 100 'RST_STREAM in place of the end'

for code in '7 REFUSED_STREAM' '11 ENHANCE_YOUR_CALM' '13 HTTP_1_1_REQUIRED' '2 INTERNAL_ERROR'; do
    try --fault-reset --fault-rate 0.3 --seed 5 --reset-code "${code% *}" -- 10 'concurrency: [5], requests: 40'
    expect '.points[0].ledger | .due == .ok + (.failed.reset // 0) and (.failed.reset // 0) > 0' "RST_STREAM ${code#* }: reset"
    expect '[.. | strings] | any(test("'"${code#* }"'"))' "RST_STREAM ${code#* }: the summary says which"
done

try --answer-early -- 4 'concurrency: [4], requests: 12' 'workload: {synthetic: {input_tokens: 200000, output_tokens: 8}}'
expect '.points[0].ledger | .failed.http_4xx == .due and .due == 12' 'an answer before the prompt is sent ends its request at once'
expect_ledger
finish

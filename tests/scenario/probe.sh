# One request before a run: what plateau probe says of twenty targets that a plan does not mean; that a run ends there with status 1 and the
# server's own words, the key cut out; that a good target is shown in figures; that the request is in no ledger, with several agents and a resumed run too.
. "$(dirname "$0")/lib.sh"
PROBE=
export PLATEAU_TEST_KEY=sk-secret-0123456789

mkfifo "$TMP/end"
python3 "$(dirname "$0")/wrong_servers.py" <"$TMP/end" >"$TMP/wrong.port" 2>"$TMP/wrong.log" &
STARTED+=("$!")
exec 9>"$TMP/end" # held open: the servers end when this script does
wait_until 5 test -s "$TMP/wrong.port" || { fail "the wrong servers did not start: $(cat "$TMP/wrong.log")"; finish; }
WRONG=http://127.0.0.1:$(cat "$TMP/wrong.port")

# said STATUS URL PATTERN…: the probe's status, and what it says of the target
said() {
    local want=$1 url=$2 pattern
    shift 2
    "$BIN/plateau" probe --url "$url" --model sim --key-env PLATEAU_TEST_KEY >"$TMP/said.log" 2>&1
    STATUS=$?
    echo "--- $url"
    sed 's/^/    /' "$TMP/said.log"
    ! grep -q 'plateau-agent:' "$TMP/said.log" || fail "$url: the agent that plateau started says again what plateau says"
    [ "$STATUS" = "$want" ] || fail "$url: exit status $STATUS, expected $want"
    for pattern in "$@"; do expect_text said.log "$pattern" "$url: $pattern"; done
    ! grep -q "$PLATEAU_TEST_KEY" "$TMP/said.log" || fail "$url: the key is shown"
}
said 0 "$WRONG/v1/chat/completions" 'status 200, text/event-stream, Server: wrong/1' '2 events with tokens' 'ended by its end marker; no usage'
said 1 "$WRONG/unauthorized" 'status 401.*Incorrect API key provided: \*\*\*' 'target.auth'
said 1 "$WRONG/forbidden" 'status 403.*no access to this model group' 'May this key use this model'
said 1 "$WRONG/bad" 'status 400.*use max_completion_tokens' 'target.body: .max_completion_tokens: N. is sent in place of max_tokens$'
said 1 "$WRONG/odd" 'status 400: .*The lever is stuck"}}$' # no guess after words that point at nothing
said 1 "$WRONG/unprocessable" 'status 422.*Extra inputs are not permitted' 'It is about stream_options of the body: target.omit'
said 1 "$WRONG/nomodel" 'status 404.*does not exist' 'target.model a name that this server has'
! grep -q 'on the same host' "$TMP/said.log" || fail 'a wrong model: other paths are tried'
said 1 "$WRONG/nomodel500" 'status 500.*not a valid model' 'target.model a name'
said 1 "$WRONG/page" 'is no stream of openai-chat: an? .*(HTML|web) page' 'target.url'
said 1 "$WRONG/page404" 'status 404' '/v1/chat/completions answers on the same host'
said 1 "$WRONG/whole" 'is no stream of openai-chat' 'target.stream: false'
said 1 "$WRONG/moved" 'status 301: write the address it points to into target.url: https://example.com/v1/chat/completions' 'it points to https://example.com/v1/chat/completions' '/v1/chat/completions answers on the same host'
said 1 "$WRONG/get" 'status 405'
said 1 "$WRONG/error200" 'status 200 and an error:.*invalid API key' 'target.auth'
said 1 "$WRONG/limited" 'limits: Retry-After: 7, x-ratelimit-remaining-requests: 0' 'status 429.* It wants a pause first .Retry-After: 7.$'
said 1 "$WRONG/loading" 'status 503.*Loading model' 'still loads its model'
said 1 "$WRONG/nodone" 'without the end marker' 'target.end: finish'
said 1 "$WRONG/nothing" 'ends well and is empty: does something between take its body away'
said 1 "$WRONG/breaks" 'status 200 and an error.*the engine died'
said 1 "$WRONG/gzip" 'Content-Encoding that nobody asked for .gzip.: switch compression off'
said 1 "$WRONG/ssh" 'is no HTTP server'
said 1 "$WRONG/closes" 'closes the connection without an answer: is TLS spoken there, and the URL https://'
said 1 "$WRONG/empty" 'holds no token: does the model stop at once'
said 1 "$WRONG/v1" 'status 404' "/v1/chat/completions answers on the same host, as openai-chat: target: {url: \"$WRONG/v1/chat/completions\"}"
said 1 "${WRONG/http:/https:}/v1" 'TLS handshake within the connect timeout: is TLS spoken there, or is it http://'
said 1 "http://127.0.0.1:$(free_port)" 'nothing listens at'
make_ca ca; make_cert ca server; make_cert ca old; # TLS where HTTP is spoken, HTTP where TLS is, and a certificate of yesterday
openssl x509 -req -days 0 -in "$TMP/old.csr" -CA "$TMP/ca.crt" -CAkey "$TMP/ca.key" -CAcreateserial -out "$TMP/old.crt" -extfile <(echo 'subjectAltName=IP:127.0.0.1') 2>/dev/null
sim --tls-cert "$TMP/server.crt" --tls-key "$TMP/server.key"
said 1 "http://127.0.0.1:$SIM_PORT" 'closes the connection without an answer: is TLS spoken there, and the URL https://'
said 2 "https://127.0.0.1:$SIM_PORT" 'is not accepted: .* .target.tls.ca_file names the authority to trust'
sim --tls-cert "$TMP/old.crt" --tls-key "$TMP/old.key"
sleep 1 # it ends in the second it was made
echo "{plan: 1, target: {url: 'https://127.0.0.1:$SIM_PORT', model: sim, tls: {ca_file: $TMP/ca.crt}}, load: {concurrency: 1, duration: 1s}}" >"$TMP/old.yaml"
"$BIN/plateau" probe "$TMP/old.yaml" >"$TMP/said.log" 2>&1
STATUS=$?
expect_status 2
expect_text said.log 'the certificate of 127.0.0.1:[0-9]+ is not accepted: certificate has expired .it was valid until 20[0-9-]+ [0-9:]+ UTC.'
sim
said 2 "https://127.0.0.1:$SIM_PORT" 'no TLS is spoken there: is it http://'
said 1 'http://no-such-host.invalid' 'no-such-host.invalid'

echo 'plan: 1' >"$TMP/slow.yaml"
echo "target: {url: '$WRONG/silent', model: sim, timeouts: {total: 1s}}" >>"$TMP/slow.yaml"
echo 'load: {concurrency: 1, duration: 1s}' >>"$TMP/slow.yaml"
"$BIN/plateau" probe "$TMP/slow.yaml" >"$TMP/said.log" 2>&1 && fail 'a silent server is good'
expect_text said.log 'takes the request and has not answered for 1(\.[0-9])? s: is it busy'
sed -i 's/total: 1s/first_token: 1s/' "$TMP/slow.yaml"
"$BIN/plateau" probe "$TMP/slow.yaml" >"$TMP/said.log" 2>&1 && fail 'a silent server is good'
expect_text said.log 'has not answered for 1(\.[0-9])? s \(target.timeouts.first_token\): is it busy'

# A run ends before its first stage.
plan "target: {url: '$WRONG/unauthorized', model: sim, auth: {bearer: {env: PLATEAU_TEST_KEY}}}" 'load: {concurrency: 1, duration: 1s}'
plateau_run --local 1
expect_status 1
expect_text err.log 'status 401: .*Incorrect API key provided: \*\*\*'
expect '.points | length == 0' 'no stage was begun'
grep -rq "$PLATEAU_TEST_KEY" "$OUT" "$TMP/err.log" "$TMP/out.log" && fail 'the key is in the run'
plateau_run --local 1 --no-probe
expect '.points[0].ledger.failed.http_4xx > 0' '--no-probe: the stage is run all the same'
# A doubt does not keep a run from its stages.
plan "target: {url: '$WRONG/loading', model: sim}" 'load: {concurrency: 1, duration: 1s}'
plateau_run --local 1
expect '.points[0].ledger.failed.http_5xx > 0' 'a server that is busy: the run begins'
expect '[.events[].kind] | index("probe_doubt") != null' 'and the doubt is in the report'

# A plan whose requests come from a file.
sim --ttft 10ms --tpot 2ms
echo '{"prompt": "x"}' >"$TMP/d.jsonl"
plan 'workload: {dataset: {file: d.jsonl, format: jsonl}}' 'load: {concurrency: 1, requests: 1}'
"$BIN/plateau" probe "$TMP/plan.yaml" >"$TMP/said.log" 2>&1 || fail "plateau probe with a data set: $? $(cat "$TMP/said.log")"
expect_text said.log 'status 200' 'a plan that reads a data set is probed'
kill "$SIM_PID"

# The request is in no ledger and no record.
sim --ttft 10ms --tpot 2ms --truth "$TMP/truth.jsonl"
plan 'workload: {synthetic: {input_tokens: 8, output_tokens: 4}}' 'load: {stages: [{concurrency: 3, requests: 30, duration: 20s}]}'
plateau_run --local 3
expect_carried
expect '.points[0].ledger | .due == 30 and .ok == 30' '30 requests, and the probe is none of them'
expect '[.events[] | select(.kind == "probe") | .text] | any(test("status 200"))' 'what came is in the report'
kill "$SIM_PID"
wait "$SIM_PID"
[ "$(wc -l <"$TMP/truth.jsonl")" = 30 ] && ok 'the endpoint counts 30' || fail "the endpoint counts $(wc -l <"$TMP/truth.jsonl")"
finish

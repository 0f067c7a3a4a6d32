# An HTTP proxy, a Unix socket, and other names than the URL's on the way to the target: requests arrive, what a proxy refuses is the proxy's and not the
# target's, its login is in no file, and no agent takes either way unless it is allowed to.
. "$(dirname "$0")/lib.sh"
make_ca ca; make_cert ca server DNS:llm.example.com
export PROXY_WORD=Pa55-of-the-proxy
mkfifo "$TMP/hold"

# proxy OPTIONS…: another proxy; sets PROXY, empties its log
proxy() {
    : >"$TMP/asked"; : >"$TMP/port"
    python3 "$(dirname "$0")/http_proxy.py" "$TMP/asked" "$@" <"$TMP/hold" >"$TMP/port" 2>"$TMP/proxy.log" &
    STARTED+=("$!")
    exec 9>"$TMP/hold"
    wait_until 20 test -s "$TMP/port" || { fail "the proxy did not start: $(cat "$TMP/proxy.log")"; exit 1; }
    PROXY=http://127.0.0.1:$(head -1 "$TMP/port")
}
# by TARGET-KEYS LOAD [OPTIONS]: a run
by() {
    local keys=$1 load=$2
    shift 2
    plan "target: {url: \"$URL\", model: sim, $keys}" 'workload: {synthetic: {input_tokens: 16, output_tokens: 8}}' "load: {stages: [{$load}]}"
    plateau_run --local 1 "$@"
}
all_ok() { expect '.points[0].ledger | .ok == .due and .due == 40' "$1: every request ended ok"; expect_ledger; }
asked() { grep -c "^$1" "$TMP/asked"; }
is() { [ "$2" = "$3" ] && ok "$1: $2" || fail "$1: $2, expected $3"; }
login='proxy_auth: {basic: {user: me, env: PROXY_WORD}}'
forty='concurrency: 4, requests: 40, warmup: 0s'

sim --ttft 5ms --tpot 1ms
PLAIN=$URL SIM_PLAIN=$SIM_PORT
proxy --login "me:$PROXY_WORD"
by "proxy: \"$PROXY\", $login, host: llm.example.com" "$forty"
all_ok 'http, by requests for the whole URL'
is 'the proxy got' "$(sort "$TMP/asked" | uniq -c | tr -s ' ')" " 40 POST $URL login host=llm.example.com"
expect '.points[0].addresses[0].address | startswith("proxy 127.0.0.1:")' 'the report says that the address is the proxy'"'"'s'
expect '[.points[].verdict.level] != []' 'there is a verdict'
grep -rqF -e "$PROXY_WORD" -e "$(printf 'me:%s' "$PROXY_WORD" | base64)" "$OUT" "$TMP/out.log" "$TMP/err.log" && fail 'the login is in a file' || ok 'the login is in no file'
by "proxy: \"$PROXY\", $login, connections: fresh" "$forty"
all_ok 'a new connection for each request'

# the server's own page takes the same way; its readings carry no login
proxy
by "proxy: \"$PROXY\", metrics_url: \"http://127.0.0.1:$SIM_PORT/metrics\"" 'concurrency: 4, duration: 2500ms, warmup: 500ms'
expect '[.points[].server | .name == "vllm" and .samples >= 1] | all and length == 1' 'metrics_url by the proxy: the page was read'
[ "$(asked "GET http://127.0.0.1:$SIM_PORT/metrics -")" -ge 2 ] && ok 'and the proxy was asked for it' || fail "the proxy was not asked for the page: $(sort "$TMP/asked" | uniq -c)"
NO_PROXY='*' no_proxy='*' by "proxy: \"$PROXY\", metrics_url: \"http://127.0.0.1:$SIM_PORT/metrics\"" 'concurrency: 4, requests: 8, warmup: 0s'
[ "$(asked GET)" -ge 4 ] && ok 'whatever the environment says' || fail "no_proxy was read: $(sort "$TMP/asked" | uniq -c)"
before=$(asked GET)
http_proxy=$PROXY by "metrics_url: \"http://127.0.0.1:$SIM_PORT/metrics\"" 'concurrency: 4, requests: 8, warmup: 0s'
is 'without target.proxy nobody asks a proxy' "$(asked GET)" "$before"
http_proxy=$PROXY by "proxy: environment, metrics_url: \"http://127.0.0.1:$SIM_PORT/metrics\"" 'concurrency: 4, requests: 8, warmup: 0s'
[ "$(asked GET)" -gt "$before" ] && ok 'the environment, where the plan says so' || fail 'the environment was not read'
proxy --login "me:$PROXY_WORD"
by "proxy: \"$PROXY\", $login, metrics_url: \"http://127.0.0.1:$SIM_PORT/metrics\"" 'concurrency: 4, requests: 8, warmup: 0s'
expect '[.events[] | select(.kind == "metrics_failed" and (.text | test("status 407: the proxy wants a login, which the coordinator does not have")))] | length == 1' 'a proxy with a login: said once'
expect '.points[0].ledger | .ok == 8' 'and the run is whole'
proxy 'status:502:Sad ways'
by "proxy: \"$PROXY\", metrics_url: \"https://127.0.0.1:$SIM_PORT/metrics\"" 'concurrency: 1, requests: 2, warmup: 0s'
expect '[.events[] | select(.kind == "metrics_failed" and (.text | test("by the proxy.*status 502")))] | length == 1' 'a proxy that makes no tunnel: said once'

# refusals
proxy --login "me:$PROXY_WORD"
by "proxy: \"$PROXY\"" "$forty"
expect '.points[0].ledger | .ok == 0 and .failed.proxy == .due' '407: failed as proxy'
expect '.points[0].first_failures[0] | .status == 407 and (.text | contains("Access denied"))' '407: in the words of the proxy'
proxy 'status:502:Sad ways'
by "proxy: \"$PROXY\", $login, http: \"2\"" "$forty"
expect_status 1
expect_text err.log 'proxy 127.0.0.1:[0-9]+, asked for a way to 127.0.0.1:[0-9]+, answers with status 502: Sad ways Basic \*\*\*' 'the proxy refuses: its words, without the login that it echoes'
is 'nothing but CONNECT was sent' "$(asked POST)" 0
by "proxy: \"http://127.0.0.1:$(free_port)\"" "$forty"
expect_status 1
expect_text err.log 'nothing listens at proxy 127.0.0.1:[0-9]+, or a firewall rejects it .connection refused' 'no proxy there'
by 'proxy: "http://no-such-proxy.invalid:3128"' "$forty"
expect_status 1
expect_text err.log 'target.proxy: no-such-proxy.invalid cannot be resolved' 'a proxy of no name'
proxy hang
by "proxy: \"$PROXY\", http: \"2\", timeouts: {connect: 1s}" "$forty"
expect_status 1
expect_text err.log 'proxy 127.0.0.1:[0-9]+ has not answered CONNECT 127.0.0.1:[0-9]+ within the connect timeout' 'a proxy that says nothing'

# environment: read where the plan says so, and only there
proxy
http_proxy=${PROXY/127/me:word@127} by 'proxy: environment' "$forty"
all_ok 'a proxy of the environment'
is 'with its login' "$(asked 'POST.* login')" 40
http_proxy=$PROXY NO_PROXY=localhost,127.0.0.0/8 by 'proxy: environment' "$forty"
all_ok 'no_proxy'
http_proxy=$PROXY HTTP_PROXY=$PROXY by 'connections: reuse' "$forty"
all_ok 'no word in the plan'
is 'the proxy was asked by none of these' "$(asked POST)" 40

# TLS through a tunnel
sim --ttft 5ms --tpot 1ms --tls-cert "$TMP/server.crt" --tls-key "$TMP/server.key" --http2
URL=${URL/http:/https:}
tls="tls: {ca_file: $TMP/ca.crt}"
for http in '"1.1"' '"2"'; do
    proxy --login "me:$PROXY_WORD"
    by "proxy: \"$PROXY\", $login, http: $http, sni: llm.example.com, $tls" "$forty"
    all_ok "https, HTTP $http, by tunnels"
    is 'no request was seen by the proxy' "$(grep -vc '^CONNECT 127.0.0.1:[0-9]* login' "$TMP/asked")" 0
done
LLM_API_KEY=k PROXY_PASSWORD=$PROXY_WORD "$BIN/plateau" probe "$(dirname "$0")/../../configs/behind-proxy.yaml" --set "target.url=$URL" --set "target.proxy=$PROXY" \
    --set 'target.proxy_auth={basic: {user: me, env: PROXY_PASSWORD}}' --set "target.tls.ca_file=$TMP/ca.crt" >"$TMP/said.log" 2>&1
STATUS=$?
expect_status 0
expect_text said.log 'proxy 127.0.0.1:[0-9]+, HTTP/1.1 over TLSv1.3: status 200' 'configs/behind-proxy.yaml'
by "proxy: \"$PROXY\", $login, $tls" "$forty"
expect_status 2
expect_text err.log 'certificate of 127.0.0.1:[0-9]+ by proxy 127.0.0.1:[0-9]+ is not accepted: no subject name in it is 127.0.0.1, the host of target.url' 'without sni: another name'
by "proxy: \"$PROXY\", $tls" "$forty"
expect_status 2
expect_text err.log 'answers with status 407 .proxy-authenticate: Basic realm="lab".: Access denied. Is target.proxy_auth there, and right\?' 'no login for a tunnel'
for how in 503:Busy hang; do # in a stage: connections that are made later
    proxy "late:12:$how"
    by "proxy: \"$PROXY\", sni: llm.example.com, connections: fresh, timeouts: {connect: 1s}, $tls" 'concurrency: 4, requests: 20, warmup: 0s'
    expect '.points[0].ledger | .ok > 0 and .failed.proxy > 0 and .ok + .failed.proxy == .due' "$how in a stage: failed as proxy"
    expect '.points[0].first_failures[0].text | test("answers with status 503: Busy|the proxy has not answered CONNECT")' "$how: in words about the proxy"
    expect_ledger
done
URL=$PLAIN

# a Unix socket
python3 "$(dirname "$0")/unix_relay.py" "$TMP/llm.sock" "$SIM_PLAIN" <"$TMP/hold" >"$TMP/relay" 2>&1 &
STARTED+=("$!")
wait_until 20 test -S "$TMP/llm.sock" || fail "no socket: $(cat "$TMP/relay")"
by "address: \"unix:$TMP/llm.sock\"" 'concurrency: 40, requests: 40, warmup: 0s'
all_ok 'a Unix socket, its queue too short for all at once'
expect '.points[0].addresses[0].address | startswith("unix:")' 'the report names the socket'
python3 -c 'import socket, sys; s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen(1); sys.stdin.read()' "$TMP/deaf.sock" <"$TMP/hold" &
STARTED+=("$!")
wait_until 20 test -S "$TMP/deaf.sock"
by "address: \"unix:$TMP/deaf.sock\", timeouts: {connect: 1s, first_token: 2s}" 'concurrency: 40, requests: 40, warmup: 0s'
case $STATUS in 1 | 3) ok "a socket that nobody takes connections from: exit status $STATUS" ;; *) expect_status 1 ;; esac
cat "$TMP/err.log" "$TMP/out.log" >"$TMP/all.log"
expect_text all.log 'queue (of connections )?is full' 'and why' # one worker may have got the queue's places, and goes on
by "address: \"unix:$TMP/absent.sock\"" "$forty"
expect_status 1
expect_text err.log 'no connection to unix:.*absent.sock: No such file' 'no socket there'

# the guard of an agent that the plan does not own
agent_refuses() { # TARGET-KEYS PATTERN AGENT-OPTIONS…
    local keys=$1 pattern=$2
    shift 2
    plan "target: {url: \"$URL\", model: sim, $keys}" "load: {stages: [{$forty}]}" 'agents: {count: 1, wait: 20s}'
    ENDPOINT=tcp://127.0.0.1:$(free_port)
    plateau_start --listen "$ENDPOINT"
    agent --name far "$@"
    plateau_wait
    expect_status 2
    expect_text err.log "$pattern" "the guard: $pattern"
}
agent_refuses "address: \"unix:$TMP/llm.sock\"" 'refuses the socket .*llm.sock: it is not allowed .--allow unix:'
agent_refuses 'proxy: "http://127.0.0.1:3128"' 'refuses the proxy http://127.0.0.1:3128: it is not among those allowed' --allow "${URL%/v1*}"
finish

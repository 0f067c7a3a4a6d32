# The guard: an agent's own limits, which no coordinator can change. Metadata addresses in every spelling, targets, networks, connections, rates,
# durations; redirects are not followed; a name is resolved once and stays what it was. The reason is in the run's report, exit status 2.
. "$(dirname "$0")/lib.sh"

sim --ttft 2ms --tpot 1ms
work='workload: {synthetic: {input_tokens: 16, output_tokens: 4}}'
load='load: {concurrency: 4, duration: 2s}'
one='agents: {count: 1, wait: 20s}'

refused() { # WORDS PATTERN
    expect_status 2
    expect_text err.log "$2" "$1: refused"
    expect ".events | map(.text) | any(test(\"$2\"))" "$1: the report says why"
}
for host in 169.254.169.254 2852039166 0xa9fea9fe 0251.0376.0251.0376 '[::ffff:169.254.169.254]' '[::ffff:a9fe:a9fe]' '[64:ff9b::a9fe:a9fe]' '[fe80::1]' 0 224.0.0.1; do
    plan "target: {url: \"http://$host/v1/chat/completions\", model: sim}" "$work" "$load"
    plateau_run --local 1
    refused "$host" 'the guard of this agent refuses the address'
    expect '.points | length == 0' "$host: no stage began"
done

# run_guarded AGENT-OPTIONS…: the plan with one agent of its own
run_guarded() {
    ENDPOINT=tcp://127.0.0.1:$(free_port)
    plateau_start --listen "$ENDPOINT"
    agent --name guarded --wait 20s "$@"
    plateau_wait
    wait "$AGENT_PID" 2>/dev/null
    AGENT_STATUS=$?
}
agent_ended() { [ "$AGENT_STATUS" = "$1" ] && ok "the agent ends with status $1" || { fail "the agent ends with status $AGENT_STATUS, expected $1"; show agent.log; }; }
plan "$work" "$load" "$one"
run_guarded --allow "http://127.0.0.1:$SIM_PORT" --allow 127.0.0.0/8 --max-connections 4 --max-duration 2s
expect_carried
agent_ended 0
expect_ledger
expect '.events | map(.text) | any(test("its guard allows http://127.0.0.1 in 1 network; at most 4 connections; stages of at most 2s"))' 'the report tells what the guard allows'
run_guarded --allow 'https://127.0.0.1'
refused 'another scheme' 'refuses the target http://127.0.0.1'
agent_ended 2
run_guarded --allow '*.example.com'
refused 'another host' 'not among those allowed'
run_guarded --allow 10.0.0.0/8
refused 'another network' 'refuses the address 127.0.0.1: it is in none of the allowed networks'
run_guarded --max-connections 3
refused 'connections' 'refuses 4 requests in flight: at most 3'
agent_ended 2
run_guarded --max-duration 1s
refused 'duration' 'refuses a stage of 2s: at most 1s'
plan "$work" 'load: {rate: 100, max_concurrency: 50, duration: 2s}' "$one"
run_guarded --max-requests-per-s 99
refused 'open rate' 'refuses 100 requests/s: at most 99'
run_guarded --max-requests-per-s 100
expect_carried # Poisson arrivals cluster: only the plan's rate counts
plan "$work" 'load: {concurrency: 8, duration: 20s}' "$one"
run_guarded --max-requests-per-s 50
refused 'closed rate' 'ended the stage: .* requests/s, at most 50'
expect_ledger
expect '.points | length == 1 and .[0].aborted and .[0].degraded' 'what was done until then is reported'
run_guarded --max-tokens-per-s 100
refused 'tokens' 'ended the stage: .* token/s, at most 100'
agent_ended 2
expect_ledger

# an agent that stays has refused this run and is there for the next one
ENDPOINT=tcp://127.0.0.1:$(free_port)
agent --name stays --stay --max-connections 4
plateau_start --listen "$ENDPOINT"
plateau_wait
refused 'by one that stays' 'refuses 8 requests in flight: at most 4'
plan "$work" "$load" "$one"
plateau_start --listen "$ENDPOINT"
plateau_wait
expect_carried
kill -TERM "$AGENT_PID"
wait "$AGENT_PID"
AGENT_STATUS=$?
agent_ended 143

# a server that sends agents elsewhere: 307 keeps the POST
cat >"$TMP/redirect.py" <<'PY'
import http.server, socketserver, sys, threading
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.server is canary:
            open(sys.argv[2], "a").write(self.path + "\n")
        where = "http://169.254.169.254/latest/meta-data" if self.path.startswith("/meta") else "http://127.0.0.1:%d/followed" % canary.server_address[1]
        self.send_response(307)
        self.send_header("Location", where)
        self.send_header("Content-Length", "0")
        self.end_headers()
    def log_message(self, *args):
        pass
class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
canary, front = Server(("127.0.0.1", 0), Handler), Server(("127.0.0.1", 0), Handler)
threading.Thread(target=canary.serve_forever, daemon=True).start()
open(sys.argv[1] + ".tmp", "w").write(str(front.server_address[1]))
import os; os.rename(sys.argv[1] + ".tmp", sys.argv[1])
front.serve_forever()
PY
python3 "$TMP/redirect.py" "$TMP/front" "$TMP/followed" &
STARTED+=("$!")
wait_until 5 test -s "$TMP/front"
for path in meta elsewhere; do
    plan "target: {url: \"http://127.0.0.1:$(cat "$TMP/front")/$path\", model: sim}" "$work" 'load: {concurrency: 1, requests: 5}'
    plateau_run --local 1
    expect '.points[0].ledger | .ok == 0 and .failed.http_3xx == .due and .due == 5' "redirect to $path: a failure, not a journey"
done
[ ! -e "$TMP/followed" ] && ok 'nobody followed the redirect' || fail "followed: $(cat "$TMP/followed")"

# a name that points elsewhere in the middle of a run
if [ "$(id -u)" != 0 ] || ! unshare -m true 2>/dev/null; then
    ok 'names: skipped, no private mounts here'
    finish
fi
python3 - "$SIM_PORT" "$TMP/stolen" <<'PY' &
import socket, sys
s = socket.create_server(("127.0.0.2", int(sys.argv[1])))
while True:
    c, peer = s.accept()
    open(sys.argv[2], "a").write(str(peer) + "\n")
    c.close()
PY
STARTED+=("$!")
echo '127.0.0.1 target.test' >"$TMP/hosts"
agent_with_hosts() {
    HOSTS=$TMP/hosts unshare -m sh -c 'mount --make-rprivate / && mount --bind "$HOSTS" /etc/hosts && exec "$@"' sh \
        "$BIN/plateau-agent" --connect "$ENDPOINT" "$@" >>"$TMP/agent.log" 2>&1 &
    AGENT_PID=$!
    STARTED+=("$AGENT_PID")
}
plan "target: {url: \"http://target.test:$SIM_PORT/v1/chat/completions\", model: sim, connections: fresh}" "$work" 'load: {concurrency: [2, 3], duration: 2s}' "$one"
ENDPOINT=tcp://127.0.0.1:$(free_port)
plateau_start --listen "$ENDPOINT"
agent_with_hosts --name resolver --wait 20s
wait_until 20 grep -q 'stage 1/2' "$TMP/err.log" || { fail 'the first stage did not begin'; show err.log; }
echo '127.0.0.2 target.test' >"$TMP/hosts"
plateau_wait
expect_carried
expect '[.points[].ledger | .ok == .due and .ok > 0] == [true, true]' 'the name was resolved once: both stages went to the first address'
[ ! -e "$TMP/stolen" ] && ok 'the second address saw nobody' || fail "the second address saw $(wc -l <"$TMP/stolen") connections"
# one forbidden address among good ones refuses the name
printf '127.0.0.1 target.test\n169.254.169.254 target.test\n' >"$TMP/hosts"
plateau_start --listen "$ENDPOINT"
agent_with_hosts --name resolver --wait 20s
plateau_wait
refused 'a name with a metadata address' 'refuses the address 169.254.169.254'
finish

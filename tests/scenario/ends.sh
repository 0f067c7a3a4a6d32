# How answers end. target.end: auto learns it at the first streams and says so; finish reasons are counted by reason.
. "$(dirname "$0")/lib.sh"
one() { jq -r ".points[0] | $1" "$OUT/summary.json"; }
ends_plan() { # LOAD [MORE]
    plan "target: {url: \"$URL\", model: sim, end: auto${2:-}}" 'workload: {synthetic: {input_tokens: 16, output_tokens: 12}}' "load: {$1}"
}

# A server with the marker: what lacks it is truncated, after the first streams.
sim --ttft 5ms --tpot 1ms
ends_plan 'concurrency: 2, requests: 40'
plateau_run --local 1
expect '.points[0].ledger | .due == 40 and .ok == 40' 'with the marker: all are ok'
expect '.points[0].evidence.counters | .ended_by_body == 0 and .ended_by_finish == 0'
expect '.points[0].finish == {"length": 40}' 'finish reasons by reason'
expect_text out.log 'Answers ended with the end marker of their API \(target.end: auto\)'
expect_text out.log 'Finish reasons: length 40'
kill -INT "$SIM_PID"

# One without it.
sim --ttft 5ms --tpot 1ms --fault-no-done
ends_plan 'concurrency: 2, requests: 40'
plateau_run --local 1
expect '.points[0].ledger | .due == 40 and .ok == 40' 'without the marker: all are ok'
expect '.points[0].evidence.counters.ended_by_body == 40'
expect_text out.log '40 of 40 answers ended without the end marker of their API, with their body'
kill -INT "$SIM_PID"

# Cuts stay failures: a marker is learnt, and some streams end without it, or in the middle.
sim --ttft 5ms --tpot 1ms --fault-truncate --fault-rate 0.3 --seed 3
ends_plan 'concurrency: 1, requests: 40'
plateau_run --local 1
expect '.points[0].ledger | .due == 40 and .ok < 40 and .ok + .failed.truncated == 40' 'cut streams are truncated'
kill -INT "$SIM_PID"

# A server that stops for all streams at once, for less than a verdict takes as standing still: no p99 shows it.
sim --ttft 5ms --tpot 5ms
plan 'workload: {synthetic: {input_tokens: 16, output_tokens: 600}}' 'load: {concurrency: 8, duration: 6s, warmup: 0s}'
plateau_start --local 1
wait_until 15 grep -q 'stage 1/' "$TMP/err.log"
sleep 1.3 # in the middle of the first answers, which take 3 s
kill -STOP "$SIM_PID"
sleep 1.3
kill -CONT "$SIM_PID"
plateau_wait
expect '.answer.stalls | .gaps >= 6 and .at_once and .longest_s > 1.2 and .usual_ms < 20' 'gaps inside answers are found'
expect_text out.log 'the streams and more stopped at once'
kill -INT "$SIM_PID"

# What headers say of limits stands with the first failure.
sim --ttft 5ms --tpot 1ms --fault-status 429 --retry-after 7 --fault-rate 0.5
ends_plan 'concurrency: 1, requests: 10'
plateau_run --local 1
expect '.failures[] | select(.label == "http_429") | .text | startswith("[retry-after: 7] ")' 'a 429 shows its Retry-After'
expect_text out.log "retry-after: 7"
kill -INT "$SIM_PID"

# A server of our own: MODE is an argument. held: the body stays open after the finish reason. filter: every fourth answer is ended by a filter, every third by a limit of
# the server.
cat >"$TMP/server.py" <<'END'
import http.server, json, sys, threading, time
mode, lock, count = sys.argv[1], threading.Lock(), 0
def chunk(content="", finish=None, usage=None):
    c = {"choices": [{"index": 0, "delta": {"content": content}, "finish_reason": finish}]}
    if usage: c["usage"] = usage
    return b"data: " + json.dumps(c).encode() + b"\n\n"
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def put(self, data):
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        self.wfile.flush()
    def do_POST(self):
        global count
        body = self.rfile.read(int(self.headers["Content-Length"]))
        with lock:
            count, k = count + 1, count
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        n = json.loads(body)["max_tokens"]
        if mode == "choices": return self.choices(n)
        short = mode == "filter" and (k % 4 == 0 or k % 3 == 0)
        why = "stop" if not short else "content_filter" if k % 4 == 0 else "length"
        if short: n //= 2
        for i in range(n):
            self.put(chunk("a"))
            time.sleep(0.002)
        self.put(chunk(finish=why, usage={"prompt_tokens": 4, "completion_tokens": n}))
        if mode == "held":
            time.sleep(20)
        else:
            self.put(b"data: [DONE]\n\n")
        self.wfile.write(b"0\r\n\r\n")
    def choices(self, n): # two answers at once, the second one's tokens between the first one's
        for i in range(n):
            for k in range(2):
                time.sleep(0.01)
                self.put(chunk("a", "length" if i == n - 1 else None).replace(b'"index": 0', b'"index": %d' % k))
        self.put(b"data: " + json.dumps({"choices": [], "usage": {"prompt_tokens": 4, "completion_tokens": 2 * n}}).encode() + b"\n\ndata: [DONE]\n\n")
        self.wfile.write(b"0\r\n\r\n")
    def log_message(self, *a): pass
class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
server = Server(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
server.serve_forever()
END
serve() { # MODE [ARGUMENT]
    rm -f "$TMP/own.port"
    python3 "$TMP/server.py" "$@" >"$TMP/own.port" 2>"$TMP/server.log" &
    SERVER_PID=$!
    STARTED+=("$SERVER_PID")
    wait_until 5 test -s "$TMP/own.port" || { fail 'no server'; exit 1; }
    URL=http://127.0.0.1:$(cat "$TMP/own.port")/v1/chat/completions
}

serve held
ends_plan 'concurrency: 2, requests: 12'
plateau_run --local 1
expect '.points[0].ledger | .due == 12 and .ok == 12' 'a body that is held open: all are ok'
expect '.points[0].evidence.counters.ended_by_finish == 12'
expect '.points[0].output_tokens.mean == 12' 'usage in the event with the finish reason is read'
expect_text out.log '12 of 12 answers ended without the end marker of their API, with their finish reason'
kill "$SERVER_PID"

serve filter
ends_plan 'concurrency: 1, requests: 24'
plateau_run --local 1
expect '.points[0].finish == {"content_filter": 6, "length": 6, "stop": 12}' 'finish reasons: stop, length and content_filter apart'
expect '.points[0].evidence.counters.short_by_length == 6'
expect_text out.log '6 of 24 answers were ended by a content filter'
expect_text out.log '6 of 24 answers reached a limit of tokens before the one that was asked for'
kill "$SERVER_PID"

serve choices
ends_plan 'concurrency: 1, requests: 6' ', body: {n: 2}'
plateau_run --local 1
expect '.points[0].ledger | .due == 6 and .ok == 6' 'two answers to a request: all are ok'
expect '.points[0] | .output_tokens.mean == 24 and .ttft_ms.count == 6 and .finish == {"length": 6}' 'tokens of both, one time to the first'
expect '.points[0] | .tpot_ms.p50 > 15 and .itl_ms.p50 > 15' 'the pace is that of one answer, 20 ms a token, and not 10'
expect '.points[0].evidence.counters.short_requests == 0'
kill "$SERVER_PID"

finish

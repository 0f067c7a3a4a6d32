# A proxy that buffers is told of, and is not where there is none. Judges times, and runs alone.
. "$(dirname "$0")/lib.sh"

# Passes on what the simulator sends, in lumps of a tenth of a second.
cat >"$TMP/relay.py" <<'END'
import http.server, socket, sys, time
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def put(self, data):
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        self.wfile.flush()
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        s = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
        s.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        f = s.makefile("rb")
        while f.readline().strip(): pass
        held, since = b"", time.monotonic()
        while size := int(f.readline().strip() or b"0", 16):
            held += f.read(size)
            f.readline()
            if time.monotonic() - since > 0.1:
                self.put(held)
                held, since = b"", time.monotonic()
        if held: self.put(held)
        self.wfile.write(b"0\r\n\r\n")
        s.close()
    def log_message(self, *a): pass
class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
server = Server(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
server.serve_forever()
END

# Ten milliseconds a token, with and without a proxy that sends them in lumps.
sim --ttft 20ms --tpot 10ms
buffered() { jq -r '.points[0].evidence.counters | .gathered / .events' "$OUT/summary.json"; }
lumps() { jq -r '.points[0].evidence.counters | (.gathered + .blurred) / .events' "$OUT/summary.json"; } # a busy agent reads some of them late
plan 'workload: {synthetic: {input_tokens: 16, output_tokens: 60}}' 'load: {concurrency: 2, requests: 8}'
plateau_run --local 1
awk -v x="$(buffered)" 'BEGIN { exit !(x < 0.1) }' && ok "no proxy: $(buffered) of the events came with another" || fail "no proxy: $(buffered) of the events came with another"
grep -q 'a proxy buffers' "$TMP/out.log" && fail 'a proxy is named where none is'
python3 "$TMP/relay.py" "$SIM_PORT" >"$TMP/own.port" 2>"$TMP/server.log" &
STARTED+=("$!")
wait_until 5 test -s "$TMP/own.port" || { fail 'no proxy'; exit 1; }
URL=http://127.0.0.1:$(cat "$TMP/own.port")/v1/chat/completions
plan 'workload: {synthetic: {input_tokens: 16, output_tokens: 60}}' 'load: {concurrency: 2, requests: 8}'
plateau_run --local 1
expect '.points[0].ledger | .due == 8 and .ok == 8' 'behind the proxy: all are ok'
awk -v x="$(lumps)" 'BEGIN { exit !(x > 0.7) }' && ok "a proxy: $(lumps) of the events came with another" || fail "a proxy: $(lumps) of the events came with another"
expect_text out.log 'of the token events came in one read with the one before: a proxy buffers the stream'
finish

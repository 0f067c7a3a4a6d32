#!/usr/bin/env bash
# Guess:   `evalscope perf --rate 5` sends five requests a second, and a server that is too slow for that shows in the latencies.
# Instead: without `--open-loop` one request is in flight at a time (`--parallel` is 1): the others wait inside the client. The server gets less than one request a
#          second, the report says "Request Rate 5", and the latencies leave out the waits, which reach nine seconds here.
# So:      give `--open-loop` with `--rate`, and compare the report's throughput of requests with the rate that was asked for.
. "$(dirname "$0")/lib.sh"
pip_install 'evalscope[perf]==1.14.1'
cat >"$dir/server.py" <<'P'
import http.server, json, sys, time
class Server(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def log_message(self, *a):
        pass
    def put(self, b):
        self.wfile.write(b"%x\r\n%s\r\n" % (len(b), b))
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        print(time.monotonic(), flush=True)
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for i in range(10):
            time.sleep(0.1)
            choice = {"index": 0, "delta": {"content": "a"}, "finish_reason": "length" if i == 9 else None}
            self.put(("data: %s\n\n" % json.dumps({"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]})).encode())
        usage = {"prompt_tokens": 6, "completion_tokens": 10, "total_tokens": 16}
        self.put(("data: %s\n\ndata: [DONE]\n\n" % json.dumps({"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [], "usage": usage})).encode())
        self.wfile.write(b"0\r\n\r\n")
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Server).serve_forever()
P
for i in 1 2 3 4 5 6 7 8 9 10; do echo "question number $i"; done >"$dir/questions.txt"
run() { # NAME OPTIONS…: ten requests at 5/s, each answered in 1 s
  local name=$1 port
  shift
  port=$(free_port)
  background "$dir/$name.arrivals" python3 "$dir/server.py" "$port"
  wait_port "$port"
  (cd "$dir" && HF_HUB_OFFLINE=1 timeout 200 py/bin/evalscope perf --url "http://127.0.0.1:$port/v1/chat/completions" --model m --api openai --dataset line_by_line \
    --dataset-path questions.txt --number 10 --rate 5 --max-tokens 10 --no-test-connection --outputs-dir "$name" "$@") >"$dir/$name.log" 2>&1 || { tail -5 "$dir/$name.log" >&2; exit 1; }
  find "$dir/$name" -name benchmark_summary.json -exec cat {} +
  kill "${started[@]}" # this is a shell of its own, so that the clean-up at the end does not know its server
}
spread() { awk 'NR == 1 {a = $1} END {printf "%.1f", $1 - a}' "$dir/$1.arrivals"; }
yes_if() { awk "BEGIN {print ($1) ? \"yes\" : \"no\"}"; }
of() { "$dir/py/bin/python" -c 'import json, sys; print(json.loads(sys.argv[1])[sys.argv[2]])' "$1" "$2"; }
guess "the server gets ten requests within about 2 s"
s=$(run plain)
seen "--rate 5: the last request comes $(spread plain) s after the first; \"Req Throughput\" $(of "$s" "Req Throughput (req/s)")"
is "--rate 5: they come one after the other" "$(yes_if "$(spread plain) > 8.5")" yes
is "\"Request Rate\"" "$(of "$s" "Request Rate (req/s)")" 5.0
seen "\"Avg Latency\" $(of "$s" "Avg Latency (s)") s"
is "the latency leaves out the wait for a slot" "$(yes_if "$(of "$s" "Avg Latency (s)") < 1.5")" yes
s=$(run open --open-loop)
seen "--rate 5 --open-loop: the last request comes $(spread open) s after the first"
is "--open-loop: they come at the rate" "$(yes_if "$(spread open) < 3")" yes

#!/usr/bin/env bash
# Guess:   genai-bench reads a stream of server-sent events as it comes, however HTTP/1.1 frames its body.
# Instead: a body without `Transfer-Encoding: chunked`, which ends when the connection closes, is read to its end before the first line is looked at. The time to
#          first token is then that of the whole answer; no time per output token is left, and the run ends with "This should never happen".
# So:      compare its TTFT with its end-to-end latency before you believe it; a server or gateway that streams over HTTP/1.0 or closes instead of chunking cannot be
#          measured. A client of your own that reads lines with Python's requests and `chunk_size=None` does the same.
. "$(dirname "$0")/lib.sh"
pip_install genai-bench==0.0.5
cd "$dir" # it writes a log where it stands
export HF_HUB_OFFLINE=1
letter_tokenizer "$dir/tokenizer"
cat >"$dir/server.py" <<'P'
import http.server, json, sys, time
chunked = sys.argv[2] == "chunked"
class Server(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def log_message(self, *a):
        pass
    def event(self, **members):
        b = ("data: %s\n\n" % json.dumps({"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", **members})).encode()
        self.part(b)
    def part(self, b):
        self.wfile.write(b"%x\r\n%s\r\n" % (len(b), b) if chunked else b)
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header(*(("Transfer-Encoding", "chunked") if chunked else ("Connection", "close")))
        self.end_headers()
        time.sleep(0.2)
        for i in range(20):
            self.event(choices=[{"index": 0, "delta": {"content": "a"}, "finish_reason": None}])
            time.sleep(0.05)
        self.event(choices=[{"index": 0, "delta": {}, "finish_reason": "length"}])
        self.event(choices=[], usage={"prompt_tokens": 6, "completion_tokens": 20, "total_tokens": 26})
        self.part(b"data: [DONE]\n\n")
        if chunked:
            self.wfile.write(b"0\r\n\r\n")
        self.close_connection = not chunked
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Server).serve_forever()
P
bench() { # chunked|close: prints the mean time to first token in s, which is written whether or not the run ends well
  local port rc=0
  port=$(free_port)
  background "$dir/$1.server" python3 "$dir/server.py" "$port" "$1"
  wait_port "$port"
  timeout 200 "$dir/py/bin/genai-bench" benchmark --api-backend openai --api-base "http://127.0.0.1:$port" --api-key none --task text-to-text --api-model-name m \
    --model-tokenizer "$dir/tokenizer" --traffic-scenario 'D(20,20)' --num-concurrency 1 --max-requests-per-run 3 --max-time-per-run 1 --server-engine vLLM \
    --experiment-base-dir "$dir" --experiment-folder-name "$1" >"$dir/$1.log" 2>&1 || rc=$?
  echo $rc >"$dir/$1.rc"
  "$dir/py/bin/python" -c 'import json, glob, sys; print(json.load(open(glob.glob(sys.argv[1] + "/D20*.json")[0] if glob.glob(sys.argv[1] + "/D20*.json") else glob.glob(sys.argv[1] + "/debug_for_run*.json")[0]))["aggregated_metrics"]["stats"]["ttft"]["mean"])' "$dir/$1"
  kill "${started[@]}" # this is a shell of its own, so that the clean-up at the end does not know its server
}
guess "both servers, which make the first token after 0.2 s and the last after 1.2 s, have a TTFT of about 0.2 s"
ttft=$(bench chunked)
seen "chunked: TTFT $ttft s, exit status $(cat "$dir/chunked.rc")"
is "chunked: the first token's time" "$(awk "BEGIN {print ($ttft < 0.7) ? \"yes\" : \"no\"}")" yes
ttft=$(bench close)
seen "until the connection closes: TTFT $ttft s, exit status $(cat "$dir/close.rc")"
is "until the connection closes: the last token's time" "$(awk "BEGIN {print ($ttft > 1.1) ? \"yes\" : \"no\"}")" yes
is "exit status" "$(cat "$dir/close.rc")" 1
has "its words" "$(tr -d '│\n' <"$dir/close.log" | tr -s ' ')" "No values found for metric 'tpot'"

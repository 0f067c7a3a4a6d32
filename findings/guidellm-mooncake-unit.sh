#!/usr/bin/env bash
# Guess:   GuideLLM's `mooncake` reader takes the timestamps of a Mooncake trace as what they are, milliseconds.
# Instead: it takes them as seconds: two rows 3 ms apart are sent 3 s apart.
# So:      give `time_scale: 0.001`, for the published traces too; without it an hour of trace takes six weeks.
. "$(dirname "$0")/lib.sh"
pip_install guidellm==0.8.1
export HF_HUB_OFFLINE=1
for i in 0 1; do echo "{\"timestamp\": $((i * 3)), \"input_length\": 6, \"output_length\": 2, \"hash_ids\": [$i]}"; done >"$dir/trace.jsonl"
letter_tokenizer "$dir/tokenizer"
cat >"$dir/server.py" <<'P'
import http.server, json, sys, time
class Server(http.server.BaseHTTPRequestHandler):
    def log_message(self, *a):
        pass
    def answer(self, kind, body):
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.end_headers()
        self.wfile.write(body.encode())
    def do_GET(self):
        self.answer("application/json", json.dumps({"object": "list", "data": [{"id": "m", "object": "model"}]}))
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        print(time.monotonic(), flush=True)
        chunk = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m"}
        deltas = [({"role": "assistant", "content": "a"}, None), ({"content": "b"}, None), ({}, "length")]
        events = [{**chunk, "choices": [{"index": 0, "delta": d, "finish_reason": f}]} for d, f in deltas]
        events.append({**chunk, "choices": [], "usage": {"prompt_tokens": 6, "completion_tokens": 2, "total_tokens": 8}})
        self.answer("text/event-stream", "".join("data: %s\n\n" % json.dumps(e) for e in events) + "data: [DONE]\n\n")
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Server).serve_forever()
P
port=$(free_port)
background "$dir/arrivals" python3 "$dir/server.py" "$port"
wait_port "$port"
guess "the second request comes about 3 ms after the first"
(cd "$dir" && timeout 300 py/bin/guidellm run --backend "kind=openai_http,target=http://127.0.0.1:$port,model=m" --profile kind=replay \
  --data '{"kind": "mooncake", "source": {"kind": "json_file", "path": "trace.jsonl"}}' --tokenizer "kind=hf_auto,model=$dir/tokenizer" \
  --output kind=json --disable-console --disable-console-interactive) >"$dir/log" 2>&1 || { tail -5 "$dir/log" >&2; exit 1; }
is "requests" "$(wc -l <"$dir/arrivals")" 2
gap=$(awk 'NR == 1 {a = $1} NR == 2 {printf "%.1f", $1 - a}' "$dir/arrivals")
seen "the second request came $gap s after the first"
is "seconds, not milliseconds" "$(awk "BEGIN {print ($gap > 1.5 && $gap < 10) ? \"yes\" : \"no\"}")" yes

#!/usr/bin/env bash
# Guess:   "time per output token" (TPOT) leaves out the first token's wait, as in vLLM, AIPerf and MLPerf; a tool that reads several tools' files takes the
#          figure of that meaning from each.
# Instead: GuideLLM's time_per_output_token_ms is the whole latency / tokens, TTFT included; what others call TPOT is its inter_token_latency_ms.
#          inference-doctor reads the former as TPOT, although from AIPerf's files it takes the one without the first token.
# So:      never compare TPOT of two tools by name. Here: first token after 0.4 s, then one each 20 ms: 20 by one meaning, 55 by the other.
. "$(dirname "$0")/lib.sh"
pip_install guidellm==0.8.1 inference-doctor==0.4.1
export HF_HUB_OFFLINE=1
letter_tokenizer "$dir/tokenizer"
cat >"$dir/server.py" <<'P'
import http.server, json, sys, time
class Server(http.server.BaseHTTPRequestHandler):
    def log_message(self, *a):
        pass
    def head(self, kind):
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.end_headers()
    def do_GET(self):
        self.head("application/json")
        self.wfile.write(json.dumps({"object": "list", "data": [{"id": "m", "object": "model"}]}).encode())
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.head("text/event-stream")
        chunk = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m"}
        for i in range(11):
            time.sleep(0.02 if i else 0.4)
            self.wfile.write(b"data: %s\n\n" % json.dumps({**chunk, "choices": [{"index": 0, "delta": {"content": "a"}, "finish_reason": None}]}).encode())
        end = [{**chunk, "choices": [{"index": 0, "delta": {}, "finish_reason": "length"}]}, {**chunk, "choices": [], "usage": {"prompt_tokens": 6, "completion_tokens": 11, "total_tokens": 17}}]
        self.wfile.write("".join("data: %s\n\n" % json.dumps(e) for e in end).encode() + b"data: [DONE]\n\n")
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Server).serve_forever()
P
port=$(free_port)
background "$dir/log" python3 "$dir/server.py" "$port"
wait_port "$port"
guess "about 20 ms everywhere"
(cd "$dir" && timeout 300 py/bin/guidellm run --backend "kind=openai_http,target=http://127.0.0.1:$port,model=m" --profile kind=synchronous \
  --constraint kind=max_requests,count=4 --data kind=synthetic_text,prompt_tokens=6,output_tokens=11 --tokenizer "kind=hf_auto,model=$dir/tokenizer" \
  --output kind=json,path=benchmarks.json --disable-console --disable-console-interactive) >"$dir/run" 2>&1 || { tail -5 "$dir/run" >&2; exit 1; }
figure() { python3 -c 'import json, sys; print(round(json.load(open(sys.argv[1]))["benchmarks"][0]["metrics"][sys.argv[2]]["successful"]["mean"], 1))' "$dir/benchmarks.json" "$1"; }
between() { awk "BEGIN {print ($1 >= $2 && $1 <= $3) ? \"yes\" : \"no\"}"; } # a busy machine makes all of it a little longer
tpot=$(figure time_per_output_token_ms)
itl=$(figure inter_token_latency_ms)
seen "GuideLLM: time_per_output_token_ms $tpot, inter_token_latency_ms $itl"
is "inter_token_latency is the gap" "$(between "$itl" 19 35)" yes
is "time_per_output_token includes the first token's wait" "$(between "$tpot" 50 80)" yes
for side in a b; do
  for i in 1 2 3; do mkdir -p "$dir/$side/$i"; cp "$dir/benchmarks.json" "$dir/$side/$i/"; done
done
doctor=$("$dir/py/bin/inference-doctor" compare-runs --baseline "$dir/a" --candidate "$dir/b" --metric tpot_mean_ms --gpu none --json 2>&1 || true)
is "inference-doctor's tpot_mean_ms of the same file is GuideLLM's" "$(grep -oE '"(baseline_)?mean"?: *[0-9.]+' <<<"$doctor" | head -1 | grep -oE '[0-9.]+$' | awk '{printf "%.1f", $1}')" "$tpot"

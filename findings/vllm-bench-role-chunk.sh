#!/usr/bin/env bash
# Guess:   vLLM 0.33's two clients, `vllm bench serve` and the Rust program `vllm-rs bench serve` of the same package, give one stream the same time to first token.
# Instead: chat completions begin with a chunk that has the role and no text. The Rust client takes it for the first token, as the Python client of 0.32 did; the
#          Python client of 0.33 waits for output. A server that sends the role before the prompt is read has a TTFT of nothing in Rust; the wait is in its TPOT then.
# So:      with a server or gateway that sends the role early, compare neither figure between the two, nor with those of other clients; a client of your own looks
#          into `delta` before it stops the clock. vLLM's own server sends role and first text together, so that there nobody sees it.
. "$(dirname "$0")/lib.sh"
pip_install aiohttp==3.14.5 regex==2026.11.19 tqdm==4.70.1
package=vllm==0.33.0
"$dir/py/bin/pip" download --quiet --disable-pip-version-check --no-deps --only-binary :all: -d "$dir" "$package"
echo "package: $package (PyPI), of which only its Rust client and the file with its Python client's requests are used"
cd "$dir"
python3 - <<'P'
import glob, zipfile
with zipfile.ZipFile(glob.glob("vllm-*.whl")[0]) as wheel:
    for name, to in ("vllm/vllm-rs", "vllm-rs"), ("vllm/benchmarks/lib/endpoint_request_func.py", "client_in_python.py"):
        with open(to, "wb") as f:
            f.write(wheel.read(name))
P
chmod +x vllm-rs
cat >server.py <<'P'
import http.server, json, sys, time
class Server(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def log_message(self, *a):
        pass
    def event(self, **members):
        b = b"data: %s\n\n" % json.dumps({"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", **members}).encode()
        self.wfile.write(b"%x\r\n%s\r\n" % (len(b), b))
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.event(choices=[{"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": None}])
        time.sleep(1)
        for i in range(11):
            self.event(choices=[{"index": 0, "delta": {"content": " word"}, "finish_reason": None if i < 10 else "length"}])
            time.sleep(0.02)
        self.event(choices=[], usage={"prompt_tokens": 3, "completion_tokens": 11, "total_tokens": 14})
        self.wfile.write(b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n")
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Server).serve_forever()
P
port=$(free_port)
background server.log python3 server.py "$port"
wait_port "$port"
in_python() { # prints TTFT and TPOT in ms
  "$dir/py/bin/python" - "http://127.0.0.1:$port/v1/chat/completions" <<'P'
import asyncio, sys
import aiohttp
from client_in_python import RequestFuncInput, async_request_openai_chat_completions as request
async def main():
    async with aiohttp.ClientSession() as session:
        out = await request(RequestFuncInput(prompt="one two three", api_url=sys.argv[1], prompt_len=3, output_len=11, model="m"), session)
    print(out.ttft * 1e3, (out.latency - out.ttft) / (out.output_tokens - 1) * 1e3)
asyncio.run(main())
P
}
in_rust() {
  mkdir -p words
  echo '{"version": "1.0", "added_tokens": [], "pre_tokenizer": {"type": "Whitespace"}, "model": {"type": "WordLevel", "vocab": {"?": 0}, "unk_token": "?"}}' >words/tokenizer.json
  echo '{"tokenizer_class": "PreTrainedTokenizerFast", "unk_token": "?"}' >words/tokenizer_config.json
  echo '{"prompt": "one two three"}' >prompts.jsonl
  HF_HUB_OFFLINE=1 ./vllm-rs bench serve --backend openai-chat --base-url "http://127.0.0.1:$port" --endpoint /v1/chat/completions --model m --tokenizer words --dataset-name custom \
    --dataset-path prompts.jsonl --custom-output-len 11 --num-prompts 1 --max-concurrency 1 --skip-chat-template --disable-tqdm --save-result --result-dir . --result-filename rust.json >rust.log 2>&1
  python3 -c 'import json; d = json.load(open("rust.json")); print(d["mean_ttft_ms"], d["mean_tpot_ms"])'
}
guess "the role comes at once, the first of 11 tokens after 1 s, the others every 20 ms: TTFT about 1,000 ms and TPOT about 20 ms in both"
read -r ttft tpot <<<"$(in_python)"
seen "in Python: TTFT $ttft ms, TPOT $tpot ms"
is "in Python: TTFT is the first text's" "$(awk "BEGIN {print ($ttft > 950) ? \"yes\" : \"no\"}")" yes
is "in Python: TPOT is without the wait" "$(awk "BEGIN {print ($tpot < 90) ? \"yes\" : \"no\"}")" yes
read -r ttft tpot <<<"$(in_rust)"
seen "in Rust: TTFT $ttft ms, TPOT $tpot ms"
is "in Rust: TTFT is the role's" "$(awk "BEGIN {print ($ttft < 900) ? \"yes\" : \"no\"}")" yes
is "in Rust: TPOT has the wait" "$(awk "BEGIN {print ($tpot > 100) ? \"yes\" : \"no\"}")" yes

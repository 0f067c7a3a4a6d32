#!/usr/bin/env bash
# Guess:   OpenAI's libraries raise an error when a stream ends without [DONE] and without a finish_reason.
# Instead: the loop just ends, in Python and in JavaScript, as if the answer were whole. Only a broken transfer (a chunked body without its end) is an error.
# So:      who counts successes with these libraries counts answers that a server or gateway cut off. Ask for a finish_reason before an answer counts.
. "$(dirname "$0")/lib.sh"
pip_install openai==3.57.0
npm_install openai@6.49.0
cat >"$dir/server.py" <<'P'
import http.server, json, sys
class Server(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def log_message(self, *a):
        pass
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        chunk = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m"}
        b = "".join("data: %s\n\n" % json.dumps({**chunk, "choices": [{"index": 0, "delta": {"content": w}, "finish_reason": None}]}) for w in ("one", " two")).encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.wfile.write(b"%x\r\n%s\r\n" % (len(b), b) + (b"" if self.path.startswith("/broken") else b"0\r\n\r\n"))
        self.close_connection = True
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Server).serve_forever()
P
port=$(free_port)
background "$dir/log" python3 "$dir/server.py" "$port"
wait_port "$port"
cat >"$dir/t.py" <<'P'
import sys, openai
for path in ("truncated", "broken"):
    client = openai.OpenAI(base_url="http://127.0.0.1:%s/%s" % (sys.argv[1], path), api_key="none", max_retries=0)
    try:
        print("".join(c.choices[0].delta.content for c in client.chat.completions.create(model="m", messages=[{"role": "user", "content": "x"}], stream=True)))
    except openai.OpenAIError:
        print("error")
P
cat >"$dir/t.mjs" <<'P'
import OpenAI from "openai";
for (const path of ["truncated", "broken"]) {
  const client = new OpenAI({baseURL: `http://127.0.0.1:${process.argv[2]}/${path}`, apiKey: "none", maxRetries: 0});
  try {
    let text = "";
    for await (const c of await client.chat.completions.create({model: "m", messages: [{role: "user", content: "x"}], stream: true})) text += c.choices[0].delta.content;
    console.log(text);
  } catch { console.log("error"); }
}
P
guess "an error in all four cases"
is "Python: clean end without [DONE], then a broken body" "$("$dir/py/bin/python" "$dir/t.py" "$port" | tr '\n' ';')" "one two;error;"
is "JavaScript: the same" "$(node "$dir/t.mjs" "$port" | tr '\n' ';')" "one two;error;"

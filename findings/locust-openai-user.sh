#!/usr/bin/env bash
# Guess:   Locust's `OpenAIUser` counts chat completions with their output tokens, streamed ones too.
# Instead: whole answers of the chat API are counted with 0 tokens (it looks for the member that the Responses API uses). Streamed ones fail inside the client with a
#          JSON error before the caller sees an event, and no request is counted, neither as done nor as failed. Beside a current `openai`, which no longer brings
#          httpx, it cannot even be imported until httpx is installed.
# So:      its "average size" is no number of tokens, and an empty table of failures is no success: look at the exit status.
. "$(dirname "$0")/lib.sh"
pip_install locust==2.47.0 openai==3.57.0 httpx==0.28.1
cat >"$dir/server.py" <<'P'
import http.server, json, sys
usage = {"prompt_tokens": 6, "completion_tokens": 20, "total_tokens": 26}
class Server(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def log_message(self, *a):
        pass
    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        head = {"id": "c", "created": 1, "model": "m"}
        if asked.get("stream"):
            kind = "text/event-stream"
            choices = [{"index": 0, "delta": {"content": "a"}, "finish_reason": None}] * 20 + [{"index": 0, "delta": {}, "finish_reason": "stop"}]
            events = [json.dumps({**head, "object": "chat.completion.chunk", "choices": [c]}) for c in choices] + ["[DONE]"]
            body = "".join("data: %s\n\n" % e for e in events)
        else:
            kind = "application/json"
            choice = {"index": 0, "message": {"role": "assistant", "content": "a"}, "finish_reason": "stop"}
            body = json.dumps({**head, "object": "chat.completion", "choices": [choice], "usage": usage})
        print("answered", flush=True)
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Server).serve_forever()
P
cat >"$dir/locustfile.py" <<'P'
import os
from locust import constant, task
from locust.contrib.oai import OpenAIUser
class User(OpenAIUser):
    wait_time = constant(0.2)
    @task
    def ask(self):
        r = self.client.chat.completions.create(model="m", messages=[{"role": "user", "content": "hi"}], stream=os.environ["ANSWER"] == "streamed")
        print("tokens" if os.environ["ANSWER"] == "whole" else "events", r.usage.completion_tokens if os.environ["ANSWER"] == "whole" else len(list(r)))
P
port=$(free_port)
run() { # whole|streamed: some seconds of one user
  before=$(grep -c answered "$dir/server.log" || true)
  (cd "$dir" && ANSWER=$1 OPENAI_API_KEY=none OPENAI_BASE_URL="http://127.0.0.1:$port/v1" timeout 60 py/bin/locust --headless -u 1 -t 5s --json-file "$1") >"$dir/$1.out" 2>"$dir/$1.err" && rc=0 || rc=$?
}
total() { "$dir/py/bin/python" -c 'import json, sys; print(sum(s[sys.argv[2]] for s in json.load(open(sys.argv[1]))))' "$dir/$1.json" "$2"; }
background "$dir/server.log" python3 "$dir/server.py" "$port"
wait_port "$port"
guess "a dozen requests or more of each kind are counted, with 20 tokens each"
run whole
has "whole: the caller gets" "$(cat "$dir/whole.out")" 'tokens 20'
seen "whole: $(total whole num_requests) requests counted"
is "whole: tokens counted" "$(total whole total_content_length)" 0
run streamed
seen "streamed: the server answered $(($(grep -c answered "$dir/server.log") - before)) requests"
is "streamed: some were answered" "$([ "$(grep -c answered "$dir/server.log")" -gt "$before" ] && echo yes)" yes
is "streamed: requests counted" "$(total streamed num_requests)" 0
is "streamed: failures counted" "$(total streamed num_failures)" 0
hasnt "streamed: the caller gets events" "$(cat "$dir/streamed.out")" 'events'
has "streamed: the reason" "$(cat "$dir/streamed.err")" 'json.decoder.JSONDecodeError: Expecting value'
is "streamed: exit status" "$rc" 1
"$dir/py/bin/python" -c 'import importlib.metadata as m; print("seen:    openai requires:", ", ".join(sorted(r.split(">")[0] for r in m.requires("openai") if "extra" not in r)))'

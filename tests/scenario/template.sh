# api: template. Two named APIs written as templates measure what the named ones do: the same tokens, the same labels, over the same endpoint. Whole answers and
# the probe too. The example plan is put to a server that answers as its comment says.
. "$(dirname "$0")/lib.sh"

CHAT='{body: "{\"model\":{model},\"messages\":{messages},\"max_tokens\":{output_tokens},\"stream\":true,\"stream_options\":{\"include_usage\":true}}",
    text: "choices[].delta.content", reasoning: "choices[].delta.reasoning_content", finish: "choices[].finish_reason",
    usage: {input: usage.prompt_tokens, output: usage.completion_tokens}, end: {data: "[DONE]"}}'
OLLAMA='{body: "{\"model\":{model},\"messages\":{messages},\"options\":{\"num_predict\":{output_tokens}},\"stream\":true}", framing: ndjson,
    text: message.content, reasoning: message.thinking, finish: done_reason, usage: {input: prompt_eval_count, output: eval_count}, end: {finish: done}}'
WHOLE='{body: "{\"model\":{model},\"messages\":[{\"role\":\"user\",\"content\":{prompt}}],\"max_tokens\":{output_tokens}}", framing: json,
    text: "choices[].message.content", finish: "choices[].finish_reason", usage: {input: usage.prompt_tokens, output: usage.completion_tokens}}'

# figures FAULTS PATH API [MORE]: what a run says that does not hang on the time it took, of a simulator of its own, so that the same requests meet the same faults
figures() {
    # shellcheck disable=SC2086 # words
    sim --ttft 5ms --tpot 1ms --reasoning 3 --seed 7 $1
    plan "target: {url: \"http://127.0.0.1:$SIM_PORT$2\", model: sim, api: $3${4:-}}" 'workload: {synthetic: {input_tokens: {uniform: [8, 64]}, output_tokens: {uniform: [4, 30]}}}' \
        'load: {concurrency: 1, requests: 20}'
    plateau_run --local 1
    FIGURES=$(jq -cS '.points[] | {ledger, input: .input_tokens.mean, output: .output_tokens.mean, samples: .output_tokens.count, ttfc: .ttfc_ms.count, ttft: .ttft_ms.count,
        chunks: .chunk_gap_ms.count}' "$OUT/summary.json")
    kill -INT "$SIM_PID"
}
same() { # WHAT FAULTS PATH API MORE-OF-THE-NAMED TEMPLATE
    local named
    figures "$2" "$3" "$4" "$5"
    named=$FIGURES
    figures "$2" "$3" template ", template: $6"
    if [ -n "$named" ] && [ "$named" = "$FIGURES" ]; then ok "$1 ${2:-without faults}: $named"; else
        fail "$1 ${2:-without faults}: named $named, as a template $FIGURES"
        show err.log
    fi
}

for faults in '' '--fault-stream-error --fault-rate 0.3' '--fault-no-done --fault-rate 0.3' '--fault-status 503 --fault-rate 0.3'; do
    same openai-chat "$faults" /v1/chat/completions openai-chat '' "$CHAT"
    same ollama "$faults" /api/chat ollama '' "$OLLAMA"
done
same 'openai-chat, whole,' '' /v1/chat/completions openai-chat ', stream: false' "$WHOLE"

# The example, against a server that answers as its comment says.
cat >"$TMP/server.py" <<'END'
import http.server, json, sys
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_POST(self):
        ask = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        assert ask["settings"] == {"temperature": 0} and ask["model"] == "my-model", ask
        n = ask["limit"]
        events = [{"outputs": [{"piece": " a", "thought": ""}]} for _ in range(n)]
        events[0]["outputs"][0] = {"piece": "", "thought": "hm"}
        events[-1]["outputs"][0]["why"] = "stop"
        events[-1]["counts"] = {"prompt": len(ask["question"].split()), "answer": n}
        body = "".join(f"data: {json.dumps(e)}\n\n" for e in events) + "data: bye\n\n"
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())
    def log_message(self, *a): pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
server.serve_forever()
END
python3 "$TMP/server.py" >"$TMP/example.port" 2>"$TMP/server.log" &
STARTED+=($!)
wait_until 5 test -s "$TMP/example.port" || { fail 'no server'; finish; }
set -- "$(dirname "$0")/../../configs/template.yaml"
url=http://127.0.0.1:$(cat "$TMP/example.port")/generate
"$BIN/plateau" probe "$1" --set "target.url=$url" >"$TMP/out.log" 2>"$TMP/err.log"
STATUS=$?
expect_status 0
expect_text out.log 'api template' 'the probe reads the template'
expect_text out.log 'usage: 6 in, 16 out'
expect_text out.log '1 of them only with reasoning'
rm -rf "$OUT"
"$BIN/plateau" run "$1" --set "target.url=$url" --set 'load={concurrency: 2, requests: 10}' --out "$OUT" --local 1 >"$TMP/out.log" 2>"$TMP/err.log"
STATUS=$?
expect_carried
expect '.points[0].ledger | .due == 10 and .ok == 10' 'the example: all are ok'
expect '.points[0] | .output_tokens.mean == 128 and .input_tokens.mean == 512' 'the example: its own counts'
finish

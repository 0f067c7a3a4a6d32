# target.metrics_url: the server's own page beside the run. Its figures against the simulator's truth; then pages that fail, hang, lie and redirect: a run
# is never held up by them, and says once what was wrong.
. "$(dirname "$0")/lib.sh"

plan_with() { # METRICS-URL LOAD
    plan "target: {url: \"$URL\", model: sim, metrics_url: \"$1\"}" 'workload: {synthetic: {input_tokens: 16, output_tokens: 16}}' "load: $2"
}

sim --slots 8 --step-base 20ms --step-per-seq 0 --truth "$TMP/truth.jsonl"
plan_with "http://127.0.0.1:$SIM_PORT/metrics" '{concurrency: [2, 24], duration: 6s, warmup: 1s}'
printf 'cost: {gpus: 2, per_gpu_hour: 1.80 USD}\nslo: {run: ["errors.rate < 5%%"]}\n' >>"$TMP/plan.yaml"
plateau_run --local 2
expect_carried
expect_ledger
expect '[.points[].server | .name == "vllm" and .samples >= 4 and .restarted == false] | all' 'the page was read each second'
expect '[.points[].server | .stage_generation_tokens == .stage_client_tokens and .stage_client_tokens > 0] | all' 'both sides counted the same tokens, stage by stage'
expect '.points[0].server | .waiting.mean < 1 and .running.max <= 2' 'no queue below the slots'
expect '.points[1].server | .running.max == 8 and .waiting.max <= 16 and .waiting.mean > 13' 'the queue that is there: 24 asked, 8 slots'
expect '[.points[].server.speculation == null] | all' 'a server that drafts nothing has no acceptance'
expect '.points[1].server | .queue_share_of_ttft > 0.5 and .preemptions == 0 and .prefix_hit_rate == 0' 'the queue explains TTFT'
expect_text out.log "server's own queue explains TTFT from stage 2" 'the text says so'
expect_text out.log 'Server vllm: counted [0-9,]+ generated tokens, the client [0-9,]+ \(0 %\)' 'the text compares the counts'
expect '[.points[] | (.cost_per_mtok_out - 1000 / .output_tokens_per_s | fabs) < 1e-6] | all' 'what a million tokens cost: 0.001 USD a second'
expect_text out.log '[0-9.]+ USD per million output tokens' 'the text says what it costs'
grep -q '"cost_per_mtok_out":[0-9]' "$OUT/report.html" && ok 'and so does the page' || fail 'no cost in the page'
python3 -c 'import sys, xml.etree.ElementTree as x; c = list(x.parse(sys.argv[1]).getroot().iter("testcase")); assert len(c) == 3, len(c)' "$OUT/junit.xml" &&
    ok 'junit.xml: a gate and two points' || fail 'junit.xml is not what it should be'
kill -INT "$SIM_PID"; wait "$SIM_PID" 2>/dev/null
python3 - "$TMP/truth.jsonl" "$OUT/summary.json" "$OUT/curve.csv" "$OUT/run.sqlite" <<'PY' || fail "not what the simulator says"
import csv, json, sqlite3, sys
emitted = sum(json.loads(line)["tokens"] for line in open(sys.argv[1]))
points = json.load(open(sys.argv[2]))["points"]
told = sum(p["server"]["stage_generation_tokens"] for p in points)
assert emitted == told, (emitted, told)
rows = list(csv.DictReader(open(sys.argv[3], newline="")))
for row, p in zip(rows, points):
    assert abs(float(row["server_waiting"]) - p["server"]["waiting"]["mean"]) < 1e-3
db = sqlite3.connect(sys.argv[4])
n, most = db.execute("SELECT count(*), max(generation_tokens) FROM server").fetchone()
assert n >= 12 and most == emitted, (n, most)
PY
cp "$OUT/summary.json" "$TMP/first.json"
"$BIN/plateau" report "$OUT" >/dev/null 2>&1
cmp "$TMP/first.json" "$OUT/summary.json" && ok 'made again from the file: the same' || fail 'made again, it is not the same'

# Speculative decoding: each event of three tokens came of a draft of four, of which two were accepted. The figures are the server's, and what the client saw of it agrees.
sim --ttft 20ms --tpot 2ms --tokens-per-event 3 --draft 4
plan_with "http://127.0.0.1:$SIM_PORT/metrics" '{concurrency: [2, 4], duration: 3s, warmup: 500ms}'
sed -i 's/output_tokens: 16/output_tokens: 15/' "$TMP/plan.yaml"
plateau_run --local 1
expect_carried
expect '[.points[].server.speculation | .acceptance_rate == 0.5 and .acceptance_length == 3 and .acceptance_at == [1, 1, 0, 0]] | all' 'acceptance is the server'"'"'s'
expect '[.points[] | .server.speculation.acceptance_length == .tokens_per_event.mean] | all' 'and events have the tokens that steps made'
expect '[.points[].server | .speculation.draft_tokens == 4 * .speculation.drafts and .speculation.accepted_tokens == 2 * .speculation.drafts and .generation_tokens == 3 * .speculation.drafts] | all' 'counters of one page agree'
expect_text out.log 'Speculative decoding: the server accepted 50 % of the tokens in its drafts; a step with a draft made 3 tokens' 'the text says so'

# Pages that are none. Each is asked for in a run of its own, short, since nothing of it may depend on them.
cat >"$TMP/bad.py" <<'PY'
import http.server, socketserver, sys, time
class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        try:
            what = self.path.strip("/")
            if what == "hang": time.sleep(30)
            self.send_response({"gone": 404, "moved": 302}.get(what, 200))
            if what == "moved": self.send_header("Location", "http://127.0.0.1:%d/fine" % self.server.server_address[1])
            self.end_headers()
            if what == "large":
                for _ in range(6 * 16): self.wfile.write(b"# %s\n" % (b"x" * 65000))
            elif what == "garbage": self.wfile.write(b"\x00\xff{{{\nvllm:num_requests_running{a=\"\xff\n")
            elif what == "cut": self.wfile.write(b"vllm:num_requests_running 1\nvllm:generation_tok")
            elif what == "strange": self.wfile.write(b"somebody_elses_total 3\n")
            elif what in ("fine", "moved"): self.wfile.write(b"vllm:num_requests_running 1e308\nvllm:num_requests_running 1e308\nvllm:generation_tokens_total NaN\nvllm:num_requests_waiting -1e400\n")
        except OSError: pass
    def log_message(self, *a): open(sys.argv[2], "a").write(self.path + "\n")
class Server(socketserver.ThreadingMixIn, http.server.HTTPServer): daemon_threads = True
s = Server(("127.0.0.1", 0), Page)
open(sys.argv[1], "w").write(str(s.server_address[1]))
s.serve_forever()
PY
python3 "$TMP/bad.py" "$TMP/badport" "$TMP/bad.log" &
STARTED+=("$!")
wait_until 5 test -s "$TMP/badport" || { fail 'no server of bad pages'; finish; }
BAD=http://127.0.0.1:$(cat "$TMP/badport")
sim --ttft 20ms --tpot 5ms

bad_page() { # URL EVENT PATTERN WORDS
    local began=$SECONDS
    plan_with "$1" '{concurrency: 2, duration: 1200ms, warmup: 200ms}'
    plateau_run --local 1
    expect_carried
    [ $((SECONDS - began)) -le 12 ] || fail "$4: the run was held up"
    expect "[.events[] | select(.kind == \"$2\" and (.text | test(\"$3\")))] | length == 1" "$4: said once"
    expect '[.points[] | .server == null and .ledger.ok == .ledger.due] | all' "$4: no figure of it, and the run is whole"
}
bad_page "$BAD/gone" metrics_failed 'HTTP status 404' 'a page that is not there'
expect '[.events[] | select(.text | test("[0-9]+ of [0-9]+ readings failed"))] | length == 1' 'and failures are counted'
bad_page "$BAD/hang" metrics_failed 'Timeout' 'a page that hangs'
bad_page "$BAD/large" metrics_failed 'longer than' 'a page that is too large'
bad_page "$BAD/garbage" metrics_failed 'metrics line' 'a page that is none'
bad_page "$BAD/cut" metrics_failed 'was cut' 'a page that was cut'
bad_page "$BAD/moved" metrics_failed 'HTTP status 302' 'a redirect'
grep -q /fine "$TMP/bad.log" && fail 'a redirect was followed' || ok 'no redirect is followed'
bad_page http://127.0.0.1:1/metrics metrics_failed "connect" 'a closed port'
bad_page http://169.254.169.254/metrics metrics_failed 'address 169.254.169.254 is refused' 'a metadata address'
bad_page "http://[::ffff:169.254.169.254]/metrics" metrics_failed 'is refused' 'the same, dressed up'

plan_with "$BAD/strange" '{concurrency: 2, duration: 1200ms, warmup: 200ms}'
plateau_run --local 1
expect_carried
expect '[.events[] | select(.kind == "metrics_unknown")] | length == 1' 'a page without a figure that is known: said once'
plan_with "$BAD/fine" '{concurrency: 2, duration: 3s, warmup: 500ms}'
plateau_run --local 1
expect_carried
expect '.points[0].server | .running.mean == null or .running.mean >= 0' 'numbers beyond all bounds stay out of the way'
expect_report
finish

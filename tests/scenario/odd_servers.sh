# Servers that answer in odd but real ways, and one that is stranger than a run can use: what is said of each is what happened.
. "$(dirname "$0")/lib.sh"

mkfifo "$TMP/hold"
python3 "$(dirname "$0")/odd_servers.py" "$TMP/socket" <"$TMP/hold" >"$TMP/port" &
STARTED+=("$!")
exec 9>"$TMP/hold"
wait_until 10 test -s "$TMP/port" || { fail 'the servers did not start'; exit 1; }
PORT=$(cat "$TMP/port")

# run_at PATH LOAD [MORE-OF-THE-TARGET]
run_at() {
    plan "target: {url: \"http://127.0.0.1:$PORT$1\", model: m${3:-}}" 'workload: {synthetic: {input_tokens: 16, output_tokens: 8}}' "load: {$2}" "${SLO:-}"
    plateau_run --local 1
}
# A response that ends with its connection leaves nothing to learn: no slot rests after it.
for place in old bare; do
    run_at /$place 'concurrency: [4], duration: 2s'
    expect_carried
    expect '.points[0].achieved.concurrency > 3.7' "$place: slots are in flight, and do not rest"
    expect '.points[0].ledger | .ok == .due and .ok > 20' "$place: every request ended ok"
    expect '.answer.text | contains("The server closes connections: ")' "$place: new connections are said, however fast they are"
done
# a prompt of 4 MB, read slowly: its way is a part of TTFT
plan "target: {url: \"http://127.0.0.1:$PORT/slowly\", address: \"unix:$TMP/socket\", model: m}" 'workload: {synthetic: {input_tokens: 1000000, output_tokens: 8}}' 'load: {concurrency: [1], requests: 4, warmup: 0s}'
plateau_run --local 1
expect '.points[0].evidence.counters.window_upload_ns > 1e7' 'the time in which requests are sent is counted'
expect '.answer.text | contains("Until the last byte of a request was sent ")' 'and said, where it is much of TTFT'
run_at /good 'concurrency: [2], duration: 1s'
expect '.answer.text | (contains("last byte of a request") or contains("closes connections")) | not' 'and not where it is not'

run_at /cut 'concurrency: [2], duration: 1s'
expect_status 3
expect '.failures[0] | .label == "malformed" and (.text | startswith("an event whose JSON is cut off: {"))' 'an event that was cut is called cut'
export ODD_KEY=CANARY-KEY # a gateway's page or word after some tokens
run_at /page 'concurrency: [2], duration: 1s' ', auth: {bearer: {env: ODD_KEY}}'
expect '.failures[0] | .label == "truncated" and (.text | test("^neither a finish reason nor the end marker: <html> <title>502 Bad Gateway</title>"))' 'a page behind tokens is quoted'
expect '.points[0].remarks[] | select(.kind == "unknown_event") | .text | contains("502 Bad Gateway")' 'and the example of what is unknown'
grep -q CANARY-KEY "$OUT/summary.json" && fail 'a secret in the page is repeated'
run_at /word 'concurrency: [2], duration: 1s'
expect '.failures[0] | .label == "truncated" and (.text | endswith(": upstream connect error: no healthy upstream"))' 'so is a word of text'
run_at /cutbody 'concurrency: [2], duration: 1s'
expect '.failures[0].text | startswith("one JSON object that is cut off")' 'so is a body'
run_at /cutbody 'concurrency: [2], duration: 1s' ', stream: false'
expect '.failures[0].text | startswith("one JSON object that is cut off")' 'so is an answer that is not streamed'
expect '.answer.text | contains("target.stream: false") | not' 'and nobody is told to do what is done'

run_at /used 'concurrency: [1], duration: 1s' # each connection answers once, and closes without a word as the next request comes
expect '.failures[0] | .label == "reset" and (.text | contains("a connection on which it had answered before") and contains("target.connections: fresh"))' 'a connection in use that was closed is called that'
run_at /used 'concurrency: [1], duration: 1s' ', connections: fresh'
expect '.failures[0] | .label == "reset" and (.text | contains("answered before") | not)' 'and a new one is not'

run_at /proxy 'concurrency: [2], duration: 1s'
expect '.failures[0] | .label == "proxy" and .status == 407 and (.hint | contains("A proxy wants a login of its own"))' 'a status of a proxy is called that'

run_at /moved 'concurrency: [4], duration: 2s'
expect '.failures[0] | .label == "http_3xx" and .status == 308 and (.text | contains("https://elsewhere.example/v1/") and contains("/v1/chat/completions"))' 'where a redirect leads is told, to its end'
expect '.points[0].ledger.due < 60' 'and slots rest, as after any refusal'
expect '.answer.text | contains("https://elsewhere.example/v1/")' 'in the answer too'
run_at /trailer 'concurrency: [2], duration: 1s'
expect '.failures[0] | .label == "stream_error" and (.text | startswith("[X-Stream-Error: engine core died]"))' 'a trailer that tells of an error is one'
run_at /trailer 'concurrency: [2], duration: 1s' ', end: close'
expect '.failures[0].label == "stream_error"' 'also where the end of the body ends an answer'

run_at /job 'concurrency: [2], duration: 1s'
expect '.failures[0] | .status == 202 and (.text | contains("the server only took the request (status 202)")) and (.text | contains("job-7"))' 'a job that was queued is called that'
expect '.answer.text | contains("target.stream: false") | not' 'and nobody is sent elsewhere'
for status in fields:431:'headers are larger' legal:451:'legal reasons'; do
    IFS=: read -r place code words <<<"$status"
    run_at "/$place" 'concurrency: [2], duration: 1s'
    expect ".failures[0] | .status == $code and (.hint | contains(\"$words\"))" "$code says what it means"
done

run_at /both 'concurrency: [1], duration: 1s' # one worker: two could see one status each
expect '.points[0].remarks[] | select(.kind == "other_status") | .text | contains("status 404, \"no adapter\"") and contains("status 400, \"too many tokens\"")' 'a second status under a label is told'
expect '.answer.text | contains("One label had two causes: status 40")' 'in the answer too'

run_at /statuses 'concurrency: [2], duration: 1s'
expect '.points[0] | .evidence.counters | .status_503 + .status_500 == .http_5xx and .status_503 > .status_500 and .status_500 > 1' 'statuses under one label are counted'
expect '(.failures[0].statuses | test("^[0-9]+ × 503, [0-9]+ × 500$")) and .failures[0].statuses as $s | .answer.text | contains("By status: " + $s + ".")' 'and told'
expect_text out.log ' × 503, ' 'in the terminal too'

# A gateway's timeout is slower than the limit below it; an instant 500 is left to a gate on errors, where there is one.
SLO='slo: {run: [ttft.p80 < 150ms, errors.rate < 90%]}' run_at /slow504 'concurrency: [4], duration: 4s'
expect_status 99
expect '.gates[0] | .result == "fail" and .failed > 3 and (.words | test("^at least 30[0-9.]* ms.*; [0-9]+ failed requests had waited longer than the limit"))' 'failures that took longer than a limit are over it'
expect '.gates_failed_rule | startswith("a failed request is over each latency limit below the time that it had waited")' 'by a rule that is printed'
expect_text out.log 'a failed request is over each latency limit below' 'in the terminal too'
SLO='slo: {run: [ttft.p50 < 150ms]}' run_at /fast500 'concurrency: [4], duration: 2s' # 60 % of the requests fail: p50 needs about 130 of them
expect_status 99
expect '.gates[0] | .result == "fail" and .bound == "over " and (.words | contains("failed requests count as beyond the limit"))' 'without a gate on errors, failures are over every limit'
SLO='slo: {run: [ttft.p50 < 150ms, errors.rate < 90%]}' run_at /fast500 'concurrency: [4], duration: 1s'
expect '.gates[0] | .result == "pass" and .failed == 0' 'with one they are left to it'

run_at /later 'concurrency: [2], duration: 1s, drain: 1s, retries: {max: 3, budget: 1000%, after: [429]}'
expect_status 3
expect '.points[0].verdict.reasons[0] | contains("2 requests still waited to be sent again when the drain ended") and contains("(2 of 2 failed attempts: status 429)")' 'requests that wait for a Retry-After are no long answers'
expect '(.answer.text | contains("2 attempts failed and were to be sent again (2 by http_429), and 2 of them never were, since the drain")) and (.points[0].retries | .sent == 0 and .cut == 2)' 'nor were they sent again'
run_at /warming 'concurrency: [2], duration: 1s, retries: {max: 5, budget: 500%, after: [503], wait: 5ms}'
expect '.points[0] | .ledger.ok == .ledger.due and .retries.first == {http_5xx: "status 503, \"warming up\""}' 'the words behind a retry are kept'
expect_text out.log 'the first by http_5xx: status 503, "warming up"' 'and shown'
expect '.answer.text | test("[0-9]+ attempts failed and were sent again \\([0-9]+ by http_5xx\\); latencies hold their waits. The first such: status 503, \"warming up\"")' 'in the answer too'

for place in comments headers; do # a queue behind the head, with and without signs of life
    run_at /$place 'concurrency: [2], duration: 3s, drain: 1s' ', timeouts: {first_token: 1s}'
    expect '[.failures[] | select(.label == "timeout_first_token")][0].text | test("^(only comments or blank lines came, and no event|the head came, and nothing after it)$")' "$place: what came before the timeout is told"
done
run_at /late 'concurrency: [2], duration: 2s'
expect '.answer | .after_last_token_share > 0.5 and .after_last_token_ms > 290 and (.text | contains("After the last token a slot stays taken for"))' 'an end marker that comes late is told'
run_at /open 'concurrency: [2], duration: 2s'
expect '.answer | .response_open_ms > 290 and .after_last_token_ms < 290 and (.text | contains("the response stays open for"))' 'a response that is held open is told, and its slot was free'
run_at /details 'concurrency: [2], duration: 2s'
expect '.points[0].tpot_ms.p50 > 2 and .points[0].evidence.counters.events > 100' 'reasoning_details are tokens'
for place in atonce oneevent; do
    SLO='slo: {run: [tpot.p50 < 50ms]}
verdict: {lateness: 10s, lag: 10s, achieved: 90%}' run_at /$place 'concurrency: [2], duration: 2s'
    expect_status 99
    expect '.points[0] | .tpot_ms.count == 0 and .itl_ms.count == 0 and .ttft_ms.count > 5 and .evidence.counters.at_once == .ledger.ok' "/$place: a stream that came at once has no TPOT"
    expect '.answer.text | contains("answers came all at once: a proxy buffers the stream")' "/$place: and that is said"
    expect_text out.log 'UNDECIDED: there is no sample to decide tpot.p50 < 50ms' "/$place: so that no gate on it passes"
done
run_at /fours 'concurrency: [2], duration: 2s'
expect '(.answer.text | contains("at once") | not) and .points[0].evidence.counters.at_once == 0 and .points[0].tpot_ms.count > 5' 'four tokens an event are no buffer'
run_at /million 'concurrency: [2], duration: 1s'
expect '[.answer.text, .outcome.causes[].text] | any(contains("up to 4,294,967,295 output tokens for one answer"))' 'usage that cannot be right is told with an example'
# What was never said of answers that count as good.
export ODD_KEY=secret-of-the-plan
run_at /strange 'concurrency: [2], duration: 1s' ', auth: {bearer: {env: ODD_KEY}}'
expect '.points[0].ledger | .ok == .due and .ok > 5' 'every request ended ok'
expect '.answer.text | contains("events are nothing that this API knows. The first: \"{\"ret\": -1, ")' 'an event that is nothing known is shown'
expect '.points[0].remarks[0] | .kind == "unknown_event" and (.text | contains("***")) and (.text | contains("secret") | not)' 'without the secret that it repeats'
run_at /musing 'concurrency: [2], duration: 1s'
expect '.points[0].remarks[0].text | contains("\"musing\": \"hm \"")' 'text in a member that nobody knows is shown'
expect '.answer.text | contains("TPOT follow usage; TPOT is too short, and TTFT may be too long, where the unknown events hold text.")' 'and that TPOT knows nothing of it'
run_at /nousage 'concurrency: [2], duration: 1s'
expect '.answer.text | contains("came without usage: each of their events is counted as one token, though it may hold several.")' 'no usage at all is told'
run_at /toomuch 'concurrency: [2], duration: 1s'
expect '[.answer.text, .outcome.causes[].text] | any(contains("is doubtful, and token/s, TPOT and lengths rest on it: it counts up to 160 output tokens"))' 'usage of twenty times what was asked for and came is doubted'
expect '.points[0] | .output_tokens.p50 == 160 and .verdict.status != "valid" and .verdict.figures.throughput != "valid"' 'though it is taken'
run_at /noinput 'concurrency: [2], duration: 1s'
expect '.answer.text | test("The input tokens of ([0-9]+) of \\1 answers are those that the plan asks for: usage gives none, or 0")' 'no input tokens in usage are told'
run_at /moderated 'concurrency: [2], duration: 1s'
expect '.answer.text | contains("ended with a finish reason that plateau does not know: \"mod\\u001b[2Jerated\".")' 'a finish reason that nobody knows is shown in its own word'
run_at /finishlist 'concurrency: [2], duration: 1s'
expect '.points[0] | .finish.length == .ledger.ok and .ledger.ok > 5' 'a finish reason in a list is read'
run_at /finishnumber 'concurrency: [2], duration: 1s'
expect '.answer.text | contains("ended with a finish reason that plateau does not know: \"{\"choices\":")' 'one that is a number is told, with its event'
run_at /refusing 'concurrency: [2], duration: 1s'
expect '(.answer.text | test("([0-9,]+) of \\1 answers refused to answer, in a text that says so")) and (.points[0] | .ledger.ok == .ledger.due and .ttfc_ms.count > 5)' 'refusals are told'
run_at /still 'concurrency: [2], duration: 5s, warmup: 500ms'
expect '.points[0].ledger | .ok == .due' 'every request of a server that stood still ended ok'
expect '.points[0].verdict.reasons | any(test("the server stood still: from second [0-9.]+ on next to nothing came for [1-3][0-9.]* s of the window"))' 'and it is told'
run_at /held 'concurrency: [6], duration: 4s, warmup: 1s, drain: 2s' # the first two are never answered
expect '.points[0] | (.window | .unanswered >= 2 and .unanswered_earlier == 2 and .cut_off >= 2) and .evidence.counters.window_earlier_hung == 2' 'requests that hang since the warm-up are unanswered'
expect '.points[0] | .error_rate > 0 and (.ledger | .due == .ok + .aborted)' 'and errors, and the ledger balances'
expect '.answer.text | contains("without an answer in all of it: 2 of 6 requests in flight.")' 'and the answer says so'
expect '(.answer.text | contains("2 of 6 users on average waited for requests that failed or got no whole answer, and 4 were served.")) and (.points[0].achieved.concurrency_served | . > 3.8 and . < 4.1)' 'and how many users were served'
expect '[.points[0].verdict.reasons[], .answer.text] | any(contains("load.warmup")) | not' 'and no longer warm-up is advised'
run_at /negative 'concurrency: [2], duration: 1s'
expect '([.answer.text, .outcome.causes[].text] | any(contains("a number that is none ("))) and .points[0].output_tokens.p50 == 8' 'a negative usage is not taken in silence'
expect '.points[0].remarks[0] | .kind == "usage_unread" and (.text | contains("\"completion_tokens\": -8"))' 'and shown'
run_at /zero 'concurrency: [2], duration: 1s'
expect '([.answer.text, .outcome.causes[].text] | any(contains("no output token where the answer had some"))) and .points[0].output_tokens.p50 == 8' 'nor is a usage of nothing'
run_at /groq 'concurrency: [2], duration: 1s'
expect '.points[0].output_tokens.p50 == 24 and (.answer.text | contains("without usage") | not)' 'usage in another place is read'
run_at /gatewaycache 'concurrency: [2], duration: 1s'
expect '.points[0] | .evidence.counters.from_cache as $n | $n > 5 and $n < .ledger.ok' "a cache's answers are counted by their header"
expect '.answer.text | test("[0-9]+ of [0-9]+ answers came from a cache before the server")' 'and said'
run_at /apart 'concurrency: [2], duration: 1s' # as xAI counts
expect '.points[0] | .output_tokens.p50 == 12' 'reasoning that usage counts beside its output tokens is output'
expect '.answer.text | test("Usage counts [0-9,]+ output tokens, and [0-9,]+ came in events") and (contains("The total of usage") | not)' 'and that it did not come in events is said'
run_at /beyond 'concurrency: [2], duration: 1s' # as Gemini's OpenAI layer counts
expect '.points[0] | .output_tokens.p50 == 8 and .evidence.counters.usage_beyond == 32 * .ledger.ok' 'what only the total of usage has is counted apart'
expect '.answer.text | test("The total of usage has [0-9,]+ tokens beyond its input and output tokens")' 'and said'
run_at /othermodel 'concurrency: [2], duration: 1s'
expect '.points[0].ledger | .ok == .due and .ok > 5' 'every request ended ok'
expect '(.answer.text | contains("asked for m, answered by cheap-8b")) and (.points[0] | .evidence.counters.other_model == .ledger.ok)' 'another model than was asked for is told and counted'
run_at /samemodel 'concurrency: [2], duration: 1s'
expect '(.answer.text | contains("answered by") | not) and .points[0].evidence.counters.other_model == 0' 'another version of the name is not'
run_at /blank 'concurrency: [2], duration: 1s'
expect '.points[0].evidence.counters | .events <= 8 * .due and .unknown_events == 0' 'empty texts are neither tokens nor strange'
run_at /wholenousage 'concurrency: [2], duration: 1s' ', stream: false'
expect '.points[0] | .output_tokens_per_s == null and .output_tokens.count == 0 and .e2e_ms.count > 10' 'a whole answer without usage has an unknown number of tokens'
expect '.answer.text | contains("came without usage: how many tokens they have is not known")' 'and that is said'

run_at /thoughts 'concurrency: [2], duration: 1s' ', stream: false, end: auto'
expect '.answer.text | test("([0-9]+) of \\1 answers had no visible text, only reasoning or tool calls")' 'a whole answer of reasoning alone is told'
expect '.answer.text | contains("end marker") | not' 'and nobody speaks of an end marker, which JSON has not'

SLO='slo: {run: [ttft.p50 < 1ms], require: all, abort_on_fail: 1s}' run_at /good 'concurrency: [1, 2, 3], duration: 20s'
expect_status 99
expect '.answer.text | contains("Not run, since slo.abort_on_fail ended the run: load 2, 3. ")' 'loads that were not run are named'
run_at /http2 'concurrency: [2], duration: 1s'
expect '.failures[0].text | startswith("an HTTP answer whose first line is none of HTTP/1")' 'a status line of another version is no other protocol'
run_at /text 'concurrency: [2], duration: 1s'
expect '(.failures[0].text | startswith("text that is not a stream of events")) and (.answer.text | contains("nothing that this API knows") | not)' 'lines of a text are no unknown events'
run_at /good 'concurrency: [2], duration: 1s'
# On a busy machine the server's own end comes late too.
expect '.points[0].verdict.status != "valid" or (.answer.text | contains("last token") | not)' 'an end that comes at once is not'
finish

# Servers that answer in odd but real ways, and one that is stranger than a run can use: what is said of each is what happened.
. "$(dirname "$0")/lib.sh"

mkfifo "$TMP/hold"
python3 "$(dirname "$0")/odd_servers.py" <"$TMP/hold" >"$TMP/port" &
STARTED+=("$!")
exec 9>"$TMP/hold"
wait_until 10 test -s "$TMP/port" || { fail 'the servers did not start'; exit 1; }
PORT=$(cat "$TMP/port")

# run_at PATH LOAD [MORE-OF-THE-TARGET]
run_at() {
    plan "target: {url: \"http://127.0.0.1:$PORT$1\", model: m${3:-}}" 'workload: {synthetic: {input_tokens: 16, output_tokens: 8}}' "load: {$2}"
    plateau_run --local 1
}
# A response that ends with its connection leaves nothing to learn: no slot rests after it.
for place in old bare; do
    run_at /$place 'concurrency: [4], duration: 2s'
    expect_carried
    expect '.points[0].achieved.concurrency > 3.7' "$place: slots are in flight, and do not rest"
    expect '.points[0].ledger | .ok == .due and .ok > 20' "$place: every request ended ok"
done

run_at /cut 'concurrency: [2], duration: 1s'
expect_status 3
expect '.failures[0] | .label == "malformed" and (.text | startswith("an event whose JSON is cut off: {"))' 'an event that was cut is called cut'
run_at /cutbody 'concurrency: [2], duration: 1s'
expect '.failures[0].text | startswith("one JSON object that is cut off")' 'so is a body'
run_at /cutbody 'concurrency: [2], duration: 1s' ', stream: false'
expect '.failures[0].text | startswith("one JSON object that is cut off")' 'so is an answer that is not streamed'
expect '.answer.text | contains("target.stream: false") | not' 'and nobody is told to do what is done'

run_at /proxy 'concurrency: [2], duration: 1s'
expect '.failures[0] | .status == 407 and (.hint | contains("A proxy stands there"))' 'a status of a proxy is called that'

run_at /late 'concurrency: [2], duration: 2s'
expect '.answer | .after_last_token_share > 0.5 and .after_last_token_ms > 290 and (.text | contains("After the last token a slot stays taken for"))' 'an end marker that comes late is told'
run_at /open 'concurrency: [2], duration: 2s'
expect '.answer | .response_open_ms > 290 and .after_last_token_ms < 290 and (.text | contains("the response stays open for"))' 'a response that is held open is told, and its slot was free'
run_at /details 'concurrency: [2], duration: 2s'
expect '.points[0].tpot_ms.p50 > 2 and .points[0].evidence.counters.events > 100' 'reasoning_details are tokens'
run_at /million 'concurrency: [2], duration: 1s'
expect '[.answer.text, .outcome.causes[].text] | any(contains("up to 4,294,967,295 output tokens for one answer"))' 'usage that cannot be right is told with an example'
run_at /http2 'concurrency: [2], duration: 1s'
expect '.failures[0].text | startswith("an HTTP answer whose first line is none of HTTP/1")' 'a status line of another version is no other protocol'
run_at /text 'concurrency: [2], duration: 1s'
expect '(.failures[0].text | startswith("text that is not a stream of events")) and (.answer.text | contains("nothing that this API knows") | not)' 'lines of a text are no unknown events'
run_at /good 'concurrency: [2], duration: 1s'
expect '.answer.text | contains("last token") | not' 'an end that comes at once is not'
finish

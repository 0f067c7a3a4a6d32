# Each API against the simulator, which speaks it: tokens and prompts are those that were emitted, to the token, and the first and the last token come when
# they were due; thoughts are tokens; and of each kind of end the label is right. One program serves all, and says in its truth file what it sent.
. "$(dirname "$0")/lib.sh"

# api, its path (none: the one that its model makes), further members of the target
APIS='openai-chat|/v1/chat/completions|
openai-completions|/v1/completions|
openai-responses|/v1/responses|
anthropic|/v1/messages|
ollama|/api/chat|
llamacpp|/completion|
tgi|/generate_stream|
triton||
cohere|/v2/chat|
gemini||
databricks|/serving-endpoints/sim/invocations|, auth: {bearer: {env: PLATEAU_TEST_KEY}}
databricks-completions|/serving-endpoints/sim/invocations|, auth: {bearer: {env: PLATEAU_TEST_KEY}}'
export PLATEAU_TEST_KEY=for-the-simulator

api_plan() { # API PATH MORE LOAD
    plan "target: {url: \"http://127.0.0.1:$SIM_PORT$2\", model: sim, api: $1$3}" 'workload: {synthetic: {input_tokens: 32, output_tokens: 20}}' "load: {$4}"
}
one() { jq -r ".points[0] | $1" "$OUT/summary.json"; }
# Times are judged where the run itself vouches for them: on a busy machine the way between client and endpoint is not short.
times() { ! sanitized && [ "$(one .verdict.status)" = valid ]; }
close_to() { # WHAT VALUE EXPECTED TOLERANCE
    awk -v v="$2" -v e="$3" -v t="$4" 'BEGIN { exit !(v >= e - t && v <= e + t) }' || fail "$1: $2, expected $3"
}

sim --ttft 60ms --tpot 5ms --reasoning 5 --always-usage
while IFS='|' read -r api path more; do
    api_plan "$api" "$path" "$more" 'concurrency: 2, requests: 12'
    plateau_run --local 1
    if ! jq -e '.points[0].ledger | .due == 12 and .ok == 12' "$OUT/summary.json" >/dev/null; then
        fail "$api: not all are ok: $(one .ledger)"
        show err.log
        continue
    fi
    close_to "$api: output tokens" "$(one .output_tokens.mean)" 20 0
    close_to "$api: input tokens" "$(one .input_tokens.mean)" 32 0
    ! times || close_to "$api: ms to the first token" "$(one .ttft_ms.mean)" 60 20
    ! times || close_to "$api: ms a token" "$(one .tpot_ms.mean)" 5 1
    case $api in # has the first visible token a time of its own, after five thoughts?
        openai-chat | openai-responses | anthropic | ollama | cohere | gemini) ! times || close_to "$api: ms to the first visible token" "$(one .ttfc_ms.mean)" 85 20 ;;
    esac
    ok "$api: 12 answers of 20 tokens"
done <<<"$APIS"
kill -INT "$SIM_PID"

# Whole answers: the same tokens, no time to the first one. Triton has no usage: how many tokens its answers have is unknown.
sim --ttft 60ms --tpot 5ms --reasoning 5
while IFS='|' read -r api path more; do
    case $api in tgi) path=/generate ;; esac
    api_plan "$api" "$path" "$more, stream: false" 'concurrency: 2, requests: 6'
    plateau_run --local 1
    if ! jq -e '.points[0].ledger | .due == 6 and .ok == 6' "$OUT/summary.json" >/dev/null; then
        fail "$api, whole: not all are ok: $(one .ledger)"
        show err.log
        continue
    fi
    if [ "$api" = triton ]; then
        [ "$(one '.output_tokens.count, .output_tokens_per_s' | xargs)" = '0 null' ] || fail "$api, whole: has output tokens"
    else
        close_to "$api, whole: output tokens" "$(one .output_tokens.mean)" 20 0
    fi
    [ "$(one '.ttft_ms.count // 0')" = 0 ] || fail "$api, whole: has a time to the first token"
    ! times || close_to "$api, whole: ms to the end" "$(one .e2e_ms.mean)" 155 20
    ok "$api: 6 whole answers"
done <<<"$APIS"
kill -INT "$SIM_PID"

# Answers without tokens: requests and input tokens are measured, and no token is counted.
sim --ttft 20ms --tpot 1ms
for api in openai-embeddings rerank; do
    api_plan "$api" '' '' 'concurrency: 2, requests: 6'
    plateau_run --local 1
    if jq -e '.points[0].ledger | .due == 6 and .ok == 6' "$OUT/summary.json" >/dev/null; then ok "$api: 6 answers"; else fail "$api: not all are ok: $(one .ledger)"; show err.log; fi
    [ "$(one '.ttft_ms.count // 0')" = 0 ] || fail "$api: has a time to the first token"
    [ "$(one '.output_tokens.mean // 0')" = 0 ] || fail "$api: has output tokens"
    [ "$(one '.e2e_ms.count // 0')" = 6 ] || fail "$api: no times of whole requests"
    awk -v n="$(one '.input_tokens.mean')" 'BEGIN { exit !(n >= 30 && n <= 32) }' && ok "$api: input tokens" || fail "$api: $(one '.input_tokens.mean') input tokens, expected 30 to 32"
done
kill -INT "$SIM_PID"

# label FAULT EXPECTED [API=LABEL…]: each API's requests end under that label
labels() {
    local fault=$1 expected=$2 label
    shift 2
    sim --ttft 5ms --tpot 1ms --always-usage "$fault"
    while IFS='|' read -r api path more; do
        api_plan "$api" "$path" "$more" 'concurrency: 2, requests: 4'
        plateau_run --local 1
        label=$(one '.ledger | if .ok == .due then "ok" else (.failed | to_entries | map(select(.value > 0) | .key) | join(" ")) end')
        case " $* " in *" $api=$label "*) want=$label ;; *" $api="*) want=another ;; *) want=$expected ;; esac
        if [ "$label" = "$want" ]; then ok "$api $fault: $label"; else fail "$api $fault: $label, expected $want"; show err.log; fi
    done <<<"$APIS"
    kill -INT "$SIM_PID"
}
labels --fault-stream-error stream_error
labels --fault-no-done truncated triton=ok # its end marker is the body's end
labels --fault-garbage malformed
finish

#!/bin/bash
# The simulated endpoint, driven by curl: paths, streams, faults, metrics, truth. Arg 1: the folder of the programs.
set -u
bin=${1:?the folder of the programs}
for tool in curl jq python3; do command -v $tool >/dev/null || { echo "skipped: no $tool"; exit 77; }; done
here=$(dirname "$(readlink -f "$0")")
tmp=$(mktemp -d)
sim=
failed=0
stop() { # ends the simulator as a user does; its exit status must be 0
    [ -n "$sim" ] || return 0
    kill "$sim" 2>/dev/null
    wait "$sim" || { echo "FAILED: plateau-sim ended with status $?"; failed=1; }
    sim=
}
trap 'stop; rm -rf "$tmp"' EXIT
start() { # options …: a simulator on a free port; $url is its address
    stop
    rm -f "$tmp/port" "$tmp/truth"
    "$bin/plateau-sim" --listen 127.0.0.1:0 --port-file "$tmp/port" --exit-after 120s "$@" >"$tmp/out" &
    sim=$!
    for _ in $(seq 200); do
        [ -s "$tmp/port" ] && break
        sleep 0.05
    done
    url=http://127.0.0.1:$(cat "$tmp/port")
}
check() { # what, command …
    local what=$1
    shift
    "$@" || { echo "FAILED: $what"; failed=1; }
}
same() { # what, got, wanted
    [ "$2" = "$3" ] || { echo "FAILED: $1: got \"$2\", wanted \"$3\""; failed=1; }
}
chat() { # tokens, stream, [curl options]: body in $tmp/body; prints "curl's exit status, HTTP status"
    local body="{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"0123456789abcdef\"}],\"max_tokens\":$1,\"stream\":$2,\"stream_options\":{\"include_usage\":true}}"
    shift 2
    local status
    status=$(curl -sSN -o "$tmp/body" -w '%{http_code}' -m 20 -H 'content-type: application/json' -d "$body" "$@" \
        "$url${path:-/v1/chat/completions}" 2>/dev/null)
    echo "$? $status"
}
events() { # the JSON of each event of $tmp/body
    tr -d '\r' <"$tmp/body" | sed -n 's/^data: \{0,1\}//p' | grep -av '^\[DONE\]$'
}
texts() { events | jq -j '.choices[0]?.delta?.content // empty'; }

# --- whole streams
start --ttft 10ms --tpot 2ms --truth "$tmp/truth" --truth-tokens
same "chat" "$(chat 20 true)" "0 200"
same "chat: events (role, 20 tokens, usage)" "$(events | wc -l)" 22
same "chat: first event" "$(events | head -1 | jq -c '.choices[0].delta')" '{"role":"assistant","content":""}'
same "chat: finish" "$(events | jq -r '.choices[0]?.finish_reason // empty')" length
same "chat: usage" "$(events | tail -1 | jq -c '[.choices, .usage.prompt_tokens, .usage.completion_tokens]')" '[[],4,20]'
same "chat: end" "$(grep -c '^data: \[DONE\]$' "$tmp/body")" 1
text=$(texts)
path=/serving-endpoints/my-model/invocations
same "databricks" "$(chat 20 true)" "0 200"
same "databricks: events" "$(events | wc -l)" 22
path=
same "not a stream" "$(chat 20 false)" "0 200"
same "not a stream: usage" "$(jq -c '[.object, .usage.completion_tokens, .choices[0].finish_reason]' "$tmp/body")" \
    '["chat.completion",20,"length"]'
curl -sSN -o "$tmp/body" -d '{"prompt":"0123456789","max_tokens":5,"stream":true}' "$url/v1/completions"
same "completions: events, no usage when not asked" "$(events | jq -r '.choices[0].text' | wc -l | tr -d ' '; events | jq -c '.usage // empty')" \
    "$(events | wc -l)"
same "completions: object" "$(events | head -1 | jq -r .object)" text_completion
same "default length" "$(curl -sS -d '{"prompt":"x"}' "$url/v1/completions" | jq .usage.completion_tokens)" 128
same "two requests on one connection" \
    "$(curl -sSN -o /dev/null -o /dev/null -w '%{num_connects} ' -d '{"prompt":"x","max_tokens":3,"stream":true}' "$url/v1/completions" "$url/v1/completions")" "1 0 "
same "models" "$(curl -sS "$url/v1/models" | jq -r '.data[0].id')" sim
same "health" "$(curl -sS -o /dev/null -w '%{http_code}' "$url/health")" 200
for wrong in "404 $url/v1/nothing" "405 $url/v1/chat/completions" "400 -d {\"prompt\" $url/v1/completions" \
    "400 -d {} $url/v1/chat/completions" "400 -d {\"prompt\":1,\"max_tokens\":0} $url/v1/completions"; do
    # shellcheck disable=SC2086
    same "wrong request: $wrong" "$(curl -sS -o "$tmp/body" -w '%{http_code}' ${wrong#* })" "${wrong%% *}"
    check "wrong request: error object" jq -e .error.message "$tmp/body" >/dev/null
done
same "a chunked request is refused" \
    "$(curl -sS -o /dev/null -w '%{http_code}' -H 'transfer-encoding: chunked' -d '{}' "$url/v1/completions" 2>/dev/null)" 411
head -c 2000000 /dev/zero | tr '\0' a >"$tmp/long"
(printf '{"max_tokens":1,"prompt":"'; cat "$tmp/long"; printf '"}') >"$tmp/long.json"
same "a body of 2 MB (Expect: 100-continue)" \
    "$(curl -sS --data-binary "@$tmp/long.json" "$url/v1/completions" | jq .usage.prompt_tokens)" 500000
curl -sS "$url/metrics" >"$tmp/metrics"
for name in num_requests_running num_requests_waiting kv_cache_usage_perc gpu_cache_usage_perc prefix_cache_hits_total \
    prefix_cache_queries_total num_preemptions_total prompt_tokens_total time_to_first_token_seconds_sum; do
    check "metrics: $name" grep -q "^vllm:$name{engine=\"0\",model_name=\"sim\"} [0-9]" "$tmp/metrics"
done
tokens=$((20 * 3 + 5 + 128 + 6 + 1))
same "metrics: tokens" "$(sed -n 's/^vllm:generation_tokens_total.* //p' "$tmp/metrics")" $tokens
same "metrics: finished" "$(sed -n 's/^vllm:request_success_total.*"length".* //p' "$tmp/metrics")" 8
stop
check "truth: the kernel's stamp lies before the read, by less than a second" \
    jq -se 'map(select(.arrived_ns) | .received_ns - .arrived_ns) | length > 0 and min > -100000 and max < 1000000000' "$tmp/truth" >/dev/null
python3 "$here/../sim/truth.py" --json "$tmp/truth" >"$tmp/sum"
same "truth: requests, tokens, ends" "$(jq -c '[.requests, .tokens, .ends.done]' "$tmp/sum")" "[8,$tokens,8]"
check "truth: nothing before its time" jq -e '.lag_us.min >= 0 and .ttft_ms.min >= 10 and .tpot_ms.count == 5' "$tmp/sum" >/dev/null
same "summary line" "$(grep -o 'requests=8 length=8' "$tmp/out")" "requests=8 length=8"

# --- the same content in other clothes
for clothes in --crlf --no-space --comments "--split-writes 1" "--split-writes 7" "--tokens-per-event 6" --early-role \
    "--null --tokens-per-event 3" "--jitter 1ms" "--slots 4" "--crlf --no-space --comments --split-writes 3"; do
    fixed="--ttft 5ms --tpot 1ms"
    case $clothes in --null* | --slots*) fixed= ;; esac
    # shellcheck disable=SC2086
    start $fixed $clothes
    same "$clothes" "$(chat 20 true)" "0 200"
    same "$clothes: text" "$(texts)" "$text"
    same "$clothes: usage" "$(events | tail -1 | jq .usage.completion_tokens)" 20
    same "$clothes: end" "$(tr -d '\r' <"$tmp/body" | grep -c '^data: \{0,1\}\[DONE\]$')" 1
done
check "comments and CR LF are there" grep -q $'^: keep-alive\r$' "$tmp/body"
start --ttft 5ms --tpot 1ms --reasoning 5 --tokens-per-event 3
chat 20 true >/dev/null
same "reasoning comes first, 2 events" "$(events | jq -r '.choices[0]?.delta // empty | keys[0]' | tr '\n' ' ')" \
    "content reasoning_content reasoning_content content content content content content "
start --ttft 5ms --tpot 1ms --tool-calls
chat 4 true >/dev/null
same "tool calls" "$(events | jq -r '.choices[0]?.delta.tool_calls[0]?.function // empty | keys | join("+")' | tr '\n' ' ')" \
    "arguments+name arguments arguments arguments "
same "tool calls: finish" "$(events | jq -r '.choices[0]?.finish_reason // empty')" tool_calls
start --ttft 5ms --tpot 1ms --continuous-usage
chat 4 true >/dev/null
same "continuous usage" "$(events | jq .usage.completion_tokens | tr '\n' ' ')" "0 1 2 3 4 4 "
start --ttft 5ms --tpot 1ms --require-key k1 --close-after 1
same "no key" "$(chat 4 true)" "0 401"
check "no key: error object" jq -e .error.message "$tmp/body" >/dev/null
same "wrong key" "$(chat 4 true -H 'authorization: Bearer k')" "0 401"
same "right key" "$(chat 4 true -H 'authorization: Bearer k1')" "0 200"
same "--close-after 1" "$(curl -sS -o /dev/null -o /dev/null -w '%{num_connects}' "$url/health" "$url/health")" 11

# --- faults: options | curl's status and HTTP's | tokens received | end in the truth
while IFS='|' read -r options want tokens end; do
    # shellcheck disable=SC2086
    start --ttft 5ms --tpot 1ms --truth "$tmp/truth" --fault-after 3 $options
    same "$options" "$(chat 10 true -m 1)" "$want"
    same "$options: tokens" "$(events | jq -c 'select((.choices[0]?.delta?.content // "") != "")' 2>/dev/null | wc -l)" "$tokens"
    case $options in *error*) check "$options: error object" grep -q '^data: {"error":{' "$tmp/body" ;; esac
    case $options in
    *then-done | *garbage | *empty) same "$options: end" "$(grep -ac '^data: \[DONE\]$' "$tmp/body")" 1 ;;
    *) same "$options: no end" "$(grep -ac '^data: \[DONE\]$' "$tmp/body")" 0 ;;
    esac
    stop
    same "$options: truth" "$(jq -r '"\(.end) \(.tokens)"' "$tmp/truth")" "$end"
done <<'FAULTS'
--fault-status 503|0 503|0|status 0
--fault-status 429 --retry-after 7|0 429|0|status 0
--fault-stream-error|0 200|3|stream-error 3
--fault-error-then-done|0 200|3|error-then-done 3
--fault-truncate|18 200|3|truncate 3
--fault-stall|28 200|3|stall 3
--fault-reset|56 200|3|reset 3
--fault-garbage|0 200|3|done 10
--fault-empty|0 200|0|empty 0
--fault-no-done|0 200|10|no-done 10
FAULTS
start --ttft 1ms --tpot 1ms --fault-slow-bytes --slow-gap 1ms
same "--fault-slow-bytes" "$(chat 3 true)" "0 200"
same "--fault-slow-bytes: all tokens" "$(events | wc -l)" 5
start --ttft 0 --tpot 0 --fault-status 500 --fault-rate 0.5 --seed 9
seen=$(for _ in $(seq 40); do chat 1 true; done | sort | uniq -c | awk '{print $3 ":" $1}' | tr '\n' ' ')
start --ttft 0 --tpot 0 --fault-status 500 --fault-rate 0.5 --seed 9
same "--fault-rate: the same requests again" \
    "$(for _ in $(seq 40); do chat 1 true; done | sort | uniq -c | awk '{print $3 ":" $1}' | tr '\n' ' ')" "$seen"
case $seen in "200:"*" 500:"*) ;; *) echo "FAILED: --fault-rate 0.5: $seen"; failed=1 ;; esac

# --- a queue is seen: two slots, six requests four of them wait
start --slots 2 --step-base 20ms
for _ in 1 2 3 4 5 6; do
    curl -sSN -o /dev/null -m 20 -d '{"prompt":"x","max_tokens":50,"stream":true}' "$url/v1/completions" &
    jobs="${jobs:-} $!"
done
for _ in $(seq 100); do
    curl -sS "$url/metrics" >"$tmp/metrics"
    # both at once: within a step five may have come, one runs and four wait for its end
    grep -q '^vllm:num_requests_waiting{.*} 4$' "$tmp/metrics" && grep -q '^vllm:num_requests_running{.*} 2$' "$tmp/metrics" && break
    sleep 0.02
done
check "two are running" grep -q '^vllm:num_requests_running{.*} 2$' "$tmp/metrics"
check "four are waiting" grep -q '^vllm:num_requests_waiting{.*} 4$' "$tmp/metrics"
# shellcheck disable=SC2086
wait $jobs
same "all six end" "$(curl -sS "$url/metrics" | sed -n 's/^vllm:request_success_total.*"length".* //p')" 6

# --- out of descriptors: what is open continues, further connections are closed, the log stays short
if command -v prlimit >/dev/null; then
    start --ttft 300ms --tpot 1ms --log-level warn 2>"$tmp/err"
    for fd in $(ls /proc/$sim/fd); do most=$fd; done
    prlimit --pid $sim --nofile=$((most + 4))
    jobs=
    for i in 1 2 3 4 5 6 7 8; do
        curl -sSN -o "$tmp/many.$i" -m 20 -d '{"prompt":"x","max_tokens":3,"stream":true}' "$url/v1/completions" 2>/dev/null &
        jobs="$jobs $!"
    done
    # shellcheck disable=SC2086
    wait $jobs
    served=$(cat "$tmp"/many.* | grep -c '^data: \[DONE\]$')
    check "out of descriptors: some are served, some refused (served $served of 8)" [ "$served" -ge 1 -a "$served" -lt 8 ]
    same "out of descriptors: said once" "$(grep -c 'out of descriptors' "$tmp/err")" 1
    same "out of descriptors: served again" "$(chat 3 true)" "0 200"
fi

# --- command line
same "two listeners" "$("$bin/plateau-sim" --listen 127.0.0.1:0 --listen 127.0.0.1:0 --exit-after 1ms | grep -c '^listening on 127.0.0.1:[1-9]')" 2
for wrong in "--slots 0" "--tokens 0" "--fault-rate 2" "--fault-status 200" "--truth-tokens" "--listen nowhere" "--ttfft 1ms" "--null --fault-stall"; do
    # shellcheck disable=SC2086
    "$bin/plateau-sim" --exit-after 1ms $wrong >/dev/null 2>"$tmp/err"
    same "$wrong: status" $? 2
    check "$wrong: a sentence" grep -q '^plateau-sim: ' "$tmp/err"
done
stop
[ $failed = 0 ] && echo "sim_curl: all as wanted"
exit $failed

#!/usr/bin/env bash
# Guess:   an unknown model is refused; of max_tokens and max_completion_tokens the smaller or the older one wins; a cut response of the Responses API is
#          "incomplete"; prompt_tokens_total counts the prompts' tokens.
# Instead: llama-server answers for any model name; max_completion_tokens wins, also when it is the greater; a cut response is "completed";
#          llamacpp:prompt_tokens_total leaves out what came from the cache (vLLM's counter of that name includes it).
# So:      a load test of the wrong model passes; lengths are read from usage; a hit rate is cached / (prompt + cached) here.
. "$(dirname "$0")/lib.sh"
debian curl
llama_server 1
guess "404; 3 tokens; incomplete; all tokens of both prompts"
chat='{"model": "no-such-model", "messages": [{"role": "user", "content": "Name the days of the week, please."}], "ignore_eos": true, "max_tokens": 3, "max_completion_tokens": 5}'
first=$(ask /v1/chat/completions "$chat" -w '\n%{http_code}')
is "status for an unknown model" "$(tail -n 1 <<<"$first")" 200
has "max_tokens 3, max_completion_tokens 5" "$first" '"completion_tokens":5'
second=$(ask /v1/chat/completions "$chat")
prompts=$(printf '%s\n%s\n' "$(head -n 1 <<<"$first")" "$second" | python3 -c 'import json, sys; u = [json.loads(l)["usage"] for l in sys.stdin]; print(sum(x["prompt_tokens"] for x in u), sum(x["prompt_tokens_details"]["cached_tokens"] for x in u))')
metrics=$(ask /metrics '' -X GET)
counted=$(awk '$1 == "llamacpp:prompt_tokens_total" {print $2}' <<<"$metrics")
seen "usage of two equal prompts: tokens and cached tokens $prompts; llamacpp:prompt_tokens_total $counted"
is "the counter is tokens less cached tokens" "$(awk -v c="$counted" '{print (c == $1 - $2 && $2 > 1) ? "yes" : "no"}' <<<"$prompts")" yes
responses=$(ask /v1/responses '{"model": "x", "input": "Tell me a long story.", "max_output_tokens": 4}')
has "output tokens of a cut response" "$responses" '"output_tokens":4'
hasnt "status of a cut response" "$responses" 'incomplete'

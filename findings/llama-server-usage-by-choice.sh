#!/usr/bin/env bash
# Guess:   with `n: 2` and `include_usage`, llama.cpp's server streams both answers and ends with one usage that counts the tokens of both.
# Instead: each choice ends with a usage chunk of its own, which counts that choice alone, and nothing sums them up.
# So:      a client that takes the last usage for the whole answer, as the API describes it, sees half of the tokens; add them up, or count events.
. "$(dirname "$0")/lib.sh"
debian curl jq
llama_server 2
guess "one usage chunk, with 16 completion tokens for two answers of 8"
body='{"model": "m", "messages": [{"role": "user", "content": "Count from one to twenty in words."}], "n": 2, "max_tokens": 8, "stream": true, "stream_options": {"include_usage": true}, "temperature": 0}'
answer=$(ask /v1/chat/completions "$body")
choices=$(sed -n 's/^data: //p' <<<"$answer" | grep -v DONE | jq -r '.choices[]?.index' | sort -u | wc -l)
is "choices that were streamed" "$choices" 2
usages=$(sed -n 's/^data: //p' <<<"$answer" | grep -v DONE | jq -c 'select(.usage != null) | .usage.completion_tokens' | tr '\n' ' ')
is "usage chunks and their completion tokens" "${usages% }" "8 8"

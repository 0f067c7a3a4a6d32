#!/usr/bin/env bash
# Guess:   a 429 or 503 of the server reaches LiteLLM's client at once, with the server's Retry-After.
# Instead: the server is asked three times for one request. Retry-After is waited for between the attempts and once more after the last, and it is not in the
#          response's head under its own name.
# So:      requests that fail are three requests for the server; one that succeeds may have waited for two refusals, all in its TTFT.
. "$(dirname "$0")/lib.sh"
debian curl
litellm_proxy
guess "1 request, at once, Retry-After: 1"
for model in a b; do
  code=$([ $model = a ] && echo 429 || echo 503)
  : >"$log"
  before=$(date +%s%N)
  out=$(ask /v1/chat/completions "{\"model\": \"$model\", \"stream\": true, \"messages\": [{\"role\": \"user\", \"content\": \"status $code\"}]}" "${auth[@]}" -i)
  ms=$((($(date +%s%N) - before) / 1000000))
  has "head" "$out" "HTTP/1.1 $code"
  is "requests that the server got for one request ($code)" "$(grep -c "status $code" "$log")" 3
  seen "after $ms ms"
  is "waited for three times a second" "$([ "$ms" -ge 2900 ] && echo yes || echo no)" yes
  has "in the head" "$(tr -d '\r' <<<"$out")" '^llm_provider-retry-after: 1'
  hasnt "in the head" "$(tr -d '\r' <<<"$out")" '^[Rr]etry-[Aa]fter:'
done

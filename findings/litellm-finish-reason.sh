#!/usr/bin/env bash
# Guess:   LiteLLM's proxy passes on why an answer ended.
# Instead: a finish_reason that it does not know, "abort" (vLLM, SGLang: cut off) among them, and an answer without one become "stop". What becomes of "error"
#          depends on the provider in the model's name: an error event through openai/, "stop" through hosted_vllm/.
# So:      behind this gateway answers that were cut off count as whole ones. Compare their lengths with what was asked for.
. "$(dirname "$0")/lib.sh"
debian curl
litellm_proxy
guess "abort stays abort, none stays none, error is an error"
for model in a b; do
  for end in abort none error; do
    out=$(ask /v1/chat/completions "{\"model\": \"$model\", \"stream\": true, \"messages\": [{\"role\": \"user\", \"content\": \"finish $end\"}]}" "${auth[@]}" -w '\nstatus %{http_code}\n')
    got=$(grep -oE '"finish_reason":"[a-z]+"|"error": ?\{|status [0-9]+' <<<"$out" | tr -d '"{ ' | tr '\n' ' ')
    want="finish_reason:stop status200 "
    if [ "$model $end" = "a error" ]; then want="error: status200 "; fi
    is "$( [ $model = a ] && echo openai/ || echo hosted_vllm/ ), upstream ends with $end" "$got" "$want"
  done
done

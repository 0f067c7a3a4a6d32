#!/usr/bin/env bash
# Guess:   LiteLLM's proxy asks the server for as many output tokens as its client asked for.
# Instead: behind a model of the provider openai/, /v1/responses and /v1/messages go to the server's responses API, and there a limit below 16 becomes 16: OpenAI
#          takes no smaller one. The same limit on /v1/chat/completions, and behind hosted_vllm/, stays.
# So:      a load test with short answers through this gateway makes longer ones, and its latencies and rates are theirs. Ask for 16 or more.
. "$(dirname "$0")/lib.sh"
debian curl
litellm_proxy
guess "a limit of 8 is 8 for the server"
sent() { # PATH MODEL MEMBER: what the server was asked for first; its answer is of another API, which does not matter here
  local before
  before=$(wc -l <"$log")
  ask "$1" "{\"model\": \"$2\", \"$3\": 8, \"stream\": true, \"input\": \"hello\", \"messages\": [{\"role\": \"user\", \"content\": \"hello\"}]}" "${auth[@]}" >/dev/null || true
  tail -n "+$((before + 1))" "$log" | grep -oE '"max_[a-z_]*tokens": [0-9]+' | head -n 1
}
is "openai/: /v1/chat/completions, max_tokens 8" "$(sent /v1/chat/completions a max_tokens)" '"max_tokens": 8'
is "openai/: /v1/responses, max_output_tokens 8" "$(sent /v1/responses a max_output_tokens)" '"max_output_tokens": 16'
is "openai/: /v1/messages, max_tokens 8" "$(sent /v1/messages a max_tokens)" '"max_output_tokens": 16'
is "hosted_vllm/: /v1/messages, max_tokens 8" "$(sent /v1/messages b max_tokens)" '"max_tokens": 8'

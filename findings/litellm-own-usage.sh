#!/usr/bin/env bash
# Guess:   a usage chunk that comes through LiteLLM's proxy is the server's; without stream_options the server is not asked for one.
# Instead: the proxy asks the server for usage whatever the client asked for. Where the server sends none and the client wants one, the proxy counts with a
#          tokenizer of its own and sends that, with nothing that tells it from a server's.
# So:      token counts behind this gateway may be another tokenizer's. Compare them once with counts taken at the server.
. "$(dirname "$0")/lib.sh"
debian curl
litellm_proxy
guess "no usage, since the server has none; no stream_options in what the server gets"
body='"model": "a", "stream": true, "messages": [{"role": "user", "content": "hello"}]'
out=$(ask /v1/chat/completions "{$body, \"stream_options\": {\"include_usage\": true}}" "${auth[@]}")
has "usage from a server that sends none" "$out" '"usage":\{"completion_tokens":[0-9]+,"prompt_tokens":[0-9]+,"total_tokens":[0-9]+'
out=$(ask /v1/chat/completions "{$body}" "${auth[@]}")
hasnt "usage for a client that did not ask" "$out" '"usage":\{'
has "what the server was sent for that client" "$(tail -n 1 "$log")" '"stream_options": \{"include_usage": true\}'

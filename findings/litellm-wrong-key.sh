#!/usr/bin/env bash
# Guess:   LiteLLM's proxy refuses a request without a key, or with a wrong one, with status 401 and says that it is the key.
# Instead: installed as litellm[proxy], without a database, it answers a wrong key with 400 "No connected db.", and no key with 500 "Internal Server Error" in
#          plain text: on the way to its refusal it imports a package (prisma) that this installation does not bring.
# So:      a missing key looks like a broken server there: a client that tries again after 5xx does so for nothing, and a load test counts server errors.
. "$(dirname "$0")/lib.sh"
debian curl
litellm_proxy
guess "401, with a JSON error, for both"
body='{"model": "a", "stream": true, "messages": [{"role": "user", "content": "finish stop"}]}'
right=$(ask /v1/chat/completions "$body" "${auth[@]}" -w '\n%{http_code}')
is "status with the right key" "$(tail -n 1 <<<"$right")" 200
wrong=$(ask /v1/chat/completions "$body" -H 'authorization: Bearer sk-0123456789abcdef' -w '\n%{http_code}')
is "status with a wrong key" "$(tail -n 1 <<<"$wrong")" 400
seen "$(head -n 1 <<<"$wrong")"
none=$(ask /v1/chat/completions "$body" -w '\n%{http_code} %{content_type}')
is "status and type without a key" "$(tail -n 1 <<<"$none")" "500 text/plain; charset=utf-8"
is "the answer" "$(head -n 1 <<<"$none")" "Internal Server Error"
has "the proxy's log" "$(cat "$dir/litellm.log")" "ModuleNotFoundError: No module named 'prisma'"

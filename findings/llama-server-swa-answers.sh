#!/usr/bin/env bash
# Guess:   the next turn of a conversation finds all in llama-server's cache that the slot holds: the prompt before and the answer to it.
# Instead: with a model that has a sliding window (Gemma 3) it finds the prompt before, but for its last few tokens, and the whole answer is read again, also where the
#          conversation is far shorter than the window: the server goes back to the checkpoint it made before the answer. With swa_full (--swa-full) the answer is found too.
# So:      cached tokens of turn n are about the input tokens of turn n-1; a hit rate below what conversations repeat is no fault of the client or of its prompts.
. "$(dirname "$0")/lib.sh"
debian curl
guess "cached tokens of the second turn: the first prompt and its answer"
turns() { # prints: prompt and answer of the first turn, cached tokens of the second
  python3 - "$port" <<'P'
import json, sys, urllib.request
url = f"http://127.0.0.1:{sys.argv[1]}/v1/completions"
def ask(prompt, n):
    body = {"prompt": prompt, "max_tokens": n, "temperature": 0, "ignore_eos": True, "return_tokens": True}
    answer = json.load(urllib.request.urlopen(urllib.request.Request(url, json.dumps(body).encode(), {"content-type": "application/json"})))
    return answer["choices"][0]["text"], answer["usage"]
prompt = "Some days of the week are Monday, Tuesday and Friday. Some months of the year are May, June and July. Now count from one on: one, two, three,"
text, first = ask(prompt, 40)
_, second = ask(prompt + text + " and so on, until the end of the", 4)
print(first["prompt_tokens"], first["completion_tokens"], second["prompt_tokens_details"]["cached_tokens"])
P
}
llama_server 1
read -r prompt answer cached <<<"$(turns)"
seen "default: a prompt of $prompt tokens and an answer of $answer; the next turn has $cached tokens from the cache"
is "no more than the prompt, and most of it" "$([ "$cached" -le "$prompt" ] && [ "$cached" -ge $((prompt - 8)) ] && echo yes)" yes
kill "${started[-1]}"
sed -i 's/^server = /p.swa_full = True\nserver = /' "$dir/llama_server.py"
port=$(free_port)
background "$dir/full.log" "$dir/py/bin/python" "$dir/llama_server.py" "$dir/model.gguf" 1 "$port"
for _ in $(seq 300); do curl -sf "http://127.0.0.1:$port/health" >/dev/null && break; sleep 0.2; done
read -r prompt answer cached <<<"$(turns)"
seen "swa_full: a prompt of $prompt tokens and an answer of $answer; the next turn has $cached tokens from the cache"
is "nearly all of both" "$([ "$cached" -ge $((prompt + answer - 3)) ] && echo yes)" yes

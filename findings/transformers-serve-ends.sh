#!/usr/bin/env bash
# Guess:   `transformers serve` streams as OpenAI's API does: the last event is [DONE]; a prompt that is longer than the model's context is refused.
# Instead: there is no [DONE]: the body ends after the event with the finish reason, which has usage, asked for or not. A prompt of three times the positions that the
#          model's configuration has is answered with status 200 and text.
# So:      a client that waits for [DONE] counts every stream as cut; a load test with prompts that are too long measures answers that mean nothing.
. "$(dirname "$0")/lib.sh"
debian curl
pip_install 'transformers[serving]==5.24.0' torch==2.15.0
letter_tokenizer "$dir/model"
"$dir/py/bin/python" - "$dir/model" <<'P' 2>/dev/null
import sys
import torch
from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM
tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
tokenizer.chat_template = "{% for m in messages %}{{ m['content'] }}{% endfor %}"
tokenizer.eos_token = tokenizer.pad_token = "<unk>"
tokenizer.save_pretrained(sys.argv[1])
torch.manual_seed(1)
LlamaForCausalLM(LlamaConfig(vocab_size=len(tokenizer), hidden_size=32, intermediate_size=64, num_hidden_layers=1, num_attention_heads=2, max_position_embeddings=256)).save_pretrained(sys.argv[1])
P
port=$(free_port)
HF_HUB_OFFLINE=1 TRANSFORMERS_OFFLINE=1 background "$dir/serve.log" "$dir/py/bin/transformers" serve "$dir/model" --host 127.0.0.1 --port "$port"
wait_port "$port" 300 || { tail -5 "$dir/serve.log" >&2; exit 1; }
guess "[DONE] at the end; 4xx for 768 tokens where the model has 256 positions"
request() { # LETTERS: a prompt of so many tokens
  ask /v1/chat/completions "{\"model\": \"$dir/model\", \"stream\": true, \"max_tokens\": 4, \"messages\": [{\"role\": \"user\", \"content\": \"$(head -c "$1" /dev/zero | tr '\0' a)\"}]}" -w '\nstatus %{http_code}\n'
}
short=$(request 8)
is "status" "$(tail -n 1 <<<"$short")" "status 200"
hasnt "the stream" "$short" '\[DONE\]'
has "its last event, usage unasked" "$(grep '^data:' <<<"$short" | tail -n 1)" '"finish_reason":"[a-z]+".*"usage":\{[^}]*\}'
long=$(request 768)
is "status for 768 tokens" "$(tail -n 1 <<<"$long")" "status 200"
has "its usage" "$long" '"prompt_tokens":76[0-9]'

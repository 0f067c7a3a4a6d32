#!/usr/bin/env bash
# Hit rates of real prefix caches, by plateau beside what a model in Python (reuse.py) says of the same file, and the server's own counters. Installs and starts servers as servers.sh
# does.   tests/real/reuse.sh vllm|llamacpp
# vllm: traces with hash ids of blocks of 16 and 512 tokens, made here so that they fit the tiny model, one request at a time: usage and the server's counters must be within
# 2 % of what the trace's blocks allow. Its own blocks are of 32 tokens (CPU knows multiples of 32 only; the default there is 128), and it knows whole ones only; the last token of a
# prompt is never looked up. Then conversations with the server's answers, and with recorded ones.
# llamacpp: conversations; cached tokens must grow turn by turn.
set -euo pipefail
name=${1:?vllm or llamacpp}
set -- "$name"
# shellcheck source=tests/real/servers.sh
. "$(dirname "$0")/servers.sh"
seed=${REUSE_SEED:-$(date +%s)}


hits() { counter "${hit[@]}"; }
queries() { counter "${query[@]}"; }
ask() { # WORKLOAD LOAD
  local h q
  printf 'plan: 1\ntarget: {url: "%s", model: "%s", metrics_url: "%s", lengths: measured, timeouts: {first_token: 10m, idle: 10m, total: 20m}}\nworkload: {%s}\nload: {%s, warmup: 0s}\nrecord: {requests: true}\n' \
    "$url" "$model" "$metrics" "$1" "$2" >"$dir/plan.yaml"
  rm -rf "$dir/run"
  "$bin/plateau" probe "$dir/plan.yaml" >/dev/null 2>&1 # from now on its prompts are known to the cache, and a probe counts the same each time
  h=$(hits) q=$(queries)
  "$bin/plateau" probe "$dir/plan.yaml" >/dev/null 2>&1
  h=$((2 * $(hits) - h)) q=$((2 * $(queries) - q)) # with the run's own probe
  "$bin/plateau" run "$dir/plan.yaml" --local 1 --out "$dir/run" >"$dir/out.log" 2>"$dir/err.log" || true
  [ -s "$dir/run/summary.json" ] || { cat "$dir/err.log" >&2; exit 1; }
  h=$(($(hits) - h)) q=$(($(queries) - q))
  hit_rate=("$h" "$q")
  check "$3: every request ended ok, and the ledger balances" '[.points[].ledger | .due == .ok] | all and length > 0'
  tr '\n' ' ' <"$dir/out.log" | grep -oE 'Prompts repeat[^.]*\.[^.]*\.[^.]*\.[0-9 %a-z,]*\.'
}
judge() { python3 tests/real/reuse.py "$@" || failed=1; }
case_trace() { # FORM BLOCK ROWS
  echo "--- $1"
  python3 tests/real/reuse.py make "$1" "$dir/trace.jsonl" "$seed" "$3" "$2" 3900
  ask "trace: {file: trace.jsonl, format: $1}" 'concurrency: 1, passes: 1' "$1"
  judge trace "$dir/run" "$dir/trace.jsonl" "$2" "$block" "${hit_rate[@]}"
}
case_talks() { # WORDS WORKLOAD
  echo "--- conversations: $1"
  ask "$2" 'concurrency: 2, requests: 40' "$1"
  "$bin/plateau" export "$dir/run" --to requests-csv >/dev/null
  judge turns "$dir/run" "$block" "$short" "${hit_rate[@]}"
}
own='sessions: {turns: 5, history: own}, synthetic: {input_tokens: 60, output_tokens: 24}'
case $name in
vllm)
  block=32 short=0
  start_vllm --max-model-len 4096 --block-size $block --enable-prompt-tokens-details
  hit=(vllm:prefix_cache_hits_total) query=(vllm:prefix_cache_queries_total)
  case_trace bailian 16 80
  seed=$((seed + 1)) # other ids
  case_trace mooncake 512 60
  case_talks 'its own answers' "$own"
  python3 tests/real/reuse.py talks "$dir/talks.json" "$seed"
  case_talks 'recorded answers' 'sessions: {history: recorded}, dataset: {file: talks.json, format: sharegpt}'
  ;;
llamacpp)
  block=1 short=8 # it goes back to the checkpoint before the answer (findings/llama-server-swa-answers.sh)
  start_llamacpp
  hit=(llamacpp:prompt_tokens_cached_total) query=(llamacpp:prompt_tokens_total llamacpp:prompt_tokens_cached_total)
  case_talks 'its own answers' "$own"
  ;;
esac
exit $failed

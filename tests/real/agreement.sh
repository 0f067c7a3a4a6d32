#!/usr/bin/env bash
# Do vLLM's own clients (`vllm bench serve` in Python and in Rust), AIPerf and plateau agree on vLLM's server on CPU, with a model of random weights? Interleaved rounds with the
# same prompts and lengths; agreement.py says what is compared, what the noise is, and which differences have a name. Status 1 where one has none.
#   tests/real/agreement.sh [CLIENT…] [--streams 4,8] [--rounds 3] [--laps 6] [--tokens 64]
# The server has the first core, the clients have the others. Installs as servers.sh does (vllm, 6 GB), and the clients as tests/bench/peers does (1 GB).
set -euo pipefail
options=("$@")
set -- vllm
# shellcheck source=tests/real/servers.sh
. "$(dirname "$0")/servers.sh"
IFS=, read -r first rest <<<"$(python3 -c 'import os; print(",".join(map(str, sorted(os.sched_getaffinity(0)))))')"
[ -n "$rest" ] || { echo 'needs two cores' >&2; exit 1; }
pin=(taskset -c "$first")
start_vllm --no-enable-prefix-caching # every client's prompts are new to it
[ -e "$root/bench" ] || { "$root/py/bin/uv" pip install -q --python "$root/py/bin/python" pandas==3.1.1; touch "$root/bench"; } # its client reads prompts with it
python3 tests/real/agreement.py "${bin%/bin}" "${options[@]}" --url "${url%/v1/*}" --model "$model" --vllm "$root/py" --cores "$rest" || failed=1
exit "$failed"

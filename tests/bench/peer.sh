#!/bin/bash
# The engine beside another client, in one run: peer.sh BIN_DIR PEER [paced STREAMS RATE | flat] [ROUNDS]
#   PEER   the program of vLLM's Rust benchmark client (vllm-rs in its package), or of AIPerf or GuideLLM, which are known by the file names aiperf and guidellm
#   paced  STREAMS requests in flight at RATE token/s each (1000 at 20), TTFT 200 ms, begun evenly over a second (RAMP=0: all at once)
#   flat   64 streams x 128 tokens, as fast as they come
#   READERS="raw peer ours ours-0" runs these only; ours wakes at most once in 500 us (the plan's default), ours-0 for every packet; raw is the raw reader
# The endpoint has core 0, the client core 1 with all its threads and processes. All send the same number of requests. CPU is user and system time of the whole
# process and its children, less that of the same program with one request of one token (its start), for each token that the simulator's truth file says was sent.
# It also says what the TTFT was. The table shows medians of the rounds.
set -eu
usage() { sed -n '2,10s/^# \?//p' "$0"; exit 2; }
[ $# -ge 2 ] || usage
bin=$1; peer=$2; mode=${3:-paced}; kind=vllm; laps=3; readers="peer ours ours-0"
sub=(); if [ "${peer##*/}" = vllm-rs ]; then sub=(bench serve); fi
case ${peer##*/} in aiperf | guidellm) kind=${peer##*/}; laps=9; readers="raw $readers" ;; esac
case $mode in
    paced) slots=${4:-1000}; rate=${5:-20}; rounds=${6:-5}; ramp=${RAMP:-1}; tokens=$((rate * 4)); span=4200; requests=$((slots * laps)) # a request lasts 4.2 s
        pace=(--ttft 200ms --tpot "$((1000000 / rate))us") ;;
    flat) slots=64; rounds=${4:-5}; ramp=0; tokens=128; span=1; requests=16384; pace=(--null) ;;
    *) usage ;;
esac
[ -x "$peer" ] || { echo "$peer: no such program"; exit 2; }
[ "$(nproc)" -ge 2 ] || { echo "needs two cores"; exit 77; }
ulimit -n "$(ulimit -Hn)"
here=$(dirname "$0"); dir=$(mktemp -d); sim=
trap 'if [ -n "$sim" ]; then kill "$sim" 2>/dev/null || true; wait "$sim" || true; fi; rm -rf "$dir"' EXIT
arrivals=inf; [ "$ramp" = 0 ] || arrivals=$((slots / ramp))

# What the peer wants to have: a tokenizer that costs nothing to load, and the prompt.
echo '{"version": "1.0", "added_tokens": [], "pre_tokenizer": {"type": "Whitespace"},
       "model": {"type": "WordLevel", "vocab": {"?": 0}, "unk_token": "?"}}' >"$dir/tokenizer.json"
echo '{"prompt": "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen"}' >"$dir/prompts.jsonl"
if [ "$kind" != vllm ]; then # AIPerf finds a tokenizer offline in the hub's cache only
    echo '{"tokenizer_class": "PreTrainedTokenizerFast", "unk_token": "?"}' >"$dir/tokenizer_config.json"
    sed -i 's/"prompt"/"text"/' "$dir/prompts.jsonl"
    hub="$dir/models--peer--words"; mkdir -p "$hub/refs" "$hub/snapshots"; printf 0 >"$hub/refs/main"; ln -s "$dir" "$hub/snapshots/0"
    export HF_HUB_OFFLINE=1 HF_HUB_CACHE="$dir"
fi

endpoint() { # starts a simulator with an empty truth file; its port is in $port
    rm -f "$dir/port"
    taskset -c 0 "$bin/bin/plateau-sim" --listen 127.0.0.1:0 --port-file "$dir/port" --exit-after 600s --truth "$dir/truth" "${pace[@]}" >"$dir/sim.log" 2>&1 &
    sim=$!
    for _ in $(seq 100); do [ -s "$dir/port" ] && break; sleep 0.05; done
    port=$(cat "$dir/port")
}
client() { # READER SLOTS REQUESTS TOKENS RAMP ARRIVALS: runs it, prints its user and system seconds
    local reader=$1 url="http://127.0.0.1:$port" cmd
    [ "$reader" != peer ] || reader=$kind
    case $reader in
        vllm) cmd=("$peer" "${sub[@]}" --backend openai-chat --base-url "$url" --model sim --tokenizer "$dir" --dataset-name custom
            --dataset-path "$dir/prompts.jsonl" --custom-output-len "$4" --num-prompts "$3" --max-concurrency "$2" --request-rate "$6" --burstiness inf
            --skip-chat-template --disable-tqdm --no-steady-state --save-result --result-dir "$dir" --result-filename result) ;;
        aiperf) cmd=("$peer" profile --url "$url" --model sim --tokenizer peer/words --streaming --input-file "$dir/prompts.jsonl" --custom-dataset-type single_turn
            --extra-inputs "max_tokens:$4" --request-count "$3" --concurrency "$slots" --use-server-token-count --ui none --no-gpu-telemetry --no-server-metrics
            --export-level summary --artifact-dir "$dir")
            [ "$5" = 0 ] || cmd+=(--concurrency-ramp-duration "$5") ;;
        guidellm) cmd=("$peer" run --backend "kind=openai_http,target=$url,model=sim" --profile "kind=concurrent,streams=$slots,rampup_duration=$5"
            --constraint "kind=max_requests,count=$3" --tokenizer "kind=huggingface_auto,model=$dir" --data "kind=synthetic_text,prompt_tokens=16,output_tokens=$4"
            --output "kind=json,path=$dir/result.json" --disable-console) ;;
        raw) cmd=("$bin/bench/raw_reader" --port "$port" --slots "$2" --tokens "$4" --ramp "${5}s" --duration "$(($3 / $2 * span))ms") ;;
        *) cmd=("$bin/bench/bench_engine" --url "$url/v1/chat/completions" --slots "$2" --requests "$3" --tokens "$4" --ramp "${5}s" --workers 1 --quantum)
            if [ "$reader" = ours ]; then cmd+=(500us); else cmd+=("${reader#ours-}"); fi ;;
    esac
    local TIMEFORMAT='%3U %3S'
    { time timeout --foreground 300 taskset -c 1 "${cmd[@]}" >"$dir/out" 2>"$dir/err"; } 2>&1 || { cat "$dir/out" "$dir/err" >&2; return 1; }
}
run() { # READER: one line of JSON
    endpoint
    if [ "$1" = raw ]; then # counts for itself, as it has no number of requests to end at
        client raw "$slots" "$requests" "$tokens" "$ramp" inf >"$dir/cpu"
        kill "$sim"; wait "$sim" || true; sim=
        jq -c '{us: .cpu_us_per_token, per_s: .tokens_per_s}' "$dir/out"
        return
    fi
    client "$1" 1 1 1 0 inf >"$dir/start"
    client "$1" "$slots" "$requests" "$tokens" "$ramp" "$arrivals" >"$dir/cpu"
    kill "$sim"; wait "$sim" || true; sim=
    local said="$dir/out" shape='{completed: .counters.ok, n: .ttft.n, per_s: .tokens_per_s, mean: (.ttft.mean / 1e3), p99: (.ttft.p99 / 1e3)}'
    case $1-$kind in
        peer-vllm) said="$dir/result" shape='{completed, n: .completed, per_s: .output_throughput, mean: .mean_ttft_ms, p99: .p99_ttft_ms}' ;;
        peer-aiperf) said="$dir/profile_export_aiperf.json" shape='{completed: .request_count.avg, n: .request_count.avg, per_s: .output_token_throughput.avg}
            + (.time_to_first_token | {mean: .avg, p99})' ;;
        peer-guidellm) said="$dir/result.json" shape='.benchmarks[0].metrics | {completed: .request_totals.successful, n: .request_totals.successful,
            per_s: .output_tokens_per_second.successful.mean} + (.time_to_first_token_ms.successful | {mean, p99: .percentiles.p99})' ;;
    esac
    jq -c "$shape" "$said" >"$dir/said"
    sed 1d "$dir/truth" | jq -sc 'sort_by(.received_ns)[]' >"$dir/all" # without the request of the start
    tail -n "$(jq .n "$dir/said")" "$dir/all" >"$dir/counted"          # the engine leaves out the requests of the ramp
    python3 "$here/../sim/truth.py" --json "$dir/counted" >"$dir/true"
    local sent; sent=$(jq -sc '{requests: length, tokens: (map(.tokens) | add)}' "$dir/all")
    jq -c --slurpfile true "$dir/true" --arg start "$(cat "$dir/start")" --arg cpu "$(cat "$dir/cpu")" --argjson requests "$requests" --argjson sent "$sent" '
        def seconds: split(" ") | map(tonumber) | add;
        if .completed != $requests or $sent.requests != $requests then error("\(.completed) of \($requests) completed, \($sent.requests) sent") else . end
        | .start_ms = ($start | seconds * 1e3) | .us = (($cpu | seconds) - ($start | seconds)) * 1e6 / $sent.tokens
        | ($true[0].ttft_arrived_ms // $true[0].ttft_ms) as $t | .true_mean = $t.mean | .true_p99 = $t.p99' "$dir/said"
}
read -ra names <<<"${READERS:-$readers}"
for _ in $(seq "$rounds"); do
    for name in "${names[@]}"; do run "$name" >>"$dir/$name.rounds"; done
done
median() { sort -g | awk '{v[NR] = $1} END {print v[int((NR + 1) / 2)]}'; }
column() { jq -r "$2 // \"-\"" "$dir/$1.rounds" | median; } # READER FIELD
cell() { # NAME FIELD WIDTH DECIMALS
    local value; value=$(column "$1" "$2")
    if [ "$value" = - ]; then printf ' %*s' "$3" -; else printf ' %*.*f' "$3" "$4" "$value"; fi
}
printf '%-8s %12s %14s %10s %9s %10s %10s %10s %10s\n' reader "CPU us/token" "token/s a core" "token/s" "start ms" "TTFT mean" "true mean" "TTFT p99" "true p99"
for name in "${names[@]}"; do
    printf '%-8s' "$name"
    cell "$name" .us 12 3; cell "$name" '(1e6 / .us)' 14 0; cell "$name" .per_s 10 0; cell "$name" .start_ms 9 0
    for field in mean true_mean p99 true_p99; do
        if [ "$mode" = flat ]; then printf ' %10s' -; else cell "$name" ".$field" 10 2; fi
    done
    echo
done
for name in "${names[@]}"; do # of the same round, so that a busy neighbour spoils one pair and not the median
    [ "$name" != peer ] && [ -s "$dir/peer.rounds" ] || continue
    paste <(jq .us "$dir/$name.rounds") <(jq .us "$dir/peer.rounds") | awk '{print $1 / $2}' | sort -g >"$dir/ratios"
    awk -v name="$name" '{v[NR] = $1} END {m = v[int((NR + 1) / 2)]
        printf "%s / peer: CPU per token %.3f (%.3f to %.3f in %d rounds), token/s a core x %.1f\n", name, m, v[1], v[NR], NR, 1 / m}' "$dir/ratios"
done

#!/bin/bash
# The engine beside vLLM's Rust benchmark client, in one run: peer.sh BIN_DIR VLLM_BENCH [paced STREAMS RATE | flat] [ROUNDS]
#   paced  STREAMS requests in flight at RATE token/s each (1000 at 20), TTFT 200 ms, begun evenly over a second (RAMP=0: all at once)
#   flat   64 streams x 128 tokens, as fast as they come
#   READERS="peer ours ours-0" runs these only; ours wakes at most once in 500 us (the plan's default), ours-0 for every packet
# The endpoint has core 0, the client core 1 with all its threads. Both send the same number of requests. CPU is user and system time of the whole process, less
# that of the same program with one request of one token (its start). The simulator's truth file says what the TTFT was. The table shows medians of the rounds.
set -eu
usage() { sed -n '2,7s/^# \?//p' "$0"; exit 2; }
[ $# -ge 2 ] || usage
bin=$1; peer=$2; mode=${3:-paced}
case $mode in
    paced) slots=${4:-1000}; rate=${5:-20}; rounds=${6:-5}; ramp=${RAMP:-1}; tokens=$((rate * 4)); requests=$((slots * 3)) # a request lasts 4 s
        pace=(--ttft 200ms --tpot "$((1000000 / rate))us") ;;
    flat) slots=64; rounds=${4:-5}; ramp=0; tokens=128; requests=16384; pace=(--null) ;;
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

endpoint() { # starts a simulator with an empty truth file; its port is in $port
    rm -f "$dir/port"
    taskset -c 0 "$bin/bin/plateau-sim" --listen 127.0.0.1:0 --port-file "$dir/port" --exit-after 600s --truth "$dir/truth" "${pace[@]}" >"$dir/sim.log" 2>&1 &
    sim=$!
    for _ in $(seq 100); do [ -s "$dir/port" ] && break; sleep 0.05; done
    port=$(cat "$dir/port")
}
client() { # READER SLOTS REQUESTS TOKENS RAMP ARRIVALS: runs it, prints its user and system seconds
    local reader=$1 cmd
    if [ "$reader" = peer ]; then
        cmd=("$peer" --backend openai-chat --base-url "http://127.0.0.1:$port" --model sim --tokenizer "$dir" --dataset-name custom
            --dataset-path "$dir/prompts.jsonl" --custom-output-len "$4" --num-prompts "$3" --max-concurrency "$2" --request-rate "$6" --burstiness inf
            --skip-chat-template --disable-tqdm --no-steady-state --save-result --result-dir "$dir" --result-filename result)
    else
        cmd=("$bin/bench/bench_engine" --url "http://127.0.0.1:$port/v1/chat/completions" --slots "$2" --requests "$3" --tokens "$4" --ramp "${5}s" --workers 1 --quantum)
        if [ "$reader" = ours ]; then cmd+=(500us); else cmd+=("${reader#ours-}"); fi
    fi
    local TIMEFORMAT='%3U %3S'
    { time taskset -c 1 "${cmd[@]}" >"$dir/out" 2>"$dir/err"; } 2>&1 || { cat "$dir/out" "$dir/err" >&2; return 1; }
}
run() { # READER: one line of JSON
    endpoint
    client "$1" 1 1 1 0 inf >"$dir/start"
    client "$1" "$slots" "$requests" "$tokens" "$ramp" "$arrivals" >"$dir/cpu"
    kill "$sim"; wait "$sim" || true; sim=
    local said="$dir/out" shape='{completed: .counters.ok, n: .ttft.n, per_s: .tokens_per_s, mean: (.ttft.mean / 1e3), p99: (.ttft.p99 / 1e3)}'
    if [ "$1" = peer ]; then said="$dir/result" shape='{completed, n: .completed, per_s: .output_throughput, mean: .mean_ttft_ms, p99: .p99_ttft_ms}'; fi
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
read -ra names <<<"${READERS:-peer ours ours-0}"
for _ in $(seq "$rounds"); do
    for name in "${names[@]}"; do run "$name" >>"$dir/$name.rounds"; done
done
median() { sort -g | awk '{v[NR] = $1} END {print v[int((NR + 1) / 2)]}'; }
column() { jq -r "$2 // \"-\"" "$dir/$1.rounds" | median; } # READER FIELD
printf '%-8s %12s %14s %10s %9s %10s %10s %10s %10s\n' reader "CPU us/token" "token/s a core" "token/s" "start ms" "TTFT mean" "true mean" "TTFT p99" "true p99"
for name in "${names[@]}"; do
    printf '%-8s %12.3f %14.0f' "$name" "$(column "$name" .us)" "$(column "$name" '(1e6 / .us)')"
    printf ' %10.0f %9.0f' "$(column "$name" .per_s)" "$(column "$name" .start_ms)"
    for field in mean true_mean p99 true_p99; do
        if [ "$mode" = flat ]; then printf ' %10s' -; else printf ' %10.2f' "$(column "$name" ".$field")"; fi
    done
    echo
done
for name in "${names[@]}"; do # of the same round, so that a busy neighbour spoils one pair and not the median
    [ "$name" != peer ] && [ -s "$dir/peer.rounds" ] || continue
    paste <(jq .us "$dir/$name.rounds") <(jq .us "$dir/peer.rounds") | awk '{print $1 / $2}' | sort -g >"$dir/ratios"
    awk -v name="$name" '{v[NR] = $1} END {m = v[int((NR + 1) / 2)]
        printf "%s / peer: CPU per token %.3f (%.3f to %.3f in %d rounds), token/s a core x %.1f\n", name, m, v[1], v[NR], NR, 1 / m}' "$dir/ratios"
done

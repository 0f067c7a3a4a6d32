#!/bin/bash
# Does a figure that is called valid report what was emitted, and is one that is right called valid? verdict.sh BIN_DIR [CLEAN_RUNS]
#   Clean runs (20), and runs whose agent is starved: niced against neighbours on its own core, under a CPU quota (cgroup), stopped (SIGSTOP).
#   The table shows each run's verdict and how far its percentiles are off the simulator's truth, each with the word of its own figure (+ valid, ? suspect,
#   - invalid). Exit status 1: of the figures called valid more than 1 % were off by more than 2 % + 20 us.
#   Endpoint on core 0, agent on core 1. CASES="stop200 quota20" runs these only. Quotas need root.
set -u
bin=${1:?folder of the programs, such as build/release}/bin; clean=${2:-20}
here=$(cd "$(dirname "$0")" && pwd)
[ "$(nproc)" -ge 2 ] || { echo "needs two cores"; exit 77; }
dir=$(mktemp -d); pids=(); group=
finish() {
    for p in "${pids[@]:-}"; do [ -n "$p" ] && kill -9 "$p" 2>/dev/null; done
    wait 2>/dev/null
    [ -n "$group" ] && { sleep 0.1; rmdir "$group"; }
    rm -rf "$dir"
}
trap finish EXIT; trap 'exit 130' INT TERM

make_group() { # PERCENT: sets group, "" where there is none to be had
    if [ -w /sys/fs/cgroup/cpu/cpu.cfs_period_us ]; then
        group=/sys/fs/cgroup/cpu/plateau-verdict-$$
        mkdir "$group" && echo 100000 >"$group/cpu.cfs_period_us" && echo "$1"000 >"$group/cpu.cfs_quota_us"
    elif grep -qw cpu /sys/fs/cgroup/cgroup.subtree_control 2>/dev/null; then
        group=/sys/fs/cgroup/plateau-verdict-$$
        mkdir "$group" && echo "$1"000 100000 >"$group/cpu.max"
    else
        return 1
    fi 2>/dev/null || { group=; return 1; }
}

one() { # CASE
    local kind=${1%%[0-9]*} n=${1##*[a-z]} sim agent run port neighbours=() i prefix=()
    rm -rf "$dir"/*
    if [ "$kind" = quota ]; then make_group "$n" || { echo "$1: no quota to be had here"; return 0; }; fi
    taskset -c 0 "$bin/plateau-sim" --listen 127.0.0.1:0 --port-file "$dir/port" --exit-after 60s --ttft 100ms --tpot 10ms --truth "$dir/truth" --truth-tokens >/dev/null 2>&1 &
    sim=$!; pids=("$sim")
    for i in $(seq 100); do [ -s "$dir/port" ] && break; sleep 0.02; done
    port=$(cat "$dir/port")
    cat >"$dir/plan.yaml" <<END
plan: 1
target: {url: "http://127.0.0.1:$port/v1/chat/completions", model: sim}
workload: {synthetic: {input_tokens: 16, output_tokens: 32}}
load: {concurrency: [${STREAMS:-50}], duration: ${DURATION:-4s}, warmup: 1s}
END
    taskset -c 0 "$bin/plateau" run "$dir/plan.yaml" --out "$dir/run" --listen tcp://127.0.0.1:0 >"$dir/out" 2>"$dir/err" &
    run=$!; pids+=("$run")
    for i in $(seq 100); do grep -q 'listening on tcp' "$dir/err" && break; sleep 0.02; done
    local endpoint; endpoint=$(grep -o 'tcp://[^ ]*' "$dir/err" | head -1)
    [ "$kind" = nice ] && prefix=(nice -n 19)
    (
        [ -n "$group" ] && echo "$BASHPID" >"$group/cgroup.procs"
        exec "${prefix[@]}" taskset -c 1 "$bin/plateau-agent" --connect "$endpoint" >"$dir/agent" 2>&1
    ) &
    agent=$!; pids+=("$agent")
    if [ "$kind" = nice ]; then
        for i in $(seq "$n"); do taskset -c 1 bash -c 'while :; do :; done' & neighbours+=($!); done
        pids+=("${neighbours[@]}")
    fi
    if [ "$kind" = stop ]; then
        for i in $(seq 200); do grep -q 'stage 1' "$dir/err" && break; sleep 0.02; done
        sleep 2.2
        kill -STOP "$agent"; sleep "$(awk "BEGIN {print $n / 1000}")"; kill -CONT "$agent"
    fi
    wait "$run"
    for i in "${neighbours[@]:-}"; do [ -n "$i" ] && kill "$i"; done
    kill -INT "$sim"; wait "$sim"
    kill "$agent" 2>/dev/null
    wait "$agent" "${neighbours[@]:-}" 2>/dev/null
    pids=()
    [ -n "$group" ] && { rmdir "$group"; group=; }
    [ -s "$dir/run/summary.json" ] || { echo "$1: no report: $(tail -1 "$dir/err")"; return 1; }
    python3 "$here/verdict.py" "$1" "$dir/truth" "$dir/run"
}

read -ra cases <<<"${CASES:-$(for i in $(seq "$clean"); do printf 'clean '; done) nice1 nice2 nice4 quota50 quota20 quota10 stop20 stop50 stop200 stop600}"
printf '%-14s %-8s %12s %12s %12s %12s %12s %12s\n' case verdict "ttft p50" "ttft p99" "tpot p50" "tpot p99" "itl p50" "itl p99"
valid=0 runs=0 none=0 f_off=0 f_valid=0 f_right=0 f_both=0
for c in "${cases[@]}"; do
    one "$c" >"$dir.line" 2>/dev/null
    sed 's/ #[0-9 ]*$//' "$dir.line"
    if read -r a b d e < <(sed -n 's/.* #\([0-9 ]*\)$/\1/p' "$dir.line"); then
        f_off=$((f_off + a)) f_valid=$((f_valid + b)) f_right=$((f_right + d)) f_both=$((f_both + e))
    else
        none=$((none + 1))
    fi
    [ "${c%%[0-9]*}" = clean ] && { runs=$((runs + 1)); grep -q '^clean *valid' "$dir.line" && valid=$((valid + 1)); }
    rm -f "$dir.line"
done
[ -x "$bin/plateau" ] || echo "no programs in $bin"
echo "$valid of $runs clean runs valid; $none runs without a report"
echo "figures: $f_off of $f_valid called valid were off by more than 2 % + 20 us; $f_both of $f_right that were right within 0.5 % + 20 us were called valid"
[ "$f_valid" -gt 0 ] && [ $((f_off * 100)) -le "$f_valid" ]

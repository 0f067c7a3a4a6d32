#!/bin/bash
# More agents, the same load for each: does an agent's throughput stay what it is, and are the merged percentiles those of all? scale_out.sh BUILD [AGENTS ...] (1 2 4 8)
#   Each agent has a network namespace of its own, an endpoint on its own loopback, a cable to the coordinator, and QUOTA (20) percent of a core, where the machine
#   gives quotas. STREAMS (50) requests in flight for each, TTFT 100 ms, 20 token/s, for DURATION (8) seconds. The simulators say what they emitted.
#   Exit status 1: throughput of an agent, or a percentile of a point that is called valid, is more than 2 % off.
here=$(cd "$(dirname "$0")" && pwd)
build=${1:?folder of the programs, such as build/release}; shift
[ $# -gt 0 ] && counts=("$@") || counts=(1 2 4 8)
set -- "$build/bin"
NET_UP=../scenario/
# shellcheck disable=SC1091
. "$here/../scenario/lib.sh"
. "$here/../scenario/net.sh"
groups=()
end_groups() { local g; for g in "${groups[@]}"; do rmdir "$g" 2>/dev/null; done; groups=(); }
trap 'net_cleanup; sleep 0.1; end_groups' EXIT
streams=${STREAMS:-50} seconds=${DURATION:-8} quota=${QUOTA:-20}

limit() { # PID: into a group of its own with the quota; says whether there was one to be had
    local g
    if [ -w /sys/fs/cgroup/cpu/cpu.cfs_period_us ]; then g=/sys/fs/cgroup/cpu/plateau-scale-$$-$1
    elif grep -qw cpu /sys/fs/cgroup/cgroup.subtree_control 2>/dev/null; then g=/sys/fs/cgroup/plateau-scale-$$-$1
    else return 1; fi
    mkdir "$g" 2>/dev/null || return 1
    groups+=("$g")
    if [ -e "$g/cpu.max" ]; then echo "${quota}000 100000" >"$g/cpu.max"; else echo 100000 >"$g/cpu.cfs_period_us" && echo "${quota}000" >"$g/cpu.cfs_quota_us"; fi
    echo "$1" >"$g/cgroup.procs"
}

printf '%7s %6s %16s %14s %12s | %-48s | %s\n' agents quota 'token/s an agent' 'us CPU/token' 'rows' 'off by: TTFT p50 p99, TPOT p50 p99, ITL p50 p99' verdict
for n in "${counts[@]}"; do
    with=none
    net_make "$n"
    trap 'net_cleanup; sleep 0.1; end_groups' EXIT
    for k in $(seq "$n"); do
        net_sim "$k" --ttft 100ms --tpot 50ms --truth-tokens
        net_agent "$k"
        if limit "$AGENT_PID"; then with="$quota %"; fi
    done
    plan "workload: {synthetic: {input_tokens: 16, output_tokens: 20}}" \
        "load: {concurrency: $((streams * n)), duration: ${seconds}s, warmup: 2s, ramp: 1s}" "agents: {count: $n, wait: 30s}"
    net_plateau_start $PROBE
    wait "$RUN_PID"
    STATUS=$?
    net_end_sims
    if [ -s "$OUT/summary.json" ]; then
        python3 "$here/scale_out.py" "$n" "$with" "$streams" "$OUT" "$TMP"/truth.* || FAILED=1
    else
        fail "$n agents: no report: $(tail -1 "$TMP/err.log")"
    fi
    for p in "${STARTED[@]}"; do kill -9 "$p" 2>/dev/null; done
    wait 2>/dev/null
    STARTED=()
    for name in $(ip netns list 2>/dev/null | cut -d' ' -f1 | grep "^$NET-"); do ip netns del "$name"; done
    sleep 0.1
    end_groups
    rm -rf "${TMP:?}"/*
done
[ "$FAILED" = 0 ] || exit 1

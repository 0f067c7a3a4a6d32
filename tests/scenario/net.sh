# For scenarios with a bad network: a coordinator and agents, each in a network namespace of its own, joined by cables (wire.py) that a scenario may
# make slow, lossy or dead. Each agent has its own simulated endpoint on its own loopback, so that the control plane can suffer while the load cannot.
# Source lib.sh first. Ends with 77 where namespaces may not be made.
NET=pl$$

net_cleanup() {
    local n p
    for p in "${STARTED[@]:-}"; do [ -n "$p" ] && kill -9 "$p" 2>/dev/null; done
    wait 2>/dev/null
    for n in $(ip netns list 2>/dev/null | cut -d' ' -f1 | grep "^$NET-"); do ip netns del "$n" 2>/dev/null; done
    cleanup
}

# net_make N: the coordinator's namespace and those of agents 1 … N; address of the coordinator for agent k: 10.99.k.1
net_make() {
    local k
    if ! ip netns add "$NET-c" 2>/dev/null; then echo "skipped: no network namespaces here"; exit 77; fi
    trap net_cleanup EXIT
    if ! ip netns exec "$NET-c" true 2>/dev/null; then echo "skipped: no program can be run in a network namespace here"; exit 77; fi
    ip -n "$NET-c" link set lo up
    for k in $(seq "$1"); do
        ip netns add "$NET-$k" && ip -n "$NET-$k" link set lo up
        mkfifo "$TMP/wire.$k"
        python3 "$(dirname "$0")/${NET_UP:-}wire.py" "$NET-c" "10.99.$k.1" "$NET-$k" "10.99.$k.2" "$TMP/wire.$k" >"$TMP/wire.$k.log" 2>&1 &
        STARTED+=("$!")
        if ! wait_until 5 grep -q ready "$TMP/wire.$k.log"; then echo "skipped: no TUN devices here: $(tail -1 "$TMP/wire.$k.log")"; exit 77; fi
    done
}
# wire K ORDER…: to the cable of agent K, or of "all"
wire() {
    local k=$1 f; shift
    for f in "$TMP"/wire.*; do
        [ -p "$f" ] || continue
        if [ "$k" = all ] || [ "$f" = "$TMP/wire.$k" ]; then echo "$*" >"$f"; fi
    done
}
# net_sim K OPTIONS…: the endpoint of agent K, always at port 8000 of its loopback; truth in truth.K
net_sim() {
    local k=$1; shift
    ip netns exec "$NET-$k" "$BIN/plateau-sim" --listen 127.0.0.1:8000 --truth "$TMP/truth.$k" --exit-after 280s "$@" >"$TMP/sim.$k.log" 2>&1 &
    STARTED+=("$!")
    SIMS+=("$!")
    URL=http://127.0.0.1:8000/v1/chat/completions
    wait_until 5 ip netns exec "$NET-$k" curl -sf -o "$TMP/health" http://127.0.0.1:8000/health || { fail "the simulator of agent $k did not start"; exit 1; }
}
# requests in flight at the endpoint of agent K, by its own count
net_running() { ip netns exec "$NET-$1" curl -s http://127.0.0.1:8000/metrics | awk '/^vllm:num_requests_(running|waiting)\{/ { n += $2; any = 1 } END { if (any) print n }'; }
net_idle() { [ "$(net_running "$1")" = 0 ] && sleep 0.3 && [ "$(net_running "$1")" = 0 ]; } # not the moment between two requests
net_busy() { [ "$(net_running "$1")" -gt 0 ] 2>/dev/null; }
# net_agent K OPTIONS…; sets AGENT_PID, and PID_OF[K]
declare -A PID_OF
SIMS=()
net_agent() {
    local k=$1; shift
    ip netns exec "$NET-$k" "$BIN/plateau-agent" --connect "tcp://10.99.$k.1:7717" --name "agent-$k" "$@" >>"$TMP/agent.$k.log" 2>&1 &
    AGENT_PID=$!
    PID_OF[$k]=$AGENT_PID
    STARTED+=("$AGENT_PID")
}
net_plateau_start() {
    rm -rf "$OUT"
    ip netns exec "$NET-c" "$BIN/plateau" run "$TMP/plan.yaml" --out "$OUT" --listen tcp://0.0.0.0:7717 --insecure "$@" >"$TMP/out.log" 2>"$TMP/err.log" &
    RUN_PID=$!
    STARTED+=("$RUN_PID")
}
# net_up N SIM-OPTIONS…: N agents with their endpoints, and the run; returns when the first stage loads
net_up() {
    local k n=$1; shift
    for k in $(seq "$n"); do net_sim "$k" "$@"; net_agent "$k"; done
    net_plateau_start
    wait_until 20 grep -q 'stage 1/' "$TMP/err.log" || { fail "the run did not begin"; show err.log; exit 1; }
    wait_until 10 net_busy 1 || { fail "no load came"; exit 1; }
}
# the endpoints end; their truth is whole then
net_end_sims() { kill -INT "${SIMS[@]}" 2>/dev/null; wait "${SIMS[@]}" 2>/dev/null; SIMS=(); }
# What holds after any fault: see check_run.py.
check_run() { python3 "$(dirname "$0")/${NET_UP:-}check_run.py" "$OUT" || fail "the sums do not hold"; }
# no_load_after WALL-SECONDS K: no request reached the endpoint of agent K after this moment of the monotonic clock
no_load_after() {
    python3 - "$TMP/truth.$2" "$1" <<'PY' && ok "no request of agent $2 after the lease" || fail "agent $2 sent requests after its lease had run out"
import json, sys
late = [t for t in map(json.loads, open(sys.argv[1])) if t["received_ns"] > float(sys.argv[2]) * 1e9]
print("   %d late requests" % len(late))
sys.exit(len(late) > 0)
PY
}
mono() { python3 -c 'import sys, time; print("%.3f" % (time.monotonic() + float(sys.argv[1])))' "${1:-0}"; }

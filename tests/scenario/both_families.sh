# "*" is every address of a machine, of both families: agents by IPv4 and by IPv6 join one coordinator, and all its pages answer in both. It is no obstacle
# where the network has no IPv6, where the kernel has none, and where the name of the coordinator leads to IPv6 alone. In a network namespace of our own.
if [ -z "${PLATEAU_FAMILIES:-}" ] && [ "$(id -u)" = 0 ] && unshare -mn ip link set lo up 2>/dev/null; then PLATEAU_FAMILIES=own exec unshare -mn bash "$0" "$@"; fi
. "$(dirname "$0")/lib.sh"
[ "${PLATEAU_FAMILIES:-}" = own ] || { echo "skipped: no network namespace of our own"; exit 77; }
ip link set lo up
"$BIN/plateau" keys "$TMP/keys" --agents '*' >/dev/null || fail "no keys"
PORT=7717 PAGE=9100 SIM=8000
# without IPv6 in the kernel: socket(AF_INET6) is answered with "address family not supported"
cat >"$TMP/no_ipv6.py" <<'P'
import ctypes, os, struct, sys
filter = b"".join(struct.pack("HBBI", *i) for i in (
    (0x20, 0, 0, 0), (0x15, 0, 3, 41), (0x20, 0, 0, 16), (0x15, 0, 1, 10), (0x06, 0, 0, 0x00050000 | 97), (0x06, 0, 0, 0x7fff0000)))
code = ctypes.create_string_buffer(filter, len(filter))
program = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(filter) // 8, ctypes.addressof(code)))
prctl = ctypes.CDLL(None, use_errno=True).prctl
if prctl(38, 1, 0, 0, 0) or prctl(22, 2, program, 0, 0): sys.exit(os.strerror(ctypes.get_errno()))
os.execv(sys.argv[1], sys.argv[1:])
P
answers() { curl -sf -o "$TMP/answer" --max-time 5 "$1"; }
# joined WHAT AGENT-HOSTS… -- PAGE-HOSTS…: a run that listens on "*", with an agent by each host; each page by each host. WITHOUT: a program before each program
joined() {
    local what=$1 h pid port agents=() pids=()
    shift
    while [ "$1" != -- ]; do agents+=("$1"); shift; done
    shift
    rm -f "$TMP/port"
    ${WITHOUT:-} "$BIN/plateau-sim" --listen "*:$SIM" --port-file "$TMP/port" --exit-after 280s >"$TMP/sim.log" 2>&1 &
    SIM_PID=$!
    STARTED+=("$SIM_PID")
    wait_until 5 test -s "$TMP/port" || { fail "$what: the simulator does not listen"; show sim.log; return; }
    URL=http://$1:$SIM/v1/chat/completions
    plan 'workload: {synthetic: {input_tokens: 16, output_tokens: 4}}' 'load: {concurrency: 2, requests: 20}' "agents: {count: ${#agents[@]}, wait: 30s}"
    rm -rf "$OUT"
    : >"$TMP/err.log"
    ${WITHOUT:-} "$BIN/plateau" run "$TMP/plan.yaml" --out "$OUT" $PROBE --listen "tcp://*:$PORT" --http "*:$PAGE" --ui "*:$((PAGE + 1))" --keys "$TMP/keys" >"$TMP/out.log" 2>"$TMP/err.log" &
    RUN_PID=$!
    STARTED+=("$RUN_PID")
    wait_until 15 grep -q 'listening on tcp' "$TMP/err.log" || { fail "$what: the coordinator does not listen"; show err.log; return; }
    for h in "$@"; do
        answers "http://$h:$SIM/health" && answers "http://$h:$PAGE/readyz" && ok "$what: pages by $h" || fail "$what: a page does not answer by $h"
        [ "$(curl -s -o "$TMP/answer" -w '%{http_code}' "http://$h:$((PAGE + 1))/")" = 403 ] || fail "$what: the live page does not answer by $h, or shows itself without its token"
    done
    : >"$TMP/agent.log"
    for h in "${agents[@]}"; do
        ${WITHOUT:-} "$BIN/plateau-agent" --connect "tcp://$h:$PORT" --name "by-$h" --keys "$TMP/keys" --http "*:0" --wait 20s >>"$TMP/agent.log" 2>&1 &
        pids+=($!)
        STARTED+=($!)
    done
    plateau_wait
    expect_carried
    expect "(.points[0].ledger.ok == 20) and (.agents | length == ${#agents[@]})" "$what: the run is whole, by $*"
    for pid in "${pids[@]}"; do wait "$pid" || fail "$what: an agent failed: $(tail -n 3 "$TMP/agent.log")"; done
    kill -9 "$SIM_PID"
    wait "$SIM_PID" 2>/dev/null
}
joined 'both families' 127.0.0.1 '[::1]' -- '[::1]' 127.0.0.1
printf '::1 six.test\n' >"$TMP/hosts"
mount --bind "$TMP/hosts" /etc/hosts
joined 'a name with an IPv6 address only' six.test -- '[::1]'
WITHOUT="python3 $TMP/no_ipv6.py"
joined 'a kernel without IPv6' 127.0.0.1 -- 127.0.0.1
WITHOUT=
if echo 1 2>/dev/null >/proc/sys/net/ipv6/conf/all/disable_ipv6; then
    joined 'a network without IPv6' 127.0.0.1 -- 127.0.0.1
    sim # and agents of this machine, which dial what "*" became
    plan 'workload: {synthetic: {input_tokens: 16, output_tokens: 4}}' 'load: {concurrency: 2, requests: 20}'
    plateau_run --local 1 --listen 'tcp://*:0' --insecure
    expect_carried
    expect '.points[0].ledger.ok == 20' 'a network without IPv6: an agent that this machine started'
else
    SKIPPED=1
    echo "skipped: IPv6 cannot be taken away here"
fi
finish

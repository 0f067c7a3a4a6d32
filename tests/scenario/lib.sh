# What scenarios share. A scenario is one script: `bash NAME.sh BIN-FOLDER`; it exits 0 when all held, 1 when not, 77 when it cannot be
# tried here. It starts what it needs on free ports, talks only to loopback, and ends what it started, by pid.
#
#     . "$(dirname "$0")/lib.sh"
#     sim --ttft 50ms --tpot 10ms; plan 'load: {concurrency: 4, duration: 3s}'; plateau_run --local 2; expect_status 0; expect '.points | length == 1'
set -u -o pipefail
BIN=$(cd "${1:-$(dirname "$0")/../../build/dev/bin}" && pwd) || exit 1
TMP=$(mktemp -d)
PLATEAU_TABLES=$("$BIN/plateau" --version | sed -n 's/.*tables //p') # for peers that are written in Python: tables.py
export PLATEAU_TABLES
STARTED=()
FAILED=0
SKIPPED=0 # something could not be judged on this machine
OUT=$TMP/run
STATUS=
PROBE=--no-probe # runs begin without a probe, so that what a scenario counts is its own; PROBE= for those about it

cleanup() {
    local p
    for p in "${STARTED[@]:-}"; do [ -n "$p" ] && kill -9 "$p" 2>/dev/null; done
    wait 2>/dev/null
    if [ "$FAILED" = 0 ]; then rm -rf "$TMP"; else echo "left in $TMP"; fi
}
trap cleanup EXIT
trap 'exit 130' INT TERM

fail() { FAILED=1; echo "FAILED: $*" >&2; }
ok() { echo "ok: $*"; }
finish() {
    [ "$FAILED" = 0 ] && [ "$SKIPPED" = 1 ] && exit 77
    exit "$FAILED"
}

# wait_until SECONDS COMMAND…: true as soon as the command is
wait_until() {
    local n=$(($1 * 20)); shift
    while ! "$@" >/dev/null 2>&1; do n=$((n - 1)); [ "$n" -gt 0 ] || return 1; sleep 0.05; done
}

# sim OPTIONS…: a simulated endpoint on a free port; sets SIM_PID, SIM_PORT, URL
sim() {
    rm -f "$TMP/port"
    "$BIN/plateau-sim" --listen 127.0.0.1:0 --port-file "$TMP/port" --exit-after 280s "$@" >"$TMP/sim.log" 2>&1 &
    SIM_PID=$!
    STARTED+=("$SIM_PID")
    wait_until 5 test -s "$TMP/port" || { fail "the simulator did not start: $(cat "$TMP/sim.log")"; exit 1; }
    SIM_PORT=$(head -1 "$TMP/port")
    URL=http://127.0.0.1:$SIM_PORT/v1/chat/completions
}

# plan YAML…: writes a plan for the simulator; later lines are added to it
plan() {
    {
        echo "plan: 1"
        case "$*" in *target:*) ;; *) echo "target: {url: \"$URL\", model: sim}" ;; esac
        printf '%s\n' "$@"
    } >"$TMP/plan.yaml"
}

# plateau_run OPTIONS…: runs the plan in the foreground; sets STATUS; the output is in out.log and err.log
plateau_run() {
    rm -rf "$OUT"
    "$BIN/plateau" run "$TMP/plan.yaml" --out "$OUT" $PROBE "$@" >"$TMP/out.log" 2>"$TMP/err.log"
    STATUS=$?
}
# plateau_start OPTIONS…: the same in the background; sets RUN_PID. The logs are emptied here: the background process does so only when its turn comes, and
# who waits for a word would find that of the run before.
plateau_start() {
    rm -rf "$OUT"
    : >"$TMP/out.log"
    : >"$TMP/err.log"
    "$BIN/plateau" run "$TMP/plan.yaml" --out "$OUT" $PROBE "$@" >"$TMP/out.log" 2>"$TMP/err.log" &
    RUN_PID=$!
    STARTED+=("$RUN_PID")
}
plateau_wait() { wait "$RUN_PID"; STATUS=$?; }
# agent OPTIONS…: a separate agent that dials $ENDPOINT; sets AGENT_PID
agent() {
    "$BIN/plateau-agent" --connect "$ENDPOINT" "$@" >>"$TMP/agent.log" 2>&1 &
    AGENT_PID=$!
    STARTED+=("$AGENT_PID")
}

show() { echo "--- $1"; tail -n 25 "$TMP/$1" 2>/dev/null; }
expect_status() {
    if [ "$STATUS" = "$1" ]; then ok "exit status $1"; else fail "exit status $STATUS, expected $1"; show err.log; show out.log; fi
}
# The run went through: 0, or 3 where this machine was too busy to vouch for its times, which a scenario about counts does not mind.
expect_carried() {
    case $STATUS in 0 | 3) ok "exit status $STATUS" ;; *) expect_status 0 ;; esac
}
# expect JQ-CONDITION [WORDS]: holds in summary.json
expect() {
    if jq -e "$1" "$OUT/summary.json" >/dev/null 2>"$TMP/jq.log"; then ok "${2:-$1}"; else
        fail "${2:-$1}: not so: $1 $(cat "$TMP/jq.log")"
        jq -c '.points[]? | {stage, ledger, verdict, degraded}' "$OUT/summary.json" 2>/dev/null
        show err.log
    fi
}
# found GREP-OPTION… PATTERN: whether it stands in standard input, all of which is read. `… | grep -q` ends at the first match, so that a program which still writes
# dies of SIGPIPE, and with pipefail the whole is false though the text was there.
found() { local all; all=$(cat); grep -q "$@" <<<"$all"; }
# expect_text FILE PATTERN [WORDS]
expect_text() { # the report folds its sentences: a line end may stand for a blank
    if grep -qE -- "$2" "$TMP/$1" || tr -s '\n ' '  ' <"$TMP/$1" | found -E -- "$2"; then ok "${3:-$1 says: $2}"; else fail "${3:-$1 does not say: $2}"; show "$1"; fi
}
# due = ok + failed + cancelled + aborted + lost, at every point
expect_ledger() {
    expect '[.points[].ledger | .due == .ok + ([.failed[]] | add // 0) + .cancelled + .aborted + .lost] | all' 'every ledger balances'
}
expect_report() {
    local f
    for f in run.sqlite summary.json report.html curve.csv; do [ -s "$OUT/$f" ] || fail "no $f"; done
}
# expect_truth WHAT COMMAND…: COMMAND makes a run and ends as truth.py does. Counts must be right every time. Client and endpoint share this machine: when others
# keep it busy, the way between them is long, so that times get three tries. A valid point must be true. Where no point of the last try was valid, nothing
# was compared: the scenario then ends as skipped, never as passed.
expect_truth() {
    local what=$1 try rc
    shift
    for try in 1 2 3; do
        "$@"
        rc=$?
        [ $rc -ge 2 ] && [ $try -lt 3 ] && { echo "$what: times differ or none is valid; try $((try + 1))"; continue; }
        break
    done
    case $rc in
        0) ok "$what: measured is what was emitted" ;;
        3)
            echo "skipped: $what: no run of three was valid on this machine, see the reasons above"
            SKIPPED=1
            ;;
        *) fail "$what: measured is not what was emitted" ;;
    esac
}
# judge_truth: ends the simulator and compares its truth with the run, as truth.py does. Programs of a sanitizer's build are judged by counts alone. A request
# passes nginx twice: what nginx waits for a CPU each time it could go on is no time of the simulator's and none of the agent's, so no time is judged where
# that may add up to half a millisecond.
judge_truth() {
    local waited=0 claims=all
    [ -z "${NGINX_PID:-}" ] || waited=$(awk '{printf "%.3f", $3 ? $2 / $3 / 1e6 : 0}' "/proc/$NGINX_PID/schedstat")
    if sanitized || awk "BEGIN { exit !($waited > 0.25) }"; then claims=counts; fi
    kill -INT "$SIM_PID"; wait "$SIM_PID" 2>/dev/null
    SIM_PID=
    python3 "$(dirname "$0")/truth.py" "$TMP/truth.jsonl" "$OUT" $claims || return
    [ $claims = all ] || sanitized || { echo "   nginx waited $waited ms for a CPU each time it could go on: no time is judged"; return 3; }
}
# agents of this machine that dial the coordinator of the last run
local_agents() { pgrep -f -- "plateau-agent --connect $(endpoint)( |\$)"; }
endpoint() { grep -o 'listening on tcp://[^ ]*' "$TMP/err.log" | head -1 | cut -d' ' -f3; }
expect_no_orphans() {
    local e
    e=$(endpoint)
    [ -n "$e" ] || { fail "the endpoint is not in the log"; return; }
    wait_until 3 sh -c "! pgrep -f -- 'plateau-agent --connect $e( |\$)'" && ok "no agent is left" || fail "agents are left: $(local_agents)"
}
# programs of a sanitizer's build are many times slower: what they measure is not the question
sanitized() { [ "$( (nm -D "$BIN/plateau-agent"; nm "$BIN/plateau-agent") 2>/dev/null | grep -cE '__(asan|tsan)_init')" -gt 0 ]; }
# A port that nobody listens at, below those the kernel gives to connections, so that no connection of a scenario beside this one takes it meanwhile.
free_port() {
    python3 -c '
import random, socket
low = int(open("/proc/sys/net/ipv4/ip_local_port_range").read().split()[0])
while True:
    s, port = socket.socket(), random.randrange(10240, max(low, 10241))
    try:
        s.bind(("127.0.0.1", port))
        print(port)
        break
    except OSError:
        pass'
}
# a Python that speaks ZeroMQ and msgpack, for peers that are not ours; the scenario is skipped without one
need_peer_python() {
    for PY in python3 /usr/bin/python3; do "$PY" -c 'import zmq, msgpack; assert zmq.has("curve")' 2>/dev/null && return; done
    echo "skipped: no python3-zmq, python3-msgpack"
    exit 77
}

# ---- an nginx of our own before the simulator: TLS and HTTP/2 ----

need_nginx() {
    for NGINX in nginx /usr/sbin/nginx; do
        if command -v "$NGINX" >/dev/null && command -v openssl >/dev/null; then return; fi
    done
    echo "skipped: no nginx or no openssl"
    exit 77
}

# make_ca NAME: a certificate authority of our own, NAME.crt and NAME.key
make_ca() {
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "/CN=$1" -keyout "$TMP/$1.key" -out "$TMP/$1.crt" 2>"$TMP/openssl.log" ||
        fail "openssl: $(cat "$TMP/openssl.log")"
}
# make_cert CA NAME [SUBJECT-ALT-NAMES]: NAME.crt and NAME.key, signed by CA
make_cert() {
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$2" -keyout "$TMP/$2.key" -out "$TMP/$2.csr" 2>"$TMP/openssl.log" &&
        openssl x509 -req -days 2 -in "$TMP/$2.csr" -CA "$TMP/$1.crt" -CAkey "$TMP/$1.key" -CAcreateserial -out "$TMP/$2.crt" \
            -extfile <(echo "subjectAltName=${3:-DNS:localhost,IP:127.0.0.1,IP:127.0.0.2}") 2>>"$TMP/openssl.log" ||
        fail "openssl: $(cat "$TMP/openssl.log")"
}

# nginx_front "LISTEN [DIRECTIVES]"…: starts nginx before the simulator. Each argument is a server: what stands after its `listen`, with PORT
# for a free port, then directives of it. Sets NGINX_PID and NGINX_PORTS (an array). access.log: connection, its request number, status, addresses.
nginx_front() {
    local server port servers=
    NGINX_PORTS=()
    for server in "$@"; do
        port=$(free_port)
        NGINX_PORTS+=("$port")
        servers+="server { listen ${server//PORT/$port} location / { proxy_pass http://sim; proxy_buffering off; proxy_http_version 1.1; proxy_set_header Connection \"\"; proxy_read_timeout 60s; } }
"
    done
    mkdir -p "$TMP/nginx"
    cat >"$TMP/nginx.conf" <<END
daemon off; master_process off; worker_processes 1; worker_rlimit_nofile 65536;
error_log $TMP/nginx/error.log warn; pid $TMP/nginx/pid;
events { worker_connections 16384; multi_accept on; }
http {
    log_format plain '\$connection \$connection_requests \$status \$server_protocol \$remote_addr \$server_addr \$ssl_session_reused';
    access_log $TMP/nginx/access.log plain;
    client_body_temp_path $TMP/nginx/body; proxy_temp_path $TMP/nginx/proxy; fastcgi_temp_path $TMP/nginx/f; uwsgi_temp_path $TMP/nginx/u; scgi_temp_path $TMP/nginx/s;
    client_body_buffer_size 1m; keepalive_requests 1000000; ssl_session_cache shared:S:1m;
    upstream sim { server 127.0.0.1:$SIM_PORT; keepalive 4096; keepalive_requests 1000000; }
    $servers
}
END
    "$NGINX" -p "$TMP/nginx" -c "$TMP/nginx.conf" >"$TMP/nginx.log" 2>&1 &
    NGINX_PID=$!
    STARTED+=("$NGINX_PID")
    wait_until 5 test -s "$TMP/nginx/pid" ||
        { fail "nginx did not start: $(cat "$TMP/nginx.log" "$TMP/nginx/error.log" 2>/dev/null)"; exit 1; }
}

# An agent that hears nothing says why: a name that is not known, a port that refuses, one that is silent, and one where something else answers.
. "$(dirname "$0")/lib.sh"

# alone WORDS ENDPOINT PATTERN: an agent of its own hears nothing there; it says so when it dials again, and when it gives up, with the address
alone() {
    "$BIN/plateau-agent" --connect "$2" --wait 6s >"$TMP/$1.log" 2>&1
    local s=$?
    [ "$s" = 4 ] && ok "$1: status 4" || fail "$1: status $s"
    expect_text "$1.log" "nothing is heard from $2: $3.*; dialling again" "$1: says why when it dials again"
    expect_text "$1.log" "no coordinator was heard for 6s \(--wait\) from $2: $3" "$1: says why when it gives up"
}
sim
python3 - "$TMP/mute" <<'PY' &
import os, socket, sys, time
s = socket.socket()
s.bind(("127.0.0.1", 0))
s.listen(0)
full = []
for _ in range(4): # nobody accepts: a new connection is not answered, as behind a firewall
    c = socket.socket()
    c.setblocking(False)
    c.connect_ex(s.getsockname())
    full.append(c)
open(sys.argv[1] + ".tmp", "w").write(str(s.getsockname()[1]))
os.rename(sys.argv[1] + ".tmp", sys.argv[1])
time.sleep(60)
PY
STARTED+=("$!")
wait_until 5 test -s "$TMP/mute"
(alone name tcp://nosuch.invalid:7717 'nosuch.invalid cannot be resolved: '; exit "$FAILED") &
n=$!
(alone refused "tcp://127.0.0.1:$(free_port)" 'connection refused \(is the coordinator running there\?\)'; exit "$FAILED") &
r=$!
(alone silent "tcp://127.0.0.1:$(cat "$TMP/mute")" 'it does not answer within 1 s'; exit "$FAILED") &
m=$!
(alone other "tcp://127.0.0.1:$SIM_PORT" '(it|something) .*(does not speak as a coordinator does|not ZeroMQ|ended in the handshake)'; exit "$FAILED") &
o=$!
# Nor does a coordinator wait in silence for agents: where a person can look at something, it says so.
plan 'load: {concurrency: 1, duration: 1s}' 'agents: {count: 2, wait: 7s}'
plateau_run --listen 'tcp://127.0.0.1:*' --agents-hint 'kubectl get pods -l part=agent'
expect_status 4
expect_text err.log 'waiting for agents: 0 of 2  kubectl get pods -l part=agent' 'where to look stands in the waiting line'
expect_text err.log '0 of 2 agents were there after agents.wait' 'the reason stands'
[ "$(grep -c '] *kubectl get pods\|: kubectl get pods' "$TMP/err.log")" -ge 1 ] && ok 'and at the end' || { fail 'where to look does not stand at the end'; show err.log; }
for p in "$n" "$r" "$m" "$o"; do wait "$p" || FAILED=1; done
finish

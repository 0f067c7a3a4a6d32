# Programs of two releases that do not understand each other: both sides say so, with both versions, and neither waits for ever.
. "$(dirname "$0")/lib.sh"
need_peer_python

ENDPOINT=tcp://127.0.0.1:$(free_port)
sim
plan 'load: {concurrency: 1, duration: 1s}' 'agents: {count: 1, wait: 6s}'

plateau_start --listen "$ENDPOINT"
timeout 20 "$PY" - "$ENDPOINT" <<'P' >"$TMP/peer.log" 2>&1
import sys, msgpack, zmq
HELLO, REFUSE = 0, 2
s = zmq.Context.instance().socket(zmq.DEALER)
s.linger = 0
s.connect(sys.argv[1])
s.send(msgpack.packb([99, HELLO, "of another release", "boot"]))
if not s.poll(8000):
    sys.exit("no answer")
m = msgpack.unpackb(s.recv())
print("told", m)
sys.exit(0 if m[1] == REFUSE else 1)
P
[ $? = 0 ] && ok "the stranger is answered" || { fail "the stranger is not answered"; show peer.log; }
expect_text peer.log 'wire version 99.*speaks version [0-9]' 'an agent of another release hears both versions'
plateau_wait
expect_status 4
expect_text err.log 'wire version 99.*speaks version [0-9]' 'so is who runs the coordinator'
expect_text err.log '0 of 1 agents' 'and the run does not wait for ever'
expect_text err.log "waiting for agents: 0 of 1 .plateau-agent --connect $ENDPOINT" 'while it waits it says for how many, and how they are started'

# the same wire, other tables: a counter more, say
plateau_start --listen "$ENDPOINT"
timeout 20 "$PY" - "$ENDPOINT" "$(dirname "$0")" <<'P' >"$TMP/peer.log" 2>&1
import sys, msgpack, zmq
sys.path.insert(0, sys.argv[2])
import tables
HELLO, REFUSE = 0, 2
s = zmq.Context.instance().socket(zmq.DEALER)
s.linger = 0
s.connect(sys.argv[1])
s.send(msgpack.packb([tables.VERSION, HELLO, tables.FINGERPRINT ^ 1, "9.8.7", "a field more"]))
if not s.poll(8000):
    sys.exit("no answer")
print("told", msgpack.unpackb(s.recv()))
P
expect_text peer.log "plateau 9.8.7 with tables .*$PLATEAU_TABLES: run the same release" 'an agent whose tables differ hears both releases'
plateau_wait
expect_status 4
expect_text err.log "plateau 9.8.7 with tables .*$PLATEAU_TABLES" 'so is who runs the coordinator'

# a coordinator of another release
timeout 20 "$PY" - "$ENDPOINT" <<'P' >"$TMP/peer.log" 2>&1 &
import sys, msgpack, zmq
s = zmq.Context.instance().socket(zmq.ROUTER)
s.linger = 0
s.bind(sys.argv[1])
while s.poll(8000):
    who, raw = s.recv_multipart()
    s.send_multipart([who, msgpack.packb([99, 1, "run", 1])])
P
STARTED+=("$!")
agent --name modern --wait 4s
wait "$AGENT_PID"
[ $? = 4 ] && ok "the agent gives up with status 4" || { fail "the agent does not give up"; show agent.log; }
expect_text agent.log 'wire version 99.*speaks version [0-9]' 'an agent says that its coordinator is of another release'
finish

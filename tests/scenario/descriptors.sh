# Too few descriptors: an agent that cannot hold its part says so before the stage, and the run ends with that sentence; a coordinator that cannot hold
# its agents says so before it waits for them.
. "$(dirname "$0")/lib.sh"

sim --ttft 20ms --tpot 5ms
plan 'workload: {synthetic: {input_tokens: 16, output_tokens: 16}}' 'load: {concurrency: [300], duration: 2s}' 'agents: {count: 1, wait: 20s}'
ENDPOINT=tcp://127.0.0.1:$(free_port)
plateau_start --listen "$ENDPOINT"
(ulimit -n 128; exec "$BIN/plateau-agent" --connect "$ENDPOINT" --name poor >"$TMP/agent.log" 2>&1) &
STARTED+=("$!")
plateau_wait
[ "$STATUS" = 1 ] || [ "$STATUS" = 2 ] && ok "agent: exit status $STATUS" || { fail "agent: exit status $STATUS"; show err.log; }
expect_text err.log 'agent poor: .*open files, but the limit is 128' 'agent: the sentence names the limit and reaches the coordinator'
expect '.points | length == 0' 'agent: nothing is claimed'

sed -i 's/concurrency: \[300\]/concurrency: [2]/; s/count: 1/count: 200/' "$TMP/plan.yaml"
(ulimit -n 100; exec timeout 20 "$BIN/plateau" run "$TMP/plan.yaml" --out "$TMP/run2" --listen "$ENDPOINT" >"$TMP/out.log" 2>"$TMP/err.log")
STATUS=$?
[ "$STATUS" != 0 ] && [ "$STATUS" != 124 ] && ok "coordinator: exit status $STATUS" || { fail "coordinator: exit status $STATUS"; show err.log; }
expect_text err.log '200 agents need .* open files, but the limit is 100' 'coordinator: the sentence names the limit'
# An open loop has no number that could be refused: the agent logs what it can hold, and the point is not laid at the server's door.
sim --ttft 2s --tpot 5ms
plan 'workload: {synthetic: {input_tokens: 16, output_tokens: 16}}' 'load: {rate: [200], duration: 4s, warmup: 1s, drain: 3s}' 'agents: {count: 1, wait: 20s}'
ENDPOINT=tcp://127.0.0.1:$(free_port)
plateau_start --listen "$ENDPOINT"
(ulimit -n 160; exec "$BIN/plateau-agent" --connect "$ENDPOINT" --name poor >"$TMP/agent.log" 2>&1) &
STARTED+=("$!")
plateau_wait
expect_text agent.log 'can hold at most [0-9]+ requests in flight, by a limit of this machine .open files 160' 'agent: its limit is named before an open loop begins'
expect_text err.log 'info .*agent_limit: poor can hold at most [0-9]+ requests in flight, by a limit of this machine .open files 160' 'agent: the coordinator says so'
expect '.points[0].verdict.reasons | any(test("the agents were the limit: .* limit of open files"))' 'agent: the point is invalid, and the limit is named'
finish

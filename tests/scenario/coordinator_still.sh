# A coordinator without keys stands still for longer than its agents' leases: they dial again meanwhile, and it suspects nobody of a wrong key. Their words
# name who was away.
. "$(dirname "$0")/lib.sh"

sim --ttft 20ms --tpot 2ms
ENDPOINT=tcp://127.0.0.1:$(free_port)
plan 'workload: {synthetic: {input_tokens: 16, output_tokens: 8}}' 'load: {concurrency: [2], duration: 6s}' 'agents: {count: 1, wait: 20s}'
plateau_start --listen "$ENDPOINT"
agent --name one
wait_until 20 grep -q 'stage 1/1' "$TMP/err.log" || fail 'the stage did not begin'
sleep 1
kill -STOP "$RUN_PID"
sleep 16
kill -CONT "$RUN_PID"
plateau_wait
expect_carried
expect_text err.log 'coordinator_away: this process stood still for 1[0-9]' 'that it stood still is told'
grep -q 'turned away' "$TMP/err.log" && fail 'somebody is suspected of a wrong key' || ok 'nobody is suspected of a wrong key'
expect_text agent.log 'the lease has run out: nothing was heard from the coordinator for 10 s|the load is done' 'the agent names who was away'
grep -q 'this agent.s process stood still' "$TMP/agent.log" && fail 'the agent takes the blame' || ok 'and does not take the blame'
finish

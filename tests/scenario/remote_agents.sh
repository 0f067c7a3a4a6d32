# Agents that are started by themselves, before and after the coordinator; one comes late and takes part from the next stage on; one has a name that is
# taken; one speaks to nobody and gives up.
. "$(dirname "$0")/lib.sh"

sim --ttft 20ms --tpot 5ms
ENDPOINT=tcp://127.0.0.1:$(free_port)
plan 'workload: {synthetic: {input_tokens: 16, output_tokens: 32}}' 'load: {stages: [{concurrency: 8, duration: 4s}, {concurrency: 9, duration: 3s}]}' \
    'agents: {count: 2, wait: 20s}'

agent --name early
early=$AGENT_PID
sleep 1
plateau_start --listen "$ENDPOINT"
agent --name second
second=$AGENT_PID
wait_until 15 grep -q 'stage 1/2' "$TMP/err.log" || { fail "the run did not begin"; show err.log; }
agent --name late --weight 2
late=$AGENT_PID
agent --name second --wait 2s
twin=$AGENT_PID
plateau_wait
expect_carried
expect_report
expect_ledger
expect '.points | length == 2' 'two points'
for p in "$early" "$second" "$late"; do
    wait "$p"
    s=$?
    [ "$s" = 0 ] && ok "agent ends with the run" || fail "agent ended with status $s"
done
# the log of the three (the twin is not welcomed): one line each that they are welcomed, that each stage begins and has ended, and that the run is over
lines() { [ "$(grep -cE "$2" "$TMP/agent.log")" = "$1" ] && ok "$1 lines: $2" || { fail "not $1 lines: $2"; show agent.log; }; }
lines 3 "welcomed by $ENDPOINT to run [^ ]+ as agent [0-9]+"
lines 2 'stage 1: the load begins, 4 of 8 requests in flight'
lines 2 'stage 1: the load is done, [1-9][0-9]* requests ok, 0 failed, [0-9]+ cut off$'
lines 3 'stage 2: the load begins, [2-5] of 9 requests in flight'
lines 3 'stage 2: the load is done, [1-9][0-9]* requests ok, 0 failed, [0-9]+ cut off$'
lines 3 "$ENDPOINT says goodbye: the run is over"
wait "$twin"
[ $? != 0 ] && ok "a second agent of the same name takes no part" || fail "the twin took part"
expect_text err.log 'agent_refused: second: an agent of this name takes part already'
parts() { sqlite3 "$OUT/run.sqlite" "SELECT group_concat(name || ':' || slots, ' ') FROM (SELECT * FROM stage_agent JOIN stage ON stage.id = stage_id WHERE stage = $1 ORDER BY name)"; }
[ "$(parts 0)" = "early:4 second:4" ] && ok "stage 0: $(parts 0)" || fail "stage 0: $(parts 0)"
[ "$(parts 1)" = "early:2 late:5 second:2" ] || [ "$(parts 1)" = "early:3 late:4 second:2" ] || [ "$(parts 1)" = "early:2 late:4 second:3" ] &&
    ok "stage 1: $(parts 1)" || fail "stage 1: $(parts 1)"

plan 'load: {concurrency: 2, duration: 2s}' 'agents: {count: 2, wait: 2s}'
plateau_run --listen "$ENDPOINT"
expect_status 4
expect_text err.log '0 of 2 agents' 'agents that do not come: logged'
# a run that failed is no success of its agents
plan "target: {url: \"http://127.0.0.1:$(free_port)/v1/chat/completions\", model: sim}" 'load: {concurrency: 2, duration: 2s}' 'agents: {count: 1, wait: 20s}'
agent --name unlucky
unlucky=$AGENT_PID
plateau_run --listen "$ENDPOINT"
expect_status 1
wait "$unlucky"
s=$?
[ "$s" = 1 ] && ok "an agent of a run that failed ends with its status" || fail "an agent of a run that failed: status $s"
expect_text agent.log 'the run failed: ' 'the agent logs why'
"$BIN/plateau-agent" --connect "tcp://127.0.0.1:$(free_port)" --wait 2s >"$TMP/alone.log" 2>&1
s=$?
[ "$s" = 4 ] && ok "an agent without a coordinator gives up" || fail "an agent without a coordinator: status $s"
finish

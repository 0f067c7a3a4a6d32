# An agent stands still for longer than its lease (SIGSTOP for 20 s) in the middle of a stage and continues: from the moment its lease had run out until it is armed
# again, it must not send one request, though its schedule is full of what is due and its slots are free.
. "$(dirname "$0")/lib.sh"

sim --ttft 20ms --tpot 2ms --truth "$TMP/truth.jsonl"
now() { python3 -c 'import time; print(time.monotonic_ns())'; }
ENDPOINT=tcp://127.0.0.1:$(free_port)
plan 'workload: {synthetic: {input_tokens: 16, output_tokens: 8}}' 'load: {stages: [{rate: 200, duration: 40s}]}' \
    'agents: {count: 1, wait: 60s, on_loss: retry, max_lost_weight: 100%}'
plateau_start --listen "$ENDPOINT"
agent --name sleeper
wait_until 20 grep -q 'stage 1/1' "$TMP/err.log" || { fail "the stage did not begin"; show err.log; }
sleep 2
kill -STOP "$AGENT_PID"
from=$(now)
sleep 20
to=$(now)
kill -CONT "$AGENT_PID"
wait_until 40 test "$(sqlite3 -readonly "$OUT/run.sqlite" 'SELECT count(*) FROM stage')" -ge 1
again() { [ "$(sqlite3 -readonly "$OUT/run.sqlite" 'SELECT count(*) FROM stage')" = 2 ]; }
wait_until 40 again || { fail "the stage was not begun again"; show err.log; }
armed=$(sqlite3 -readonly "$OUT/run.sqlite" 'SELECT max(started_wall_ns) FROM stage')
wall=$(python3 -c 'import time; print(time.time_ns() - time.monotonic_ns())')
sleep 2
kill -INT "$RUN_PID"
plateau_wait
expect_status 130
expect_text agent.log 'lease has run out' 'the agent says that its lease has run out'
kill -INT "$SIM_PID"
wait "$SIM_PID" 2>/dev/null
python3 - "$TMP/truth.jsonl" "$from" "$to" "$((armed - wall))" <<'P' || fail "load outlived the lease"
import json, sys
frm, to, armed = map(int, sys.argv[2:5])
got = [json.loads(line)["received_ns"] for line in open(sys.argv[1])]
before, late, after = [t for t in got if t < frm], [t for t in got if frm + 10 ** 9 < t < armed - 10 ** 7], [t for t in got if t >= armed - 10 ** 7]
print("%d requests before it stood still, %d between the end of its lease and the new start, %d after" % (len(before), len(late), len(after)))
sys.exit(0 if before and after and not late else 1)
P
ok "no request was sent after the lease had run out"
finish

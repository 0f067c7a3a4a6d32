# An agent of three stands still (SIGSTOP) in the middle of a stage, for twenty seconds and for as long as the run lasts, under each policy of losses: the sums
# hold, the run ends with a report that names it, never as if nothing had been; the others continue; an agent that wakes after its lease sends nothing until it is
# armed again, and nothing at all when the run is over.
. "$(dirname "$0")/../lib.sh"

mono() { python3 -c 'import time; print(time.monotonic_ns())'; }
given_up() { grep -q 'agent_lost: agent a3 ' "$TMP/err.log"; }
back() { [ "$(grep -c 'agent_joined: a3 ' "$TMP/err.log")" = 2 ]; }

# begin POLICY LOAD: a run with three agents, the third stands still in its first stage
begin() {
    sim --ttft 50ms --tpot 10ms --truth "$TMP/truth"
    plan 'workload: {synthetic: {input_tokens: 16, output_tokens: 32}}' "$2" "agents: {count: 3, wait: 40s, on_loss: $1, max_lost_weight: 50%}"
    ENDPOINT=tcp://127.0.0.1:$(free_port)
    plateau_start --listen "$ENDPOINT"
    OTHERS=()
    for k in 1 2 3; do agent --name "a$k" --wait 60s; OTHERS[k]=$AGENT_PID; done
    SLEEPER=${OTHERS[3]}
    wait_until 30 grep -q 'stage 1 of' "$TMP/err.log" || { fail "the stage did not begin"; show err.log; }
    sleep 2
    kill -STOP "$SLEEPER"
    asleep=$(date +%s)
    wait_until 20 given_up && ok "given up" || fail "not noticed"
}
# sleep_out SECONDS: of its standing still
sleep_out() {
    local left=$(($1 - ($(date +%s) - asleep)))
    [ "$left" -gt 0 ] && sleep "$left"
    WOKE=$(mono)
    kill -CONT "$SLEEPER"
}
# the run is over and so is its lease: the sleeper wakes, finds nobody, and loads nothing
wake_after_all() {
    plateau_wait
    sleep_out 14
    sleep 4
}
# what holds whatever happened
whole() { # STATUS…
    case " $* " in *" $STATUS "*) ok "exit status $STATUS" ;; *) fail "exit status $STATUS, expected $*"; show err.log ;; esac
    expect_report
    expect_ledger
    python3 "$(dirname "$0")/../check_run.py" "$OUT" || fail "the sums do not hold"
    expect '[.agents[] | select(.lost) | .name] == ["a3"]' 'the report names who was lost'
    expect '[.events[] | select(.kind == "agent_lost")] | length == 1' 'and when'
    kill -9 "${OTHERS[@]}" 2>/dev/null
    kill -INT "$SIM_PID"
    wait "${OTHERS[@]}" "$SIM_PID" 2>/dev/null
}
# quiet UNTIL: no more in flight than the two others may have, from the wake to that moment (0: to the end of time)
quiet() {
    python3 - "$TMP/truth" "$WOKE" "$1" "$2" <<'PY' && ok "it sent nothing without a lease" || fail "it sent requests without a lease"
import json, sys
woke, until, most = (int(a) for a in sys.argv[2:5])
seen = [json.loads(line) for line in open(sys.argv[1]) if line.endswith("}\n")]
seen = [r for r in seen if r.get("last_ns", r["received_ns"]) > woke and (not until or r["received_ns"] < until)]
edges = sorted([(r["received_ns"], 1) for r in seen] + [(r.get("last_ns", r["received_ns"]), 0) for r in seen])
now = largest = 0
for _, begins in edges:
    now += 1 if begins else -1
    largest = max(largest, now)
print("   %d requests after it woke, at most %d at a time" % (len(seen), largest))
sys.exit(largest > most)
PY
}
second_stage() { # when it was begun, in the clock of the truth file
    python3 - "$OUT/run.sqlite" <<'PY'
import sqlite3, sys, time
wall = sqlite3.connect(sys.argv[1]).execute("SELECT max(started_wall_ns) FROM stage WHERE stage = 1").fetchone()[0]
print(wall - time.time_ns() + time.monotonic_ns())
PY
}
two='load: {stages: [{concurrency: 6, duration: 12s}, {concurrency: 6, duration: 3s}], cooldown: 3s}'

echo '== 20 s, retry'
begin retry "$two"
sleep_out 20
wait_until 20 back && ok "it is back" || fail "it did not come back"
plateau_wait
whole 0 3
expect '(.points | length == 2) and .points[0].epoch > 1 and (.points[0].agents | length == 2) and .points[0].ledger.lost == 0 and (.points[0].degraded | not)' 'the first stage was run again, whole, by two'
expect '(.points[1].agents | map(.name) | sort) == ["a1", "a2", "a3"] and (.points[1].degraded | not)' 'it takes part in the second'
quiet "$(($(second_stage) - 10000000))" 6

echo '== 20 s, mark'
begin mark 'load: {stages: [{concurrency: 6, duration: 26s}, {concurrency: 6, duration: 3s}], cooldown: 3s}'
sleep_out 20
wait_until 20 back && ok "it is back" || fail "it did not come back"
plateau_wait
whole 4
expect '.points[0] | .degraded and .verdict.status != "valid" and .ledger.lost >= 1 and .ledger.lost <= 2' 'mark: the stage is marked, only what was open is lost'
expect '(.points[1].agents | map(.name) | sort) == ["a1", "a2", "a3"] and (.points[1].degraded | not)' 'it takes part in the second'
quiet "$(($(second_stage) - 10000000))" 4

echo '== 20 s, fail'
begin fail "$two"
plateau_wait
sleep_out 20
sleep 4
whole 4
expect_text err.log 'on_loss is fail' 'the reason is logged'
expect '.points | length == 1 and .[0].degraded and .[0].ledger.lost <= 2' 'fail: what was measured is reported as what it is'
quiet 0 0

for policy in retry mark fail; do
    echo "== for ever, $policy"
    begin "$policy" 'load: {concurrency: [6], duration: 12s}'
    wake_after_all
    case $policy in
    retry)
        whole 0 3
        expect '(.points | length == 1) and .points[0].epoch > 1 and (.points[0].agents | length == 2) and (.points[0].degraded | not)' 'the stage was run again, whole, by two'
        ;;
    *)
        whole 4
        expect '.points | length == 1 and .[0].degraded and .[0].verdict.status != "valid" and .[0].ledger.lost <= 2' 'the stage is marked'
        ;;
    esac
    quiet 0 0
done
finish

# An agent's process stands still (SIGSTOP): for 2 s, which is no death; for 6 s, after which it is given up, the stage is run again once its lease has run out,
# and it comes back as somebody new; for ever, which must not keep the run from ending nor leave a process running.
. "$(dirname "$0")/lib.sh"

victim() { pgrep -f -- "plateau-agent --connect $(endpoint) --name local-1( |\$)"; }
running() { grep -q 'stage 1/' "$TMP/err.log" && [ -n "$(victim)" ]; }
begin() {
    plateau_start --local 2
    wait_until 15 running || { fail "the stage did not begin"; show err.log; }
    sleep 1.5
    VICTIM=$(victim)
    kill -STOP "$VICTIM"
}

sim --ttft 50ms --tpot 10ms
plan 'workload: {synthetic: {input_tokens: 16, output_tokens: 32}}' 'load: {concurrency: [8], duration: 6s}'

begin
sleep 2
kill -CONT "$VICTIM"
plateau_wait
[ "$STATUS" = 0 ] || [ "$STATUS" = 3 ] && ok "2 s: exit status $STATUS" || fail "2 s: exit status $STATUS"
expect_ledger
expect '[.agents[] | select(.lost)] | length == 0' '2 s: nobody is lost'
expect '.points[0].verdict.status != "valid"' '2 s: the standstill shows in the verdict'

begin
sleep 6
kill -CONT "$VICTIM"
plateau_wait
[ "$STATUS" = 0 ] || [ "$STATUS" = 3 ] && ok "6 s: exit status $STATUS" || fail "6 s: exit status $STATUS"
expect_ledger
expect '[.agents[] | select(.lost)] | length == 1' '6 s: one agent is lost'
expect '.agents | length == 3' '6 s: it came back under a new number'
expect '(.points | length == 1) and .points[0].epoch > 1 and (.points[0].agents | length == 2) and (.points[0].degraded | not)' '6 s: the stage was run again by two'
python3 - "$OUT/run.sqlite" <<'P' && ok "6 s: not before the lease had run out" || fail "6 s: the stage began again too early"
import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
lost = db.execute("SELECT wall_ns FROM event WHERE kind = 'agent_lost'").fetchone()[0]
again = db.execute("SELECT max(started_wall_ns) FROM stage").fetchone()[0]
sys.exit(0 if again - lost > 10e9 else 1)
P
expect_no_orphans

begin
plateau_wait
[ "$STATUS" = 0 ] || [ "$STATUS" = 3 ] && ok "for ever: exit status $STATUS" || fail "for ever: exit status $STATUS"
expect_ledger
expect '(.points | length == 1) and (.points[0].agents | length == 1)' 'for ever: the stage was run again by the other'
expect_no_orphans
finish

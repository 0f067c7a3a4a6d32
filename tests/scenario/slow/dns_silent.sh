# A name server that never answers, and one that is there for some only: an agent that waits for a name lives and says so, the run ends with a reason within its
# deadlines, and who joins late with such a name server does no harm to the stage that runs.
if [ -z "${PLATEAU_NAMES:-}" ] && [ "$(id -u)" = 0 ] && unshare -mn ip link set lo up 2>/dev/null; then PLATEAU_NAMES=own exec unshare -mn bash "$0" "$@"; fi
NAMES_UP=../
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../names.sh"

names_begin
sim --ttft 5ms --tpot 1ms
alive() { expect '[.events[] | select(.text | test("silent"))] | length == 0' "$1: nobody was taken for dead meanwhile"; }

names_plan never.test 'load: {concurrency: 2, duration: 1s}'
plateau_run --local 2
names_refused 'no answer, as long as the resolver tries' 1 'target.url: never.test cannot be resolved: Temporary failure in name resolution'
alive 'no answer'
echo 'options timeout:30 attempts:3' >>"$TMP/resolv.conf"
plateau_run --local 2
names_refused 'no answer, and a patient resolver' 1 'target.url: never.test cannot be resolved: no answer for 15 s'
alive 'a patient resolver'
names_plan never.test 'load: {concurrency: 2, duration: 1s}' && echo 'agents: {wait: 6s}' >>"$TMP/plan.yaml"
plateau_run --local 2
names_refused 'the run waits for less' 4 '0 of 2 agents were there after agents.wait .6 s.; 2 more had come and not yet taken the plan'

# own resolv.conf for one agent: 127.0.0.2 never answers, at 127.0.0.3 there is nobody
agent_asking() { # SERVER NAME
    echo "nameserver $1" >"$TMP/resolv.$2"
    FILE=$TMP/resolv.$2 unshare -m sh -c 'mount --bind "$FILE" "$(readlink -f /etc/resolv.conf)" && exec "$@"' sh \
        "$BIN/plateau-agent" --connect "$ENDPOINT" --name "$2" --wait 60s >"$TMP/$2.log" 2>&1 &
    AGENT_PID=$!
    STARTED+=("$AGENT_PID")
}
names_plan good.test 'load: {concurrency: 4, duration: 20s}' && echo 'agents: {count: 1, wait: 20s, on_loss: fail}' >>"$TMP/plan.yaml"
ENDPOINT=tcp://127.0.0.1:$(free_port)
plateau_start --listen "$ENDPOINT"
agent_asking 127.0.0.1 good
good=$AGENT_PID
wait_until 20 grep -q 'stage 1/1' "$TMP/err.log" || { fail 'the stage did not begin'; show err.log; }
agent_asking 127.0.0.2 mute
mute=$AGENT_PID
agent_asking 127.0.0.3 deaf
deaf=$AGENT_PID
wait "$deaf"
s=$?
[ "$s" = 2 ] && ok 'a latecomer whose name server is not there is sent away' || fail "the latecomer ended with status $s"
expect_text deaf.log 'cannot take the plan: target.url: good.test cannot be resolved'
wait "$mute"
s=$?
[ "$s" = 2 ] && ok 'so is one whose name server never answers' || fail "the mute one ended with status $s"
plateau_wait
expect_carried
wait "$good" && ok 'the other ended well' || fail 'the other was harmed'
expect_report
expect_ledger
python3 "$(dirname "$0")/../check_run.py" "$OUT" || fail "the sums do not hold"
expect '.points | length == 1 and (.[0].degraded | not) and (.[0].agents | map(.name)) == ["good"]' 'the stage is whole'
expect '.points[0].ledger | .ok == .due and .ok > 1000' 'and its load continued'
expect '[.events[] | select(.kind == "agent_lost") | .text | select(test("(mute|deaf).*good.test cannot be resolved"))] | length == 2' 'the report says why the others are not in it'
finish

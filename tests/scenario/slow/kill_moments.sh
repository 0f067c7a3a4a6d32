# One agent of three is killed (SIGKILL) at each moment that matters: before the barrier, at it, right after it, between two snapshots, and while the stage
# drains. It is noticed, and the stage is run by the others; the sums hold in every attempt.
. "$(dirname "$0")/../lib.sh"

victim() { pgrep -f -- "plateau-agent --connect $(endpoint) --name local-1( |\$)"; }
begun() { grep -q 'stage 1 of' "$TMP/err.log"; }
sim --ttft 100ms --tpot 20ms

# before the barrier: it had joined, the others are awaited still
ENDPOINT=tcp://127.0.0.1:$(free_port)
plan 'workload: {synthetic: {input_tokens: 16, output_tokens: 100}}' 'load: {concurrency: [9], duration: 3s}' 'agents: {count: 3, wait: 20s}'
plateau_start --listen "$ENDPOINT"
agent --name one
first=$AGENT_PID
wait_until 10 grep -q 'agent_joined: one ' "$TMP/err.log" || fail "before: nobody joined"
kill -9 "$first"
wait "$first" 2>/dev/null
for name in two three four; do agent --name $name; done
plateau_wait
expect_carried
expect_report
expect_ledger
expect '(.points | length == 1) and (.points[0].agents | length == 3) and .points[0].ledger.lost == 0 and .points[0].degraded != true' 'before: the point is whole'
python3 "$(dirname "$0")/../check_run.py" "$OUT" || fail "before: the sums do not hold"

for moment in at after between drain; do
    # while it drains there must be time to find the victim, on a busy machine too
    plan "workload: {synthetic: {input_tokens: 16, output_tokens: $([ $moment = drain ] && echo 350 || echo 100)}}" 'load: {concurrency: [9], duration: 3s}' \
        'agents: {on_loss: retry}'
    plateau_start --local 3
    wait_until 10 begun || { fail "$moment: did not come that far"; show err.log; }
    case $moment in after) sleep 0.4 ;; between) sleep 1.9 ;; drain) sleep 4 ;; esac
    kill -9 "$(victim)"
    plateau_wait
    expect_carried
    expect_report
    expect_ledger
    expect '(.points | length == 1) and .points[0].ledger.lost == 0 and .points[0].degraded != true' "$moment: the point is whole"
    expect '[.agents[] | select(.lost)] | length == 1' "$moment: one agent is named as lost"
    python3 "$(dirname "$0")/../check_run.py" "$OUT" || fail "$moment: the sums do not hold"
    expect_no_orphans
done
finish

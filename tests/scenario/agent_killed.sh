# An agent dies by SIGKILL in the middle of a stage: it is noticed within 5 s, its open requests are lost and nothing else, and the run ends with a
# report. By default the stage is run again with those that remain; `mark` keeps it degraded; `fail` ends the run, as does the loss of more than agents.max_lost_weight.
. "$(dirname "$0")/lib.sh"

victim() { pgrep -f -- "plateau-agent --connect $(endpoint) --name local-1( |\$)"; }
running() { grep -q 'stage 1/' "$TMP/err.log" && [ -n "$(victim)" ]; }
kill_one() {
    wait_until 15 running || { fail "the stage did not begin"; show err.log; return; }
    sleep 1.5
    kill -9 "$(victim)"
    local t0=$(date +%s%N)
    wait_until 8 grep -q agent_lost "$TMP/err.log" || { fail "the death was not noticed"; return; }
    local ms=$((($(date +%s%N) - t0) / 1000000))
    [ "$ms" -le 5000 ] && ok "noticed after $ms ms" || fail "noticed after $ms ms only"
}

sim --ttft 100ms --tpot 20ms
plan 'workload: {synthetic: {input_tokens: 16, output_tokens: 64}}' 'load: {concurrency: [8], duration: 4s}'

plateau_start --local 2 --agents-hint 'kubectl get pods'
kill_one
plateau_wait
expect_carried
expect_report
expect_ledger
expect '.points | length == 1' 'one point: the attempt that was lost is superseded'
expect '.points[0].ledger.lost == 0 and .points[0].degraded != true' 'the point is of the second attempt'
expect '[.agents[] | select(.lost)] | length == 1' 'one agent is named as lost'
expect_text err.log 'stage_retry' 'the retry is logged'
[ "$(grep -c 'where the agents are: kubectl get pods' "$TMP/err.log")" = 1 ] && ok 'and once where the agents are' || { fail 'where the agents are is not told once'; show err.log; }
expect_no_orphans

sed -i '/^agents:/d' "$TMP/plan.yaml"; echo 'agents: {on_loss: mark}' >>"$TMP/plan.yaml"
plateau_start --local 2
kill_one
plateau_wait
expect_status 4
expect_report
expect_ledger
expect '(.points | length == 1) and .points[0].ledger.lost >= 1 and .points[0].ledger.lost <= 4' 'mark: the open requests of the dead agent (at most its 4 slots) are lost'
expect '.points[0].verdict.status != "valid"' 'mark: the point is not valid'
expect_no_orphans

sed -i '/^agents:/d' "$TMP/plan.yaml"; echo 'agents: {on_loss: fail}' >>"$TMP/plan.yaml"
plateau_start --local 2
kill_one
plateau_wait
expect_status 4
expect_report
expect_ledger
expect_text err.log 'on_loss is fail' 'fail: the reason is logged'
expect_no_orphans

sed -i '/^agents:/d' "$TMP/plan.yaml"; echo 'agents: {on_loss: retry, max_lost_weight: 20%}' >>"$TMP/plan.yaml"
plateau_start --local 2
kill_one
plateau_wait
expect_status 4
expect_report
expect_ledger
expect_text err.log 'max_lost_weight allows 20 %' 'half of the weight is lost, a fifth is allowed: the run ends and says so'
expect_no_orphans
finish

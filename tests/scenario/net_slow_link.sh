# A control link of 50 and then of 20 kbit/s, less than the snapshots need: reports come late, the load continues as planned, nothing is dropped.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/net.sh"

net_make 2
plan 'target: {url: "http://127.0.0.1:8000/v1/chat/completions", model: sim}' \
    'workload: {synthetic: {input_tokens: 16, output_tokens: {uniform: [16, 96]}}}' 'load: {concurrency: [64], duration: 6s}' 'agents: {count: 2, wait: 20s}'
wire all delay 20 5
wire 2 rate 50000
net_up 2 --ttft 30ms --tpot 10ms
sleep 1
wire 2 rate 20000
plateau_wait
# A machine too busy to get a heartbeat through such a link in three seconds loses the agent, and rightly. The sums must hold then too, but this case's own
# question was not asked: again, at most three times, then the case is skipped with that reason.
if grep -q agent_lost "$TMP/err.log"; then
    check_run
    [ "$FAILED" = 0 ] || finish
    if [ "${TRY:-1}" = 3 ]; then
        echo "skipped: an agent was lost on this busy machine in each of three runs; their sums hold, the slow link's question was not asked"
        exit 77
    fi
    echo "an agent was lost on this busy machine; once more"
    trap - EXIT
    net_cleanup
    TRY=$((${TRY:-1} + 1)) exec bash "$0" "$BIN"
fi
expect_carried
expect_report
expect_ledger
check_run
net_end_sims
served=$(cat "$TMP"/truth.* | grep -c '"end":"done"')
expect ".points[0].ledger | .ok == $served and .ok == .due" "all $served requests that were served are counted"
expect '.points[0].evidence.dropped == 0' 'nothing was dropped'
expect '.points[0].achieved.concurrency > 62' 'the load was what was planned'
n=$(jq '[.points[0].agents[] | select(.name == "agent-2").snapshots][0]' "$OUT/summary.json")
ok "agent 2 reported in $n pieces, agent 1 in $(jq '[.points[0].agents[] | select(.name == "agent-1").snapshots][0]' "$OUT/summary.json")"
finish

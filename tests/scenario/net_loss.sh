# Five packets in a hundred are lost on every cable: TCP sends them again, nothing is counted twice or not at all, and no agent is given up.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/net.sh"

net_make 2
plan 'target: {url: "http://127.0.0.1:8000/v1/chat/completions", model: sim}' 'workload: {synthetic: {input_tokens: 16, output_tokens: 32}}' \
    'load: {concurrency: [8], duration: 6s}' 'agents: {count: 2, wait: 20s}'
wire all delay 10 5
wire all loss 0.05
net_up 2 --ttft 50ms --tpot 10ms
plateau_wait
expect_carried
expect_report
expect_ledger
check_run
net_end_sims
served=$(cat "$TMP"/truth.* | grep -c '"end":"done"')
expect ".points | last | .ledger.ok <= $served and .ledger.lost == 0" "no more ended ok than the endpoints served ($served)"
expect '[.events[] | select(.kind == "agent_lost")] | length == 0' 'no agent was given up'
[ "$(jq '[.points[] | .ledger.ok] | add' "$OUT/summary.json")" = "$served" ] && ok "as many ended ok as were served" ||
    expect '[.events[] | select(.kind == "stage_retry")] | length > 0' 'fewer counted than served: only where a stage was run again'
finish

# All agents are cut off at once: the run ends by itself, with a report of what was measured, and every agent stops when its lease has run out.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/net.sh"

net_make 2
plan 'target: {url: "http://127.0.0.1:8000/v1/chat/completions", model: sim}' 'workload: {synthetic: {input_tokens: 16, output_tokens: 32}}' \
    'load: {concurrency: [8], duration: 60s}' 'agents: {count: 2, wait: 20s, on_loss: retry}'
net_up 2 --ttft 50ms --tpot 10ms
sleep 2.5
wire all drop both
cut=$(mono)
plateau_wait
expect_status 4
expect_report
expect_ledger
check_run
expect '.points[0].ledger | .due > 0 and .lost > 0 and .lost <= 8' 'what was open is lost, what was measured is reported'
for k in 1 2; do wait_until 12 net_idle "$k" && ok "agent $k stopped" || fail "agent $k loads without a lease"; done
net_end_sims
lease=$(python3 -c "print($cut + 10.6)")
for k in 1 2; do no_load_after "$lease" "$k"; done
finish

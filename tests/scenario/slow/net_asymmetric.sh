# A cable that is dead in one direction, first from the coordinator to an agent, then from an agent to the coordinator: both are noticed, and no load goes
# on without a lease.
NET_UP=../
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../net.sh"

net_make 2
for way in down up; do
    plan 'target: {url: "http://127.0.0.1:8000/v1/chat/completions", model: sim}' 'workload: {synthetic: {input_tokens: 16, output_tokens: 32}}' \
        'load: {concurrency: [8], duration: 24s}' 'agents: {count: 2, wait: 20s, on_loss: mark}'
    wire all clear
    net_up 2 --ttft 50ms --tpot 10ms
    sleep 1
    wire 2 drop $way
    cut=$(mono)
    wait_until 20 grep -qE 'agent_(lost|failed).*agent-2' "$TMP/err.log" && ok "$way: noticed after $(python3 -c "print('%.1f' % ($(mono) - $cut))") s" || fail "$way: not noticed"
    wait_until 16 net_idle 2 && ok "$way: agent 2 stopped $(python3 -c "print('%.1f' % ($(mono) - $cut))") s after the cut" || fail "$way: agent 2 loads without a lease"
    net_busy 1 && ok "$way: the other loads on" || fail "$way: the other stopped"
    plateau_wait
    expect_status 4
    expect_report
    expect_ledger
    check_run
    kill -9 "${PID_OF[1]}" "${PID_OF[2]}" 2>/dev/null
    net_end_sims
    no_load_after "$(python3 -c "print($cut + 11.6)")" 2
done
finish

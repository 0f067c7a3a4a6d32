#!/usr/bin/env bash
# The Grafana dashboard of deploy/ asks for nothing that coordinator and agents do not show: its queries against their real pages, while a run goes on.
. "$(dirname "$0")/lib.sh"
sim --slots 4
plan 'load: {concurrency: [2, 4], duration: 3s}' 'agents: {count: 1}'
page=$(free_port) agent_page=$(free_port)
plateau_start --listen tcp://127.0.0.1:0 --http "127.0.0.1:$page"
wait_until 5 grep -q 'listening on tcp' "$TMP/err.log" || fail "the coordinator does not listen"
ENDPOINT=$(endpoint)
agent --http "127.0.0.1:$agent_page"
running() { curl -sf "http://127.0.0.1:$page/metrics" | found '^plateau_stage_epoch [1-9]'; }
wait_until 15 running || fail "no stage runs"
sleep 1.2 # pages are renewed once a second
curl -sf "http://127.0.0.1:$page/metrics" >"$TMP/coordinator.txt" || fail "no page of the coordinator"
curl -sf "http://127.0.0.1:$agent_page/metrics" >"$TMP/agent.txt" || fail "no page of the agent"
if command -v promtool >/dev/null; then # Prometheus' own reader
    for f in coordinator agent; do promtool check metrics <"$TMP/$f.txt" >"$TMP/promtool" 2>&1 || { fail "promtool dislikes the page of the $f"; show promtool; }; done
fi
here=$(dirname "$0") dashboard=$here/../../deploy/grafana/plateau.json
python3 "$here/dashboard.py" "$dashboard" "$TMP/coordinator.txt" "$TMP/agent.txt" || FAILED=1
sed 's/plateau_ttft_p50_seconds/plateau_ttft_median/' "$dashboard" >"$TMP/wrong.json"
python3 "$here/dashboard.py" "$TMP/wrong.json" "$TMP/coordinator.txt" "$TMP/agent.txt" >/dev/null && fail "a name that does not exist is not found"
plateau_wait
expect_carried
finish

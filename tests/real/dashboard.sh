#!/usr/bin/env bash
# The Grafana dashboard's queries in a real Prometheus (Debian's package), which scrapes a coordinator and an agent during a run against the simulator:
# each query is understood, and each has an answer. tests/real/dashboard.sh [BUILD]
set -uo pipefail
cd "$(dirname "$0")/../.."
command -v prometheus >/dev/null || { echo "skipped: no prometheus"; exit 77; }
. tests/scenario/lib.sh "${1:-build/dev}/bin"
sim --slots 4
plan 'load: {concurrency: [2, 4], duration: 12s}' 'agents: {count: 1}'
page=$(free_port) agent_page=$(free_port) own=$(free_port)
printf 'global: {scrape_interval: 1s}\nscrape_configs:\n- job_name: plateau\n  static_configs: [{targets: ["127.0.0.1:%s", "127.0.0.1:%s"]}]\n' "$page" "$agent_page" >"$TMP/prometheus.yml"
prometheus --config.file="$TMP/prometheus.yml" --storage.tsdb.path="$TMP/data" --web.listen-address="127.0.0.1:$own" >"$TMP/prometheus.log" 2>&1 &
STARTED+=("$!")
plateau_start --listen tcp://127.0.0.1:0 --http "127.0.0.1:$page"
wait_until 5 grep -q 'listening on tcp' "$TMP/err.log" || fail "the coordinator does not listen"
ENDPOINT=$(endpoint)
agent --http "127.0.0.1:$agent_page"
wait_until 20 sh -c "curl -sf http://127.0.0.1:$page/metrics | grep -q '^plateau_stage 2'" || fail "no second stage"
sleep 9
python3 - "$own" "127.0.0.1:$page" "127.0.0.1:$agent_page" deploy/grafana/plateau.json <<'P' || FAILED=1
import json, sys, urllib.parse, urllib.request
own, coordinator, agent, path = sys.argv[1:]
dashboard, failed, quiet = json.load(open(path)), 0, ("== 0", "outcome!~")  # what is empty while all is well
def ask(what, query):
    return json.load(urllib.request.urlopen(f"http://127.0.0.1:{own}/api/v1/{what}{urllib.parse.urlencode(query, doseq=True)}"))["data"]
for v in dashboard["templating"]["list"]:
    if v["type"] != "query": continue
    metric = v["definition"].split("(")[1].split(",")[0]
    found = {s["instance"] for s in ask("series?", {"match[]": metric})}
    if found != {coordinator if v["name"] == "coordinator" else agent}: failed = 1; print("FAILED: variable", v["name"], "finds", found)
for p in dashboard["panels"]:
    for t in p.get("targets", []):
        q = t["expr"].replace("$coordinator", coordinator).replace("$agent", agent).replace("$__rate_interval", "5s")
        n = len(ask("query?", {"query": q})["result"])
        either = "plateau_stage_rate" in q  # the load of a closed loop is the other one
        print(n, p["title"], q)
        if n == 0 and not either and not any(w in q for w in quiet): failed = 1; print("FAILED: nothing comes of it")
sys.exit(failed)
P
plateau_wait
expect_carried
finish

#!/usr/bin/env bash
# plateau export --to mlperf-endpoints, judged by MLCommons' own checker (endpoints-submission-cli, pinned): a shortened curve against the simulator, over loopback.
# No rule may fail but those that need accuracy or one of the official models. A shortened run has short windows, which the checker warns of; nothing else may be
# warned of. Its events.jsonl has the requests of each point. MLPERF_CLIENT=FOLDER is a checkout of the reference client, and MLPERF_PYTHON a Python that has it
# installed: its own script then makes the early-stopping estimates from our events, which must be those of our result_summary.json, to the histograms' resolution.
# Needs python3-venv and the network. tests/real/mlperf.sh [BUILD]
set -euo pipefail
cd "$(dirname "$0")/../.."
build=$(cd "${1:-build/dev}" && pwd)
tmp=$(mktemp -d) sim=
trap '[ -n "$sim" ] && kill "$sim"; rm -rf "$tmp"' EXIT
python3 -m venv "$tmp/judge"
"$tmp/judge/bin/pip" install -q endpoints-submission-cli==1.5.3.0
"$build/bin/plateau-sim" --listen 127.0.0.1:0 --port-file "$tmp/port" --exit-after 280s --ttft 20ms --tpot 2ms >/dev/null 2>&1 &
sim=$!
for _ in $(seq 100); do [ -s "$tmp/port" ] && break; sleep 0.05; done
for i in $(seq 96); do echo "{\"q\": \"question $i of the set\", \"n\": 16}"; done >"$tmp/set.jsonl"
cat >"$tmp/plan.yaml" <<END
plan: 1
target: {url: "http://127.0.0.1:$(cat "$tmp/port")/v1/chat/completions", model: sim}
workload: {dataset: {file: set.jsonl, format: jsonl, fields: {prompt: q, output_tokens: n}}}
load: {curve: mlperf-endpoints, max_concurrency: 64, passes: 5, cooldown: 200ms}
record: {requests: true}
END
status=0
"$build/bin/plateau" run "$tmp/plan.yaml" --local 1 --out "$tmp/run" >"$tmp/out" 2>"$tmp/err" || status=$?
[ "$status" = 0 ] || [ "$status" = 3 ] || { cat "$tmp/err"; exit 1; }
"$build/bin/plateau" export "$tmp/run" --to mlperf-endpoints --with configs/mlperf-system.json --events --out "$tmp/org" >"$tmp/names"
points=$(grep -c 'result_summary.json' "$tmp/names")
[ "$points" = 8 ] || { echo "$points of 8 points were fit for an export: this machine is too busy"; exit 77; }
root=("$tmp"/org/*)
"$tmp/judge/bin/endpoints-submission-cli" check-submission "${root[0]}" --json --strict -o "$tmp/verdict.json" >"$tmp/judged" 2>&1 || true
python3 - "$tmp/verdict.json" "$tmp/run/summary.json" "${root[0]}" <<'P'
import glob, json, sys
verdict, summary, root = json.load(open(sys.argv[1])), json.load(open(sys.argv[2])), sys.argv[3]
by = {}
for r in verdict["results"]:
    by.setdefault(r["severity"], []).append(r)
errors, warnings = by.get("error", []), by.get("warning", [])
for r in errors + warnings:
    print(r["severity"], r["rule"], r["message"])
wrong = {r["rule"] for r in errors} - {"accuracy-present", "accuracy-coverage", "model-name-valid"}
wrong |= {r["rule"] for r in warnings} - {"point-duration", "steady-state-basis"}
assert not wrong, f"FAILED: {sorted(wrong)}"
judged = {r["rule"] for r in by.get("info", [])}
for rule in ("metric-consistency-system-tps", "metric-consistency-tps-per-user", "metric-consistency-accounting", "tps-utilization", "point-count", "offline-point-present"):
    assert rule in judged, f"FAILED: {rule} was not judged"
mine = {p["requested"]["concurrency"]: p for p in summary["points"]}
files = glob.glob(root + "/results/*/*/r*/result_summary.json")
for f in files:
    s, p = json.load(open(f)), mine[int(f.split("/")[-2][1:])]
    assert s["n_samples_issued"] == p["window"]["due"] and s["n_samples_issued"] % 96 == 0, f
    assert abs(s["tpot"]["percentiles"]["90"] / 1e6 / p["tpot_suffix_ms"]["p90"] - 1) < 0.01, f
print(f"{len(files)} points, {len(judged)} rules passed; errors only of {sorted({r['rule'] for r in errors})}, warnings of {sorted({r['rule'] for r in warnings})}")
P
python3 tests/scenario/mlperf_events.py "$tmp/org"
if [ -z "${MLPERF_CLIENT:-}" ]; then
  echo "the reference client's own reader of events was not asked: MLPERF_CLIENT is not set"
  exit
fi
mkdir "$tmp/words"
python3 - "$tmp/words" <<'P'
import json, sys
json.dump({"version": "1.0", "added_tokens": [], "pre_tokenizer": {"type": "Whitespace"}, "model": {"type": "WordLevel", "vocab": {"?": 0, "x": 1}, "unk_token": "?"}},
          open(sys.argv[1] + "/tokenizer.json", "w"))
P
for point in "${root[0]}"/results/*/*/r*; do
  HF_HUB_OFFLINE=1 "${MLPERF_PYTHON:?a Python that has the client installed}" "$MLPERF_CLIENT/scripts/early_stopping_estimate_from_events.py" "$point/events.jsonl" \
    --summary "$point/result_summary.json" --tokenizer "$tmp/words" >"$tmp/estimates" 2>&1 || { tail -3 "$tmp/estimates"; exit 1; }
  python3 - "$tmp/estimates" "${point##*/}" "$point/result_summary.json" <<'P'
import json, re, sys
text = open(sys.argv[1]).read()
wrong = [line for line in text.splitlines() if "XCHECK count" in line and "MISMATCH" in line]
assert not wrong and f"latency (from sample_latency_ns, n={json.load(open(sys.argv[3]))['n_samples_completed']})" in text, text
pairs = re.findall(r"ours=(\S+) inband=(\S+)", text)
same = text.count("EXACT MATCH")
assert pairs or same, text
for mine, theirs in pairs:
    assert "None" not in (mine, theirs) and abs(float(mine) / float(theirs) - 1) < 0.001, (sys.argv[2], mine, theirs)
print(f"{sys.argv[2]}: {len(pairs) + same} early-stopping estimates from events.jsonl are those of result_summary.json")
P
done

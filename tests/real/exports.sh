#!/usr/bin/env bash
# Every form of plateau export, read by the code of those who consume it: llm-d's benchmark report and its converters for vLLM's and AIPerf's
# files, the parser of prometheus_client, Python's csv and json, and pyarrow, which makes Parquet of the CSV files. Needs git, python3-venv and
# the network (or LLMD, a checkout of llm-d/llm-d-benchmark). tests/real/exports.sh [BUILD]
set -euo pipefail
cd "$(dirname "$0")/../.."
build=${1:-build/dev}
commit=8bc9f1ddd873a24f1657d6cca2e0d0fb6947dd36
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
if [ -z "${LLMD:-}" ]; then
    LLMD=$tmp/llmd
    git clone -q https://github.com/llm-d/llm-d-benchmark "$LLMD"
    git -C "$LLMD" checkout -q "$commit"
fi
python3 -m venv "$tmp/venv"
"$tmp/venv/bin/pip" install -q numpy==2.3.4 pydantic==2.12.3 PyYAML==6.0.3 prometheus_client==0.23.1 pyarrow==26.0.1
"$build/bench/make_run" "$tmp/run" >/dev/null
for form in vllm aiperf llm-d csv jsonl openmetrics; do
    "$build/bin/plateau" export "$tmp/run" --to $form --out "$tmp/$form" >"$tmp/$form.names"
    while read -r f; do [ -s "$f" ] || { echo "FAILED: $f is not there"; exit 1; }; done <"$tmp/$form.names"
done
cd "$LLMD"
PYTHONPATH=$LLMD "$tmp/venv/bin/python" - "$tmp" <<'P'
import csv, glob, json, math, sys
from llmdbenchmark.analysis.benchmark_report import import_benchmark_report
from llmdbenchmark.analysis.benchmark_report.native_to_br0_2 import import_aiperf, import_vllm_benchmark
import pyarrow.csv, pyarrow.parquet
from prometheus_client.openmetrics.parser import text_string_to_metric_families

tmp = sys.argv[1]
summary = json.load(open(tmp + "/run/summary.json"))
points = {p["requested"]["load"]: p for p in summary["points"] if p["verdict"]["status"] != "invalid"}

def near(what, ours, theirs, off=1e-3):
    if ours is None or theirs is None or not math.isclose(ours, theirs, rel_tol=off, abs_tol=1e-9):
        sys.exit(f"FAILED: {what}: {ours} here, {theirs} as its reader reads it")

def compare(what, p, report, s):
    a = report.results.request_performance.aggregate
    near(what + " ttft", p["ttft_ms"]["mean"], a.latency.time_to_first_token.mean * s)
    near(what + " ttft p50", p["ttft_ms"]["p50"], a.latency.time_to_first_token.p50 * s)
    near(what + " e2e", p["e2e_ms"]["mean"], a.latency.request_latency.mean * s)
    near(what + " e2e p50", p["e2e_ms"]["p50"], a.latency.request_latency.p50 * s)
    near(what + " tokens", p["output_tokens_per_s"], a.throughput.output_token_rate.mean)
    near(what + " requests", p["requests_per_s"], a.throughput.request_rate.mean)
    near(what + " total", p["window"]["ok"] + p["window"]["failed"], a.requests.total)
    return a

n = 0
for load, p in points.items():
    a = compare("llm-d " + load, p, import_benchmark_report(f"{tmp}/llm-d/benchmark_report_{load}.json"), 1)
    near("llm-d tpot", p["tpot_ms"]["mean"], a.latency.time_per_output_token.mean)
    near("llm-d failures", p["window"]["failed"], a.requests.failures)
    a = compare("vllm " + load, p, import_vllm_benchmark(f"{tmp}/vllm/serving_{load}.json"), 1)
    near("vllm tpot", p["tpot_ms"]["mean"], a.latency.time_per_output_token.mean)
    near("vllm itl is of chunks", p["chunk_gap_ms"]["mean"], a.latency.inter_token_latency.mean)
    a = compare("aiperf " + load, p, import_aiperf(f"{tmp}/aiperf/load_{load}/profile_export_aiperf.json"), 1000)
    near("aiperf's itl is tpot", p["tpot_ms"]["mean"], a.latency.inter_token_latency.mean * 1000)
    n += 1
rows = json.load(open(tmp + "/vllm/summary.json"))
need = {"total_token_throughput", "median_ttft_ms", "output_throughput", "max_concurrency"} # what vllm bench sweep plot and plot_pareto take
assert len(rows) == n and all(need <= set(r) for r in rows)
families = {f.name: f for f in text_string_to_metric_families(open(tmp + "/openmetrics/metrics.txt").read())}
for s in families["plateau_output_tokens_per_second"].samples:
    near("openmetrics", points[s.labels["load"]]["output_tokens_per_s"], s.value, 1e-12)
for s in families["plateau_ttft_seconds"].samples:
    if s.labels["q"] == "0.5": near("openmetrics ttft", points[s.labels["load"]]["ttft_ms"]["p50"], s.value * 1000, 1e-12)
lines = [json.loads(l) for l in open(tmp + "/jsonl/points.jsonl")]
assert [l["output_tokens_per_s"] for l in lines] == [p["output_tokens_per_s"] for p in summary["points"]]
series = list(csv.DictReader(open(tmp + "/csv/series.csv", newline="")))
for load, p in points.items():
    own = [r for r in series if r["load"] == load and r["agent"] == ""]
    assert own and all((r["run"], r["started"]) == (summary["run"]["id"], summary["run"]["started"]) and r["model"] for r in own)
words = {"run", "model", "kind", "verdict", "agent", "steady", "reasons"}
for file in tmp + "/csv/series.csv", tmp + "/run/curve.csv":
    table = pyarrow.csv.read_csv(file) # guesses each column's type
    pyarrow.parquet.write_table(table, tmp + "/table.parquet")
    again = pyarrow.parquet.read_table(tmp + "/table.parquet")
    odd = [c for c in table.column_names if str(table.schema.field(c).type) == "string" and c not in words]
    if odd or again.num_rows != len(list(csv.DictReader(open(file, newline="")))) or str(again.schema.field("started").type)[:9] != "timestamp":
        sys.exit(f"FAILED: {file} in Parquet: {again.num_rows} rows, not numbers: {odd}")
print(f"{n} loads: llm-d, vllm, aiperf, openmetrics, jsonl and csv read back, csv as Parquet too, {len(series)} rows of series")
P

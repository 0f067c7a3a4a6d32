#!/usr/bin/env bash
# The reports of a run, read by other programs: JSON and CSV by python3, the page by a browser where there is one.
set -euo pipefail
bin=${1:?usage: reports.sh BIN}
make_run=$bin/../bench/make_run
[ -x "$make_run" ] || exit 77
command -v python3 >/dev/null || exit 77
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
fail() { echo "FAILED: $*" >&2; exit 1; }

expect() { # name, exit status, make_run's words
    local name=$1 want=$2 got=0
    shift 2
    "$make_run" "$dir/$name" "$@" >"$dir/$name.txt" || got=$?
    [ "$got" = "$want" ] || fail "make_run $* ended with $got, not $want"
}
expect tame 0
expect hostile 0 hostile
expect broken 4 lose late

python3 - "$dir" <<'PY'
import csv, json, math, sys

def strict(path):
    def refuse(word): raise ValueError("not JSON: " + word)
    def once(pairs):
        keys = [k for k, _ in pairs]
        assert len(keys) == len(set(keys)), "a key stands twice: %s" % keys
        return dict(pairs)
    return json.load(open(path, encoding="utf-8"), parse_constant=refuse, object_pairs_hook=once)

for name in ("tame", "hostile", "broken"):
    folder = sys.argv[1] + "/" + name
    s = strict(folder + "/summary.json")
    assert set(s["run"]) >= {"id", "started", "plan_hash", "seed"} and s["version"] and s["agents"]
    assert s["run"]["seed"] == 2**64 - 1
    for p in s["points"]:
        for key in "ttft_ms ttft_due_ms tpot_ms itl_ms chunk_gap_ms e2e_ms lateness_ms".split():
            assert set(p[key]) >= {"count", "mean", "min", "max", "p50", "p90", "p95", "p99", "p99_9"}, key
            if p[key]["count"] < 299: assert p[key]["p99"] is None, key
            values = [p[key][q] for q in ("min", "p50", "p90", "p95", "p99", "p99_9", "max") if p[key][q] is not None]
            assert values == sorted(values), (key, values)
        l = p["ledger"]
        assert l["balanced"] and l["due"] == l["ok"] + sum(l["failed"].values()) + l["cancelled"] + l["aborted"] + l["lost"], l
        assert p["verdict"]["status"] in ("valid", "suspect", "invalid") and isinstance(p["verdict"]["reasons"], list)
        assert p["verdict"]["reasons"] or p["verdict"]["status"] == "valid"
        assert sum(a["due"] for a in p["agents"]) == l["due"]
    rows = list(csv.DictReader(open(folder + "/curve.csv", newline="")))
    assert len(rows) == len(s["points"])
    for row, p in zip(rows, s["points"]):
        assert None not in row and None not in row.values()
        assert math.isclose(float(row["output_tokens_per_s"]), p["output_tokens_per_s"], rel_tol=1e-6)
        assert int(row["ttft_ms_count"]) == p["ttft_ms"]["count"] and row["verdict"] == p["verdict"]["status"]
tame, broken = strict(sys.argv[1] + "/tame/summary.json"), strict(sys.argv[1] + "/broken/summary.json")
assert tame["gates_result"] == "pass" and [g["result"] for g in tame["gates"]] == ["pass"] * 3
assert broken["points"][-1]["verdict"]["status"] == "invalid" and broken["points"][-1]["ledger"]["lost"] > 0
PY

# The page's own data: its heat map holds every sample of a point, in the row where it belongs; due requests per second add up.
python3 - "$dir" <<'PY'
import json, math, re, sys
for name in ("tame", "hostile", "broken"):
    page = open(sys.argv[1] + "/" + name + "/report.html", encoding="utf-8").read()
    data = json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.S)[1])
    for p, s in zip(data["summary"]["points"], data["series"]):
        assert math.isclose(sum(r[1] * r[10] for r in s["rows"]), p["ledger"]["due"], rel_tol=1e-3, abs_tol=1), (name, p["ledger"]["due"])
        for metric in ("ttft", "itl"):
            rows = s["heat"][metric]
            assert sum(sum(r[3:]) for r in rows) == p[metric + "_ms"]["count"] > 0, (name, metric)
            lowest = min(10 ** (r[2] / 10) for r in rows)
            highest = max(10 ** ((r[2] + len(r) - 3) / 10) for r in rows)
            assert lowest <= p[metric + "_ms"]["min"] * 1.001 < lowest * 1.26 and highest / 1.26 < p[metric + "_ms"]["max"] * 1.001 <= highest * 1.002, (name, metric, lowest, highest)
            assert all(a[0] + a[1] <= b[0] + 1e-3 for a, b in zip(rows, rows[1:])), "columns overlap"
PY

# JUnit by a strict parser: a test a gate and a test a point, and the counts in the head are those in the body.
python3 - "$dir" <<'PY'
import json, sys, xml.etree.ElementTree as xml
for name in ("tame", "hostile", "broken"):
    folder = sys.argv[1] + "/" + name
    s, root = json.load(open(folder + "/summary.json")), xml.parse(folder + "/junit.xml").getroot()
    suites = [root] if root.tag == "testsuite" else root.findall("testsuite")
    cases = [c for suite in suites for c in suite.findall("testcase")]
    assert len(cases) == len(s["gates"]) + len(s["points"]), (name, len(cases))
    for suite in suites:
        own = suite.findall("testcase")
        assert int(suite.get("tests")) == len(own)
        assert int(suite.get("failures")) == sum(c.find("failure") is not None for c in own)
    bad = sum(c.find("failure") is not None or c.find("error") is not None for c in cases)
    assert (bad > 0) == (name == "broken"), (name, bad)
PY

# Made again from the run's file alone: the same bytes, the same exit status.
for name in tame broken; do
    cp -r "$dir/$name" "$dir/again"
    rm "$dir"/again/{summary.json,curve.csv,histograms.hlog,report.html}
    got=0
    "$bin/plateau" report "$dir/again" >"$dir/again.txt" || got=$?
    [ "$got" = "$([ $name = tame ] && echo 0 || echo 4)" ] || fail "plateau report of $name ended with $got"
    for file in summary.json curve.csv histograms.hlog report.html; do
        cmp "$dir/$name/$file" "$dir/again/$file" || fail "$name: $file is not the same when made again"
    done
    rm -r "$dir/again"
done
got=0
"$bin/plateau" report "$dir/nowhere" 2>"$dir/err" || got=$?
[ "$got" = 2 ] && grep -q "holds no run" "$dir/err" || fail "a folder without a run ended with $got: $(cat "$dir/err")"

for name in tame hostile broken; do
    ! grep -n $'\x1b' "$dir/$name.txt" || fail "colour without a terminal"
    [ "$(LC_ALL=C.UTF-8 wc -L <"$dir/$name.txt")" -le 110 ] || fail "a line of the text is too wide" # in columns, not in bytes
done

# What the chart says of the load within the SLO: "up to" only where the next one failed.
node=$(command -v node || command -v nodejs || true)
[ -z "$node" ] || "$node" - "$(dirname "$0")/../../coordinator/report/report_charts.js" "$dir/tame/summary.json" "$(dirname "$0")/../../coordinator/report/human.js" <<'JS' || fail "the chart says something else of the SLO"
const fs = require("fs"), [charts, summary, human] = process.argv.slice(2).map((f) => fs.readFileSync(f, "utf8"));
let labels = [];
const element = () => new Proxy(function() {}, {get: (t, k) => k === Symbol.toPrimitive ? () => "" : k === "open" ? false : k === "id" ? "c" : element(), set: () => true, apply: () => element()});
global.document = {documentElement: {dataset: {}}, getElementById: element, createElement: element};
global.Picture = global.Times = global.Asked = {show() {}};
global.getComputedStyle = () => ({getPropertyValue: () => "#000000"});
global.Chart = class { constructor(canvas, c) { labels.push(...(c.options.marks || []).map((m) => m.label)); } destroy() {} static getChart() {} };
const Charts = new Function(human + charts + "; return Charts;")(), s = JSON.parse(summary);
for (const [least, fails, want] of [[true, false, "within the SLO up to at least 64"], [false, true, "within the SLO up to 64"], [false, false, "most within the SLO at 64"]]) {
  labels = [];
  Object.assign(s.answer, {slo_load: 64, slo_at_least: least, slo_next_fails: fails});
  Charts.begin({summary: s, distributions: s.points.map(() => ({})), series: []});
  Charts.all("ttft_ms");
  if (!labels.includes(want)) throw new Error(want + " is not in " + labels);
}
JS

browser=$(command -v chromium || command -v chromium-browser || true)
[ -n "$browser" ] || { echo "no chromium: the page was not opened"; exit 0; }
for name in tame hostile broken; do
    timeout 90 "$browser" --headless --no-sandbox --disable-gpu --disable-background-networking --user-data-dir="$dir/profile" \
        --enable-logging=stderr --virtual-time-budget=4000 --dump-dom "file://$dir/$name/report.html" >"$dir/dom" 2>"$dir/browser.log" ||
        fail "the browser could not open $name"
    ! grep -E 'CONSOLE' "$dir/browser.log" || fail "$name: the console is not empty"
    [ "$(grep -o '<canvas[^>]*style=' "$dir/dom" | wc -l)" -ge 10 ] || fail "$name: charts are missing"
    [ "$(grep -o 'class="caption">[^<]' "$dir/dom" | wc -l)" -ge 10 ] || fail "$name: charts without a sentence"
    [ "$(grep -o 'class="badge' "$dir/dom" | wc -l)" -ge 6 ] || fail "$name: the table is missing"
    ! grep -q '<img' "$dir/dom" || fail "$name: text became markup"
done
echo "reports: JSON, CSV, text and page are well"

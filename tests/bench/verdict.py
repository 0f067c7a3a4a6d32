"""verdict.py CASE TRUTH.jsonl RUN-FOLDER: one line on whether figures that are called valid report what the simulator emitted. Each figure is judged by its own
verdict: + valid, ? suspect, - invalid. Exit status 1: a figure called valid (TTFT, TPOT, ITL; p50, p99) is off by more than 2 % + 20 us. The line ends with
counts for verdict.sh: #valid and off, valid, right within 0.5 % + 20 us, right and called valid."""
import json
import math
import sqlite3
import sys
import time

case, truth_file, folder = sys.argv[1:]
SHARE, FLOOR_MS = 0.02, 0.02
truth = [json.loads(line) for line in open(truth_file)]
point = json.load(open(folder + "/summary.json"))["points"][-1]
db = sqlite3.connect(folder + "/run.sqlite")
started = db.execute("SELECT started_wall_ns FROM stage WHERE ended_wall_ns IS NOT NULL ORDER BY started_wall_ns").fetchall()[-1][0]
begin = started - (time.time_ns() - time.monotonic_ns())
first, last = (begin + point["requested"][k] * 1e9 for k in ("warmup_s", "duration_s"))
window = [t for t in truth if t["end"] == "done" and first <= t.get("arrived_ns", t["received_ns"]) < last]


def quantile(xs, q):
    xs = sorted(xs)
    return xs[max(0, math.ceil(q * len(xs)) - 1)] / 1e6 if xs else None


emitted = {
    "ttft": [t["received_ns"] + t["emitted_ns"][0] - t.get("arrived_ns", t["received_ns"]) for t in window],
    "tpot": [(t["last_ns"] - t["first_ns"]) / (t["tokens"] - 1) for t in window],
    "itl": [g for t in window for g in t["emitted_ns"][1:]],
}
MARK = {"valid": "+", "suspect": "?", "invalid": "-"}
RIGHT = 0.005
errors, off, valid, right, both, wrong = [], 0, 0, 0, 0, []
for name, xs in emitted.items():
    for p, q in (("p50", 0.5), ("p99", 0.99)):
        called = point["verdict_by_percentile"][name][p]
        got, want = point[name + "_ms"][p], quantile(xs, q)
        if got is None or want is None:
            errors.append("%11s " % "n/a")
            continue
        share = (abs(got - want) - FLOOR_MS) / want
        valid += called == "valid"
        right += share <= RIGHT
        both += called == "valid" and share <= RIGHT
        if called == "valid" and share > SHARE:
            off += 1
            wrong.append(name + " " + p)
        errors.append("%+10.2f%%%s" % (100 * (got / want - 1), MARK[called]))
print("%-14s %-8s %s  %s%s #%d %d %d %d" % (case, point["verdict"]["status"], " ".join(errors), "WRONG: %s; " % ", ".join(wrong) if wrong else "", "; ".join(point["verdict"]["reasons"])[:600].replace("#", ""), off, valid, right, both))
sys.exit(1 if wrong else 0)

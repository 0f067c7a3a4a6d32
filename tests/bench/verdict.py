"""verdict.py CASE TRUTH.jsonl RUN-FOLDER: one line on whether a run that calls itself valid reports what the simulator emitted. Exit status 1 when it does
not: a valid point with a percentile (TTFT, TPOT, ITL; p50, p99) that is off by more than 2 % + 20 us."""
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
worst, errors = 0, []
for name, xs in emitted.items():
    for p, q in (("p50", 0.5), ("p99", 0.99)):
        got, want = point[name + "_ms"][p], quantile(xs, q)
        if got is None or want is None:
            errors.append("%11s" % "n/a")
            continue
        worst = max(worst, (abs(got - want) - FLOOR_MS) / want)
        errors.append("%+10.2f%%" % (100 * (got / want - 1)))
status = point["verdict"]["status"]
wrong = status == "valid" and worst > SHARE
print("%-14s %-8s %s  %s%s" % (case, status, " ".join(errors), "WRONG " if wrong else "", "; ".join(point["verdict"]["reasons"])[:600]))
sys.exit(1 if wrong else 0)

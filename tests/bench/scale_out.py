"""scale_out.py AGENTS QUOTA STREAMS RUN-FOLDER TRUTH.jsonl ...: one line: throughput of an agent, CPU a token, and merged percentiles against what all endpoints emitted
for the requests of the window. Exit status 1: throughput is more than 2 % off what the pace allows, or a figure that is called valid is 2 % and more off the emitted."""
import json
import math
import sqlite3
import sys
import time

agents, quota, streams, folder = int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4]
TTFT_S, TPOT_S, TOKENS = 0.1, 0.05, 20
SHARE, FLOOR_MS = 0.02, 0.02
truth = [json.loads(line) for name in sys.argv[5:] for line in open(name)]
point = json.load(open(folder + "/summary.json"))["points"][-1]
db = sqlite3.connect(folder + "/run.sqlite")
started = db.execute("SELECT started_wall_ns FROM stage WHERE ended_wall_ns IS NOT NULL").fetchall()[-1][0]
begin = started - (time.time_ns() - time.monotonic_ns())
first, last = (begin + point["requested"][k] * 1e9 for k in ("warmup_s", "duration_s"))
window = [t for t in truth if t["end"] == "done" and first <= t.get("arrived_ns", t["received_ns"]) < last]
emitted = {
    "ttft": [t["received_ns"] + t["emitted_ns"][0] - t.get("arrived_ns", t["received_ns"]) for t in window],
    "tpot": [(t["last_ns"] - t["first_ns"]) / (t["tokens"] - 1) for t in window],
    "itl": [g for t in window for g in t["emitted_ns"][1:]],
}


def quantile(xs, q):
    xs = sorted(xs)
    return xs[max(0, math.ceil(q * len(xs)) - 1)] / 1e6 if xs else None


wrong, off = [], []
for name, xs in emitted.items():
    for p, q in (("p50", 0.5), ("p99", 0.99)):
        got, want = point[name + "_ms"][p], quantile(xs, q)
        if got is None or want is None:
            off.append("n/a")
            continue
        off.append("%+.2f%%" % (100 * (got / want - 1)))
        if point["verdict_by_figure"][name] == "valid" and abs(got - want) > SHARE * want + FLOOR_MS:
            wrong.append("%s %s" % (name, p))
each = point["output_tokens_per_s"] / agents
ideal = streams * TOKENS / (TTFT_S + (TOKENS - 1) * TPOT_S)
if abs(each / ideal - 1) > 0.02:
    wrong.append("throughput of an agent %.0f, %.0f expected" % (each, ideal))
cpu_ns = db.execute("SELECT sum(value) FROM stage_counter WHERE counter = 'cpu_ns' AND agent = -1").fetchone()[0]
tokens = db.execute("SELECT sum(value) FROM stage_counter WHERE counter = 'tokens' AND agent = -1").fetchone()[0]
cpu = "%.1f" % (cpu_ns / 1e3 / tokens) if cpu_ns and tokens else "n/a"
print("%7d %6s %16.1f %14s %12d | %-48s | %s%s" % (agents, quota, each, cpu, len(window), " ".join(off), point["verdict"]["status"], "; WRONG: " + ", ".join(wrong) if wrong else ""))
sys.exit(1 if wrong else 0)

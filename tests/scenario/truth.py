"""truth.py TRUTH.jsonl RUN-FOLDER [counts]: compares a run with what the simulator says it emitted. Times are compared where the
run's own verdict is valid, with "counts" nowhere; a point that is suspect or invalid is skipped, and the run's reasons are printed. Exit status: 1 when a count differs, 2 when a time of a valid point does, 3 when no point was valid, which a
machine that is too busy can cause."""
import json
import sqlite3
import sys
import time

TTFT_MS, SHARE = 2.0, 0.01

truth = [json.loads(line) for line in open(sys.argv[1])]
points = json.load(open(sys.argv[2] + "/summary.json"))["points"]
db = sqlite3.connect(sys.argv[2] + "/run.sqlite")
wall_minus_mono = time.time_ns() - time.monotonic_ns()
bad = {1: 0, 2: 0}
counts_only = len(sys.argv) > 3 and sys.argv[3] == "counts"


def check(words, ok, kind=1):
    print(("ok: " if ok else "FAILED: ") + words)
    bad[kind] += not ok


def mean(xs):
    return sum(xs) / len(xs)


def counter(stage_id, name):
    row = db.execute("SELECT value FROM stage_counter WHERE stage_id = ? AND agent = -1 AND counter = ?", (stage_id, name)).fetchone()
    return row[0] if row else 0


def first_token(t):
    """From the request's last byte at the endpoint's machine to its first token. An endpoint that reads late on a busy machine is slow, as any
    slow server is: the client measures that, and it is no fault of the client's. So the kernel's stamp counts, not the endpoint's read."""
    return t["emitted_ns"][0] + t["received_ns"] - t.get("arrived_ns", t["received_ns"])


stages = db.execute("SELECT id, stage, started_wall_ns, concurrency FROM stage WHERE ended_wall_ns IS NOT NULL ORDER BY started_wall_ns").fetchall()
check("a point for each stage", len(stages) == len(points))
total = claims = 0
for k, (stage_id, stage, started, concurrency) in enumerate(stages):
    point = points[k]
    begin = started - wall_minus_mono
    end = stages[k + 1][2] - wall_minus_mono if k + 1 < len(stages) else 1 << 62
    mine = [t for t in truth if begin - 50_000_000 <= t["received_ns"] < end - 50_000_000]
    done = [t for t in mine if t["end"] == "done"]
    total += len(mine)
    name = "concurrency %d" % concurrency
    check("%s: %d requests, as many as the endpoint served" % (name, counter(stage_id, "ok")), counter(stage_id, "ok") == len(done) == len(mine))
    tokens = sum(t["tokens"] for t in done)
    check("%s: %d tokens, as many as were emitted" % (name, tokens), counter(stage_id, "tokens") == tokens)
    check("%s: %d events, as many as were emitted" % (name, tokens), counter(stage_id, "events") == sum(t["events"] for t in done))
    first = begin + point["requested"]["warmup_s"] * 1e9
    last = begin + point["requested"]["duration_s"] * 1e9
    window = [t for t in done if first <= t["received_ns"] < last]
    ttft = mean([first_token(t) for t in window]) / 1e6
    tpot = mean([(t["last_ns"] - t["first_ns"]) / (t["tokens"] - 1) for t in window]) / 1e6
    itl = mean([g for t in window for g in t["emitted_ns"][1:]]) / 1e6
    print("   measured/emitted: ttft %.3f/%.3f ms, tpot %.4f/%.4f ms, itl %.4f/%.4f ms (%d requests)"
          % (point["ttft_ms"]["mean"], ttft, point["tpot_ms"]["mean"], tpot, point["itl_ms"]["mean"], itl, len(window)))
    if counts_only:
        continue
    apart = [words for words, close in (
        ("mean TTFT within %g ms" % TTFT_MS, abs(point["ttft_ms"]["mean"] - ttft) < TTFT_MS),
        ("mean TPOT within 1 %", abs(point["tpot_ms"]["mean"] / tpot - 1) < SHARE),
        ("mean ITL within 1 %", abs(point["itl_ms"]["mean"] / itl - 1) < SHARE),
    ) if not close]
    verdict = point["verdict"]
    if verdict["status"] != "valid":
        print("   %s: %s, its times are not judged: %s" % (name, verdict["status"], "; ".join(verdict["reasons"])))
        continue
    claims += 1
    check("%s: %s" % (name, "not " + ", not ".join(apart) if apart else "times are what was emitted"), not apart, 2)
check("every request of the endpoint belongs to a stage (%d)" % total, total == len(truth))
if not counts_only and claims == 0:
    print("no point was valid: no time was compared")
sys.exit(1 if bad[1] else 2 if bad[2] else 3 if claims == 0 and not counts_only else 0)

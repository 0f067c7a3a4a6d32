"""timing.py STREAMS.jsonl TRUTH.jsonl RESULT.json: what bench_engine saw of each stream against what the simulator emitted of it. Prints one JSON object.

A stream is the truth's whose request arrived first after it was sent and that nobody else has: the way is the same for all, and streams of
one read are told apart by their first and last tokens. `gap_error`: |gap seen - gap emitted| of every pair of tokens; `gap_error_alone`: of
those that no other stream's token shares a moment with, and so a read. `arrival`: first token seen - emitted. `off`: reported - emitted of TTFT, TPOT and ITL, as a share of the emitted and in us; `within`: |off| <= 0.1 % + 20 us."""
import json
import math
import sys
from bisect import bisect_left
from collections import Counter
from itertools import accumulate, pairwise

streams, truth, result = ([json.loads(line) for line in open(f)] for f in sys.argv[1:])
result = result[0]
truth = sorted((t for t in truth if t["end"] == "done"), key=lambda t: t["first_ns"])
starts = [t["first_ns"] for t in truth]


def quantile(xs, q):
    return xs[max(0, math.ceil(q * len(xs)) - 1)]


def three(xs):
    xs = sorted(xs)
    return {"n": len(xs), "mean": math.fsum(xs) / len(xs), "p50": quantile(xs, 0.5), "p99": quantile(xs, 0.99), "p999": quantile(xs, 0.999), "max": xs[-1]}


taken, pairs, alone = set(), [], 0
for s in sorted(streams, key=lambda s: s["first_ns"]):
    s["last_ns"] = s["first_ns"] + sum(s["gaps_ns"])
    best = None
    for i in range(bisect_left(starts, s["first_ns"] - 3_000_000), bisect_left(starts, s["first_ns"] + 100_000)):
        t = truth[i]
        if i in taken or len(t["emitted_ns"]) != len(s["gaps_ns"]) + 1 or t.get("arrived_ns", t["received_ns"]) < s["sent_ns"] - 100_000:
            continue
        far = abs(s["first_ns"] - t["first_ns"]) + abs(s["last_ns"] - t["last_ns"])
        if best is None or far < best[0]:
            best = (far, i)
    if best is None:
        alone += 1
        continue
    taken.add(best[1])
    pairs.append((s, truth[best[1]]))
came = [list(accumulate(s["gaps_ns"], initial=s["first_ns"])) for s, _ in pairs]
at_once = Counter(at for moments in came for at in moments)
alone_error, gap_error, first, emitted = [], [], [], {"ttft": [], "tpot": [], "itl": []}
for (s, t), moments in zip(pairs, came):
    errors = [abs(a - b) / 1e3 for a, b in zip(s["gaps_ns"], t["emitted_ns"][1:])]
    gap_error += errors
    alone_error += [e for e, (a, b) in zip(errors, pairwise(moments)) if at_once[a] == at_once[b] == 1]
    first.append((s["first_ns"] - t["first_ns"]) / 1e3)
    emitted["ttft"].append((t["first_ns"] - t.get("arrived_ns", t["received_ns"])) / 1e3)
    if t["tokens"] > 1:
        emitted["tpot"].append((t["last_ns"] - t["first_ns"]) / (t["tokens"] - 1) / 1e3)
    emitted["itl"] += [g / 1e3 for g in t["emitted_ns"][1:]]
off, within = {}, True
for name, xs in emitted.items():
    if not xs:
        continue
    want = three(xs)
    off[name] = {}
    for k in ("mean", "p50", "p99"):
        d = result[name][k] - want[k]
        ok = abs(d) <= 0.001 * want[k] + 20
        within = within and ok
        off[name][k] = {"reported": result[name][k], "emitted": round(want[k], 2), "us": round(d, 2), "share": round(d / want[k], 6), "within": ok}
lag = sorted((e - d) / 1e3 for _, t in pairs for e, d in zip(accumulate(t["emitted_ns"]), accumulate(t["due_ns"])))
print(json.dumps({"streams": len(streams), "alone": alone, "gap_error": three(gap_error) if gap_error else None,
                  "gap_error_alone": three(alone_error) if alone_error else None, "arrival": three(first), "off": off,
                  "within": within, "sim_lag": three(lag), "refill": result.get("lateness"), "cpu_us_per_token": result["cpu_us_per_token"]}))

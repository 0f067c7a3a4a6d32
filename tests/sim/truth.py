#!/usr/bin/env python3
"""Sums truth files of plateau-sim: what was emitted, and how late the simulator itself was.

    truth.py FILE …            a table
    truth.py --json FILE …     the same as one JSON object

TTFT is first emission - received, or, where the kernel stamped the request, - arrived (ttft_arrived_ms); TPOT (last - first) / (tokens - 1); a chunk gap lies between two neighbouring
token events; ITL is the same per token: where an event carries n tokens, its gap counts as n samples of gap / n
(one sample per token but the first event's). Gaps need --truth-tokens. Times in ms, lag in us. Only requests with
"end": "done" are counted in the times, and only streams. Quantiles: rank ceil(q * n).
"""
import argparse
import json
import math


def quantile(sorted_values, q):
    return sorted_values[max(0, math.ceil(q * len(sorted_values)) - 1)]


def summary(values, unit_ns):
    if not values:
        return None
    values = sorted(v / unit_ns for v in values)
    return {
        "count": len(values),
        "mean": math.fsum(values) / len(values),
        "min": values[0],
        "p50": quantile(values, 0.5),
        "p90": quantile(values, 0.9),
        "p99": quantile(values, 0.99),
        "p99_9": quantile(values, 0.999),
        "max": values[-1],
    }


def event_tokens(record):
    """Tokens of each event: the simulator fills each but the last; reasoning and faults may cut one, so only a whole
    number that fits is taken for certain."""
    tokens, events = record["tokens"], record["events"]
    each = math.ceil(tokens / events)
    sizes = [each] * (events - 1) + [tokens - each * (events - 1)]
    return sizes if sizes[-1] > 0 else None


def add_up(files):
    ends, faults = {}, {}
    totals = {"requests": 0, "tokens": 0, "events": 0, "prompt_tokens": 0}
    ttft, arrived, tpot, e2e, gaps, itl, lag = [], [], [], [], [], [], []
    lag_sum, lag_max, first, last = 0, 0, None, None
    for name in files:
        with open(name, encoding="utf-8") as f:
            for line in f:
                r = json.loads(line)
                totals["requests"] += 1
                totals["tokens"] += r["tokens"]
                totals["events"] += r["events"]
                totals["prompt_tokens"] += r["prompt"]
                ends[r["end"]] = ends.get(r["end"], 0) + 1
                faults[r["fault"]] = faults.get(r["fault"], 0) + 1
                if not r["events"]:
                    continue
                first = r["first_ns"] if first is None else min(first, r["first_ns"])
                last = r["last_ns"] if last is None else max(last, r["last_ns"])
                lag_sum += r["lag_sum_ns"]
                lag_max = max(lag_max, r["lag_max_ns"])
                emitted, due = r.get("emitted_ns"), r.get("due_ns")
                if emitted:
                    at = planned = 0
                    for e, d in zip(emitted, due):
                        at, planned = at + e, planned + d
                        lag.append(at - planned)
                if r["end"] != "done" or not r["stream"]:
                    continue
                ttft.append(r["first_ns"] - r["received_ns"])
                if "arrived_ns" in r:
                    arrived.append(r["first_ns"] - r["arrived_ns"])
                e2e.append(r["last_ns"] - r["received_ns"])
                if r["tokens"] > 1:
                    tpot.append((r["last_ns"] - r["first_ns"]) / (r["tokens"] - 1))
                if emitted:
                    gaps.extend(emitted[1:])
                    sizes = event_tokens(r)
                    for gap, n in zip(emitted[1:], sizes[1:] if sizes else []):
                        itl.extend([gap / n] * n)
    seconds = (last - first) / 1e9 if first is not None and last > first else None
    return totals | {
        "seconds": seconds,
        "tokens_per_s": totals["tokens"] / seconds if seconds else None,
        "ends": ends,
        "faults": faults,
        "ttft_ms": summary(ttft, 1e6),
        "ttft_arrived_ms": summary(arrived, 1e6),
        "tpot_ms": summary(tpot, 1e6),
        "e2e_ms": summary(e2e, 1e6),
        "chunk_gap_ms": summary(gaps, 1e6),
        "itl_ms": summary(itl, 1e6),
        "lag_us": summary(lag, 1e3),
        "lag_mean_us": lag_sum / totals["events"] / 1e3 if totals["events"] else None,
        "lag_max_us": lag_max / 1e3,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("file", nargs="+")
    options = parser.parse_args()
    result = add_up(options.file)
    if options.json:
        print(json.dumps(result))
        return
    for key, value in result.items():
        if isinstance(value, dict) and "mean" in value:
            value = "  ".join(f"{k} {v:.3f}" if isinstance(v, float) else f"{k} {v}" for k, v in value.items())
        elif isinstance(value, dict):
            value = "  ".join(f"{k} {v}" for k, v in sorted(value.items()))
        elif isinstance(value, float):
            value = f"{value:.3f}"
        print(f"{key:14} {value}")


if __name__ == "__main__":
    main()

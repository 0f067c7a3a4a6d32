"""The rows of single requests of a run against its ledger and its histograms: record.py RUN."""
import collections
import csv
import json
import sys

run = sys.argv[1]
summary = json.load(open(run + "/summary.json"))
lines = [json.loads(line) for line in open(run + "/export-requests-jsonl/requests.jsonl")]
table = list(csv.DictReader(open(run + "/export-requests-csv/requests.csv", newline="")))
bad = []


def check(ok, words):
    if not ok:
        bad.append(words)


def close(a, b, words):
    check(abs(a - b) <= 0.002 * abs(b) + 1e-6, f"{words}: {a} of the rows, {b} of the histogram")


# both forms say the same
check(len(lines) == len(table), f"{len(lines)} lines and {len(table)} rows")
for a, b in zip(lines, table):
    for key, value in a.items():
        text = "" if value is None else value
        same = b[key] == text if isinstance(text, str) else abs(float(b[key]) - value) <= 1e-6 * abs(value) + 1e-9
        check(same, f"{key}: {value!r} and {b[key]!r}")

for i, p in enumerate(summary["points"]):
    rows = [r for r in lines if r["stage"] == i + 1]
    words = f"stage {i + 1}"
    outcomes = collections.Counter(r["outcome"] for r in rows)
    ledger = {"ok": p["ledger"]["ok"], "cancelled": p["ledger"]["cancelled"], "aborted": p["ledger"]["aborted"], **p["ledger"]["failed"]}
    check(outcomes == {k: n for k, n in ledger.items() if n}, f"{words}: outcomes {dict(outcomes)}, the ledger has {ledger}")
    ok = [r for r in rows if r["outcome"] == "ok" and r["due_s"] >= p["requested"]["warmup_s"]]
    for metric in ("ttft_ms", "e2e_ms"):
        values = sorted(r[metric] for r in ok)
        h = p[metric]
        check(len(values) == h["count"], f"{words}: {metric} of {len(values)} rows, the histogram has {h['count']}")
        close(values[0], h["min"], f"{words}: least {metric}")
        close(values[-1], h["max"], f"{words}: greatest {metric}")
        close(sum(values) / len(values), h["mean"], f"{words}: mean {metric}")
    for r in rows: # `written` is stamped when the write returns, the kernel may have stamped the first byte before
        order = [r[k + "_ms"] for k in ("sent", "first_byte", "first_token", "last_token", "ended") if r[k + "_ms"] is not None]
        check(r["outcome"] == "cancelled" or order == sorted(order), f"{words}: moments out of order: {order}")
        want = {"short": (20, 8), "long": (40, 16)}[r["workload"]]
        check((r["asked_input"], r["asked_output"]) == want, f"{words}: {r['workload']} asked {r['asked_input']}, {r['asked_output']}")
        check(r["tries"] == 1 and r["model"] == "sim" and r["address"].startswith("127.0.0.1:"), f"{words}: {r}")
        if r["outcome"] == "ok":
            check((r["output"], r["events"], r["status"]) == (want[1], want[1] // 2, 200), f"{words}: {r}")
        if r["outcome"] == "http_5xx":
            check(r["status"] == 503 and r["first_token_ms"] is None, f"{words}: {r}")
check(len({r["agent"] for r in lines}) == 3, "rows of three agents")
for text in bad[:10]:
    print(text, file=sys.stderr)
sys.exit(1 if bad else 0)

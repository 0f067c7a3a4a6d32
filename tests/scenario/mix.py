"""The groups of a mix against the rows of their requests: mix.py RUN."""
import csv
import json
import math
import sys

run = sys.argv[1]
summary = json.load(open(run + "/summary.json"))
rows = [json.loads(line) for line in open(run + "/export-requests-jsonl/requests.jsonl")]
table = list(csv.DictReader(open(run + "/groups.csv", newline="")))
bad = []


def check(ok, words):
    if not ok:
        bad.append(words)


def close(a, b, words):
    check(a is not None and abs(a - b) <= 0.002 * abs(b) + 1e-6, f"{words}: {a}, its rows have {b}")


def rank(values, q):
    return sorted(values)[max(0, math.ceil(q * len(values)) - 1)]


for i, p in enumerate(summary["points"]):
    due = [r for r in rows if r["stage"] == i + 1 and r["due_s"] >= p["requested"]["warmup_s"] and r["tries"] > 0]
    for by, names in ("workload", ["short", "long"]), ("model", ["base", "lora,1", "lora-2"]):
        groups = p["by_" + by]
        check([g["name"] for g in groups] == names, f"by {by}: {[g['name'] for g in groups]}")
        for key in "ok", "failed":
            check(sum(g[key] for g in groups) == p["window"][key], f"{key} by {by}: {[g[key] for g in groups]} of {p['window'][key]}")
        for key in "output_tokens_per_s", "input_tokens_per_s", "requests_per_s", "goodput_per_s":
            check(abs(sum(g[key] for g in groups) - p[key]) < 1e-6 * (1 + p[key]), f"{key} by {by} is not the whole")
        for key in "ttft_ms", "e2e_ms", "tpot_ms", "itl_ms", "input_tokens", "output_tokens":
            check(sum(g[key]["count"] for g in groups) == p[key]["count"], f"samples of {key} by {by}")
        for g in groups:
            words = f"stage {i + 1}, {by} {g['name']}"
            own = [r for r in due if r[by] == g["name"]]
            ok = [r for r in own if r["outcome"] == "ok"]
            check(g["ok"] == len(ok) and g["failed"] + g["closed"] == len(own) - len(ok), f"{words}: {g['ok']} ok, {g['failed']} failed; rows {len(ok)} of {len(own)}")
            for key in "ttft_ms", "e2e_ms":
                values = [r[key] for r in ok]
                close(g[key]["min"], min(values), f"{words}: least {key}")
                close(g[key]["max"], max(values), f"{words}: greatest {key}")
                close(g[key]["mean"], sum(values) / len(values), f"{words}: mean {key}")
                close(g[key]["p50"], rank(values, 0.5), f"{words}: median {key}")
            close(g["output_tokens"]["mean"], sum(r["output"] for r in ok) / len(ok), f"{words}: output tokens")
            check(by == "model" or g["output_tokens"]["max"] == {"short": 8, "long": 32}[g["name"]], f"{words}: {g['output_tokens']}")
            line = [t for t in table if t["stage"] == str(i + 1) and t["by"] == by and t["name"] == g["name"]]
            check(len(line) == 1 and float(line[0]["ttft_ms_p50"]) - g["ttft_ms"]["p50"] < 1e-6, f"{words}: {len(line)} lines of groups.csv")
    whole = [t for t in table if t["stage"] == str(i + 1) and t["by"] == "all"]
    check(len(whole) == 1 and int(whole[0]["ok"]) == p["window"]["ok"], f"stage {i + 1}: the line of all")
for text in bad[:10]:
    print(text, file=sys.stderr)
sys.exit(1 if bad else 0)

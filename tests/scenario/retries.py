"""Retries of a run against what the endpoint saw: retries.py RUN TRUTH [--all-ok] [--after LABEL] [--wait MS] [--tries N]."""
import argparse
import json
import sys

a = argparse.ArgumentParser()
a.add_argument("run")
a.add_argument("truth")
a.add_argument("--all-ok", action="store_true")
a.add_argument("--after")
a.add_argument("--wait", type=float, default=0)
a.add_argument("--tries", type=int)
o = a.parse_args()
point = json.load(open(o.run + "/summary.json"))["points"][0]
rows = [json.loads(line) for line in open(o.run + "/export-requests-jsonl/requests.jsonl")]
seen = sum(1 for _ in open(o.truth))
again = sum(r["tries"] - 1 for r in rows)
assert len(rows) == point["ledger"]["due"], (len(rows), point["ledger"])
assert point["retries"]["sent"] == again > 0, (point["retries"], again)
assert point["retries"]["after"] == {o.after: again}, point["retries"]
assert seen == len(rows) + again, f"the endpoint saw {seen} requests, {len(rows)} and {again} retries were sent"
assert sum(x["requests"] for x in point["addresses"]) == seen, point["addresses"]
if o.all_ok:
    assert point["ledger"]["ok"] == len(rows), point["ledger"]
    assert point["ttft_ms"]["count"] == point["window"]["ok"], "a request without its sample"
for r in rows:
    # 20, 40, 80 … ms lie between the tries
    waits = o.wait * (2 ** (r["tries"] - 1) - 1)
    assert r["ended_ms"] - r["sent_ms"] >= waits - 0.1, (waits, r)
    if r["outcome"] == "ok":
        assert r["ttft_ms"] >= waits + 9, (waits, r)
    if o.tries:
        assert r["tries"] == o.tries and r["outcome"] == o.after, r
if o.wait:
    assert max(r["tries"] for r in rows) >= 3, "nobody was sent a third time: the waits were not looked at"
print(f"{len(rows)} requests, {again} sent again")

"""mlperf_events.py FOLDER: each point's events.jsonl, read line by line as MLPerf Endpoints' client reads its own, has the requests and the times of the result_summary.json beside it."""
import glob
import json
import math
import os
import sys

points = sorted(glob.glob(sys.argv[1] + "/*/results/*/*/r*"))
assert points, "no points in " + sys.argv[1]
for point in points:
    summary = json.load(open(point + "/result_summary.json"))
    rows, ttft, tpot, latency, tracking, errors, issued, types = {}, [], [], [], False, set(), 0, []
    for line in open(point + "/events.jsonl"):
        v = json.loads(line)
        assert set(v) == {"event_type", "timestamp_ns", "sample_uuid", "conversation_id", "turn", "data"}, v
        kind, at, sample = v["event_type"], v["timestamp_ns"], v["sample_uuid"]
        types.append(kind)
        if kind.startswith("session."):
            tracking = {"session.start_performance_tracking": True, "session.stop_performance_tracking": False}.get(kind, tracking)
            continue
        if kind == "sample.issued":
            if tracking:
                rows[sample] = [at, None]
                issued += 1
        elif sample not in rows:
            continue
        elif kind == "sample.recv_first":
            rows[sample][1] = at
            ttft.append(at - rows[sample][0])
        elif kind == "error.generic":
            errors.add(sample)
        elif kind == "sample.complete":
            begun, first = rows.pop(sample)
            if v["data"] is None:
                assert sample in errors, line
                continue
            latency.append(at - begun)
            tag, text = v["data"]
            assert tag == "TextModelOutput"
            words = len(text[1].split()) if isinstance(text, list) and len(text) > 1 else 0
            if words:
                tpot.append((at - first) / words)
    assert types[0] == "session.started" and types[-1] == "session.ended", (types[0], types[-1])
    assert not rows, f"{len(rows)} requests of {point} never end"
    assert issued == summary["n_samples_issued"], (point, issued, summary["n_samples_issued"])
    assert len(latency) == summary["n_samples_completed"] and len(errors) == summary["n_samples_failed"], (point, len(latency), len(errors))
    for name, of in ("ttft", ttft), ("tpot", tpot):
        mine, theirs = math.fsum(of) / len(of), summary[name]["avg"]
        assert abs(mine / theirs - 1) < 0.005, (point, name, mine, theirs)
        of.sort()
        p90 = of[math.floor(0.9 * (len(of) - 1))]
        assert abs(p90 / summary[name]["percentiles"]["90"] - 1) < 0.01, (point, name, p90, summary[name]["percentiles"]["90"])
    print(os.path.basename(point), issued, "requests, TTFT and TPOT as in result_summary.json")

#!/usr/bin/env python3
"""Reads a run's histograms.hlog with the public HdrHistogram reader (PyPI: hdrhistogram) and compares it with summary.json.

    python3 -m venv /tmp/hdr && /tmp/hdr/bin/pip install hdrhistogram && /tmp/hdr/bin/python tests/real/hlog.py RUN
"""
import json
import math
import sys

from hdrh.histogram import HdrHistogram
from hdrh.log import HistogramLogReader


def main(folder):
    points = json.load(open(folder + "/summary.json"))["points"]
    want = [(i, key.removesuffix("_ms"), value, 1e3 if key in ("input_tokens", "output_tokens") else 1e6)
            for i, p in enumerate(points) for key, value in p.items() if isinstance(value, dict) and value.get("count") and "p50" in value]
    reader = HistogramLogReader(folder + "/histograms.hlog", HdrHistogram(1000, 3600 * 10**9, 3))
    lines = off = 0
    for i, name, stat, scale in want:
        h = reader.get_next_interval_histogram()
        assert h is not None, "the log ends before stage %d %s" % (i, name)
        assert h.get_tag() == name, (h.get_tag(), name)
        assert h.get_total_count() == stat["count"], (name, h.get_total_count(), stat["count"])
        for q, p in ((50, "p50"), (90, "p90"), (95, "p95"), (99, "p99"), (99.9, "p99_9")):
            if stat[p] is None:
                continue
            # The Python reader rounds to the nearest rank where ours (and Java's) is the rank from which on q is reached: ask for ours.
            # Theirs is the upper edge of the bucket; ours never exceeds the largest sample, which the format does not carry.
            rank = math.ceil(q / 100 * stat["count"] - 1e-9)
            theirs, ours = h.get_value_at_percentile(100 * rank / stat["count"]), stat[p] * scale
            off = max(off, abs(theirs - ours) / max(ours, 1e6))
            assert abs(theirs - ours) <= max(0.001 * ours, 1000), (name, p, theirs, ours)
        length = (h.get_end_time_stamp() - h.get_start_time_stamp()) / 1000
        assert length > 0, (name, length)
        lines += 1
    assert reader.get_next_interval_histogram() is None, "the log holds more than summary.json"
    print("%d histograms read by the public reader: tags and counts equal, percentiles within %.3f %%" % (lines, 100 * off))


main(sys.argv[1])

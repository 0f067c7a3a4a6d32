#!/usr/bin/env bash
# Guess:   all readers of an HdrHistogram give the same value for the same percentile of the same histogram.
# Instead: the Python reader rounds percentile × count to the nearest rank, the JavaScript one takes the first rank that reaches it. Of ten samples 1 … 10
#          p51 is 5 in Python and 6 in JavaScript. The p91 is 9 and 10.
# So:      a tail percentile of few samples read by another tool may be one sample lower. Compare ranks, not only values, when two readers disagree.
. "$(dirname "$0")/lib.sh"
pip_install hdrhistogram==0.10.8
npm_install hdr-histogram-js@3.0.1
guess "p51 and p91 of 1 … 10 are the same in both"
python=$("$dir/py/bin/python" - <<'P'
from hdrh.histogram import HdrHistogram
h = HdrHistogram(1, 3600 * 10**9, 3)
for v in range(1, 11):
    h.record_value(v)
print(*[h.get_value_at_percentile(p) for p in (50, 51, 90, 91)])
P
)
js=$(cd "$dir" && node -e '
const h = require("hdr-histogram-js").build({lowestDiscernibleValue: 1, highestTrackableValue: 3600e9, numberOfSignificantValueDigits: 3});
for (let v = 1; v <= 10; v++) h.recordValue(v);
console.log([50, 51, 90, 91].map(p => h.getValueAtPercentile(p)).join(" "))')
is "p50 p51 p90 p91, Python" "$python" "5 5 9 9"
is "p50 p51 p90 p91, JavaScript" "$js" "5 6 9 10"

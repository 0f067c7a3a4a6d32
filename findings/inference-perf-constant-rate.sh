#!/usr/bin/env bash
# Guess:   inference-perf's load type `constant` sends at equal gaps, and `poisson` is a Poisson process.
# Instead: `constant` has exponential gaps, scaled so that the last request is due exactly at the end; they have no seed. `poisson` draws a count for each second
#          and fills it in the same way, so that in every second with requests one is due exactly at its end.
# So:      TTFT at "constant 10/s" contains the queues of random arrivals, differs from run to run, and cannot be compared with a tool of equal gaps.
. "$(dirname "$0")/lib.sh"
python=$(python_at_least 3 12)
pip_install inference-perf==0.7.0
cat >"$dir/t.py" <<'P'
import itertools
from inference_perf.loadgen.load_timer import ConstantLoadTimer, PoissonLoadTimer
due = list(ConstantLoadTimer(10.0, 300.0).start_timer(0.0))
gaps = [b - a for a, b in zip([0.0] + due, due)]
mean = sum(gaps) / len(gaps)
cv = (sum((g - mean) ** 2 for g in gaps) / len(gaps)) ** 0.5 / mean
again = list(ConstantLoadTimer(10.0, 300.0).start_timer(0.0))
print("%.2f" % cv, len(due), "%.6f" % due[-1], due == again)
due = list(itertools.takewhile(lambda t: t < 100.5, PoissonLoadTimer(10.0, 1000.0).start_timer(0.0)))
print(sum(any(abs(t - s) < 1e-6 for t in due) for s in range(1, 101)))
P
guess "variation of the gaps 0; some of 100 seconds end with a request, by chance"
mapfile -t out < <("$dir/py/bin/python" "$dir/t.py")
read -r cv n last same <<<"${out[0]}"
seen "constant, 10/s for 300 s: $n requests, standard deviation of the gaps / their mean $cv"
is "near 1, as of exponential gaps" "$(awk "BEGIN {print ($cv > 0.85 && $cv < 1.15) ? \"yes\" : \"no\"}")" yes
is "the last is due at" "$last" 300.000000
is "two schedules are equal" "$same" False
is "poisson, 10/s: of 100 seconds, those with a request due exactly at their end" "${out[1]}" 100

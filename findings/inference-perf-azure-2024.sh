#!/usr/bin/env bash
# Guess:   inference-perf's reader of Azure traces reads the 2024 trace as it reads that of 2023.
# Instead: 2024 stamps have a zone, and no fraction at a whole second. Such a row is dropped with a warning. The conversation trace begins with one: then the
#          first stamp is never taken, and all others count from 1970: the replay would wait 54 years.
# So:      write ".000000" into such rows before the file is used, and look for the warning.
. "$(dirname "$0")/lib.sh"
python=$(python_at_least 3 12)
pip_install inference-perf==0.7.0
head='TIMESTAMP,ContextTokens,GeneratedTokens'
printf '%s\n' "$head" '2024-05-12 00:00:00.009930+00:00,2162,5' '2024-05-12 00:00:01+00:00,399,6' '2024-05-12 00:00:02.500000+00:00,76,15' >"$dir/inside.csv"
printf '%s\n' "$head" '2024-05-12 00:00:00+00:00,2162,5' '2024-05-12 00:00:00.500000+00:00,399,6' >"$dir/first.csv"
guess "3 rows at 0, 1 and 2.5 s; 2 rows at 0 and 0.5 s"
read_trace() {
  "$dir/py/bin/python" - "$1" <<'P' 2>"$dir/warning"
import sys
from pathlib import Path
from inference_perf.utils.trace_reader import AzurePublicDatasetReader
rows = AzurePublicDatasetReader().load_traces(Path(sys.argv[1]))
print(len(rows), *["%.2f" % t for t, _, _ in rows])
P
}
is "a whole second inside: rows and times" "$(read_trace "$dir/inside.csv")" "2 0.00 2.49"
has "warning" "$(cat "$dir/warning")" "Error processing line 3: time data .* does not match format"
is "a whole second at first: rows and times" "$(read_trace "$dir/first.csv")" "1 1715472000.50"

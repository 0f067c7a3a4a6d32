#!/usr/bin/env bash
# Guess:   `aiperf plot` wants the dozens of metrics that `aiperf profile` writes.
# Instead: two lines of JSONL with the six required metadata keys and two metrics, beside a JSON file with two metrics, are a run; any top-level object with
#          a "unit" is a metric. A metric that is missing costs its plot only. The file names, however, must be exactly the default ones.
# So:      another tool's results can be plotted by writing two small files.
. "$(dirname "$0")/lib.sh"
debian chromium
pip_install aiperf==0.13.0
export HOME=$dir # it writes ~/.aiperf
mkdir "$dir/run" "$dir/renamed"
for i in 0 1; do
  echo "{\"metadata\": {\"session_num\": $i, \"request_start_ns\": 170000000${i}000000000, \"request_end_ns\": 170000000${i}900000000, \"worker_id\": \"w\", \"record_processor_id\": \"r\", \"benchmark_phase\": \"profiling\"}, \"metrics\": {\"request_latency\": {\"value\": 900.0, \"unit\": \"ms\"}, \"time_to_first_token\": {\"value\": 20$i.0, \"unit\": \"ms\"}}, \"error\": null}"
done >"$dir/run/profile_export.jsonl"
echo '{"request_latency": {"unit": "ms", "avg": 900.0}, "time_to_first_token": {"unit": "ms", "avg": 200.5}}' >"$dir/run/profile_export_aiperf.json"
guess "refused: metrics are missing"
(cd "$dir" && timeout 300 py/bin/aiperf plot run) >"$dir/log" 2>&1
is "pictures" "$(cd "$dir/run/plots" && echo *.png)" "ttft_over_time.png ttft_timeline.png"
is "of the kind" "$(head -c 4 "$dir/run/plots/ttft_timeline.png" | tail -c 3)" "PNG"
cp "$dir/run/profile_export_aiperf.json" "$dir/renamed/"
cp "$dir/run/profile_export.jsonl" "$dir/renamed/mine_export.jsonl"
status=0
(cd "$dir" && timeout 300 py/bin/aiperf plot renamed) >"$dir/log" 2>&1 || status=$?
seen "with another name: status $status: $(tail -n 3 "$dir/log" | tr -s ' \n' ' ')"
is "pictures with another name" "$(find "$dir/renamed" -name '*.png' | wc -l)" 0

#!/bin/bash
# Two builds beside each other in one run, interleaved: before_after.sh OLD NEW [ROUNDS]
#   OLD, NEW   folders of two release builds, such as ../before/build/release and build/release
#   AGENTS     how many pretended agents the coordinator serves (500)
# Medians of ROUNDS (5) rounds, and NEW / OLD of each figure, as the median of the rounds' own ratios. The endpoint (NEW's simulator, for both) has core 0,
# the client core 1.
set -eu
old=${1:?folder of the older build}; new=${2:?folder of the newer build}; rounds=${3:-5}
[ "$(nproc)" -ge 2 ] || { echo "needs two cores"; exit 77; }
ulimit -n "$(ulimit -Hn)"
dir=$(mktemp -d); sims=()
trap 'kill "${sims[@]}" 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$dir"' EXIT
# endpoint NAME SIM-OPTIONS: its port is in $dir/NAME
endpoint() {
    local name=$1; shift
    taskset -c 0 "$new/bin/plateau-sim" --listen 127.0.0.1:0 --port-file "$dir/$name" --exit-after 3600s "$@" >"$dir/$name.log" 2>&1 &
    sims+=($!)
    for _ in $(seq 100); do [ -s "$dir/$name" ] && return; sleep 0.05; done
    echo "no endpoint: $(cat "$dir/$name.log")" >&2; exit 1
}
endpoint paced --ttft 50ms --tpot 50ms
endpoint flat --null
# engine BUILD PORT-FILE SLOTS TOKENS RAMP: CPU time a token in us
engine() {
    taskset -c 1 "$1/bench/bench_engine" --url "http://127.0.0.1:$(cat "$dir/$2")/v1/chat/completions" --slots "$3" --tokens "$4" --duration 6s --warmup 1s \
        --ramp "$5" --workers 1 --log-level warn | jq .cpu_us_per_token
}
# of BUILD: one figure a line, NAME VALUE; less is better in all
of() {
    echo "paced,us/token $(engine "$1" paced 1000 80 1s)"
    echo "flat-out,us/token $(engine "$1" flat 64 128 0s)"
    taskset -c 1 "$1/bench/bench_scan" | awk '/64 KiB a read|1,000 bytes|100 bytes/ && $1 !~ /:/ && !/running/ {for (i = 2; i <= NF; i++) if ($i == "ns/event") v = $(i - 1); sub(/ a read.*/, ""); gsub(/ /, "-"); print "scan," $0 ",ns " v}'
    "$1/bench/bench_cluster" --agents "${AGENTS:-500}" --duration 10s --plateau "$1/bin/plateau" | jq -r '"coordinator,us/snapshot \(.cpu_us_per_snapshot)"'
}
for r in $(seq "$rounds"); do
    # who goes first alternates, so that a machine that slows down does not choose
    if [ $((r % 2)) = 1 ]; then of "$old" >"$dir/old.$r"; of "$new" >"$dir/new.$r"; else of "$new" >"$dir/new.$r"; of "$old" >"$dir/old.$r"; fi
    join <(sort "$dir/old.$r") <(sort "$dir/new.$r") | awk '{print $0, $3 / $2}' >>"$dir/all"
done
printf '%-28s %10s %10s %9s %17s\n' figure old new new/old "(rounds)"
for name in $(cut -d' ' -f1 "$dir/all" | sort -u); do
    column() { awk -v n="$name" -v c="$1" '$1 == n {print $c}' "$dir/all" | sort -g; }
    middle() { column "$1" | awk '{v[NR] = $1} END {print v[int((NR + 1) / 2)]}'; }
    printf '%-28s %10.3f %10.3f %9.3f %17s\n' "$name" "$(middle 2)" "$(middle 3)" "$(middle 4)" "$(column 4 | sed -n '1p;$p' | awk '{printf "%s%.2f", (NR > 1 ? " to " : ""), $1}')"
done

#!/usr/bin/env bash
# The README's first command, with the programs of this build and a shorter sweep: it ends with the run's exit status, prints the curve and the answer, and the
# report is where it says.
. "$(dirname "$0")/lib.sh"
ROOT=$(cd "$(dirname "$0")/../.." && pwd)
cd "$TMP" || exit 1 # it may be called from anywhere
STATUS=0
PLATEAU_BIN=$BIN timeout 120 "$ROOT/deploy/quickstart.sh" --set load.concurrency=1,4,16 --set load.duration=2s --set load.warmup=500ms \
    --set slo.inconclusive=pass --out "$OUT" \
    >"$TMP/out.log" 2>"$TMP/err.log" || STATUS=$?
expect_carried
expect '.points | length == 3' 'three loads'
expect 'all(.points[]; .ledger.ok > 0 and .ledger.ok == .ledger.due)' 'every request was answered by the simulated endpoint'
expect '.agents | length == 2' 'two agents'
for load in 1 4 16; do expect_text out.log "^ *[1-9] +$load +[0-9.]+ +[0-9,]+ " "the table has a line for load $load"; done
expect_text out.log 'report\.html' 'the path of the report is printed'
[ -s "$OUT/report.html" ] && ok 'and it is there' || fail 'no report.html'
finish

# Two hundred agents lose their connections in the same moment and dial again in the same moment: nobody is given up, and what they sent is in the
# run's file, bucket by bucket (bench_cluster compares).
. "$(dirname "$0")/lib.sh"

bench=$BIN/../bench/bench_cluster
[ -x "$bench" ] || { echo "skipped: no bench_cluster beside $BIN"; exit 77; }
"$bench" --plateau "$BIN/plateau" --agents 200 --duration 6s --storm 2s --dir "$TMP/storm" >"$TMP/storm.json" 2>"$TMP/storm.log"
STATUS=$?
[ "$STATUS" = 0 ] && ok "all that was sent was counted once" || { fail "bench_cluster ended with $STATUS"; show storm.log; show storm/err.log; }
jq -e '.redials >= 200 and .status == 0 and .exact' "$TMP/storm.json" >/dev/null && ok "$(jq -c '{agents, redials, snapshots, of, status}' "$TMP/storm.json")" ||
    { fail "not as expected"; show storm.json; show storm/err.log; }
python3 "$(dirname "$0")/check_run.py" "$TMP/storm/run" || fail "the sums do not hold"
finish

# The disk is full in the middle of a run: it ends cleanly with what was measured, says so, and leaves a file that can be read. A small tmpfs
# in a mount namespace of its own where that is allowed; else a limit on the size of files, which fails writes in the same place. Once there is room again,
# --resume continues: what was finished stays as it was.
if [ -z "${PLATEAU_MOUNTS:-}" ] && [ "$(id -u)" = 0 ] && unshare -m true 2>/dev/null; then PLATEAU_MOUNTS=own exec unshare -m bash "$0" "$@"; fi
. "$(dirname "$0")/lib.sh"

sim --ttft 10ms --tpot 2ms
plan 'workload: {synthetic: {input_tokens: 16, output_tokens: 64}}' 'load: {concurrency: [4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15], duration: 2s, cooldown: 0}'
if [ -n "${PLATEAU_MOUNTS:-}" ] && mkdir "$TMP/small" && mount -t tmpfs -o size=400k none "$TMP/small" 2>/dev/null; then
    trap 'umount -l "$TMP/small"; cleanup' EXIT
    OUT=$TMP/small/run
    plateau_run --local 2
else
    (ulimit -f 300; plateau_run --local 2; echo "$STATUS" >"$TMP/status")
    STATUS=$(cat "$TMP/status")
fi
expect_status 1
expect_text err.log 'run.sqlite: cannot [a-z ]*: (the disk is full; what was|the file reached this process)' 'the reason is logged'
grep -q 'stage 1/12' "$TMP/err.log" && ! grep -q 'stage 12/12' "$TMP/err.log" && ok 'the load ended with it' || { fail 'the load continued without a place for what it measured'; show err.log; }
expect_text out.log 'Ledger: due [1-9]' 'what was measured is printed'
expect_no_orphans
n=$(sqlite3 -readonly "$OUT/run.sqlite" 'SELECT count(*) FROM stage WHERE ended_wall_ns IS NOT NULL' 2>"$TMP/sql.log")
[ "${n:-0}" -ge 1 ] && ok "$n stages can be read" || fail "no finished stage can be read: $(cat "$TMP/sql.log")"

sums() { sqlite3 -readonly "$OUT/run.sqlite" "SELECT s.stage, s.epoch, c.agent, c.counter, c.value FROM stage s JOIN stage_counter c ON c.stage_id = s.id WHERE s.ended_wall_ns IS NOT NULL AND NOT s.aborted AND s.epoch <= $1 ORDER BY 1, 2, 3, 4"; }
last=$(sqlite3 -readonly "$OUT/run.sqlite" 'SELECT max(epoch) FROM stage')
sums "$last" >"$TMP/before"
[ -s "$TMP/before" ] || fail "nothing was finished"
if [ -d "$TMP/small" ]; then mount -o remount,size=64m "$TMP/small"; fi
"$BIN/plateau" run --resume "$OUT" --local 2 >"$TMP/out.log" 2>"$TMP/err.log"
STATUS=$?
expect_carried
expect_report
expect_ledger
expect '.points | length == 12' 'all twelve points are there'
sums "$last" | cmp -s - "$TMP/before" && ok "what was finished is as it was" || fail "a finished stage has changed"
expect_no_orphans
finish

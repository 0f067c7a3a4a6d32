# What cannot be written: a start that fails leaves nothing in the way of the next one, and a finished run can be read where it cannot be written.
. "$(dirname "$0")/lib.sh"

mkdir "$TMP/alone"
cp "$BIN/plateau" "$TMP/alone"
sim --ttft 10ms --tpot 2ms
plan 'workload: {synthetic: {input_tokens: 16, output_tokens: 8}}' 'load: {concurrency: [2], duration: 1s}' 'verdict: {lateness: 10s, lag: 10s, achieved: 90%}'
"$TMP/alone/plateau" run "$TMP/plan.yaml" --local 1 --out "$TMP/failed" >"$TMP/out.log" 2>"$TMP/err.log"
STATUS=$?
expect_status 2
expect_text err.log 'needs plateau-agent beside plateau' 'no agent to start: said'
[ ! -e "$TMP/failed" ] && ok 'and no folder is left' || fail "a folder is left: $(ls "$TMP/failed")"

plateau_run --local 1
expect_carried
before=$STATUS
as_other() { "$@"; }
if [ "$(id -u)" = 0 ]; then # root may write everywhere
    command -v setpriv >/dev/null || { echo 'skipped: no setpriv'; exit 77; }
    as_other() { setpriv --reuid=65534 --regid=65534 --clear-groups "$@"; }
fi
chmod 755 "$TMP"
chmod 555 "$OUT"
chmod a+r "$OUT"/*
as_other "$BIN/plateau" --version >/dev/null 2>&1 || { echo 'skipped: the program cannot be run by another user here'; chmod 755 "$OUT"; exit 77; }
cp "$OUT/summary.json" "$TMP/summary.json"
as_other "$BIN/plateau" report "$OUT" >"$TMP/out.log" 2>"$TMP/err.log"
STATUS=$?
expect_status "$before"
expect_text out.log 'stage +load' 'the table is printed'
expect_text err.log 'warn .*cannot be written: .*the files of the report were not made again' 'what was not made is said, and is no error of the run'
cmp -s "$TMP/summary.json" "$OUT/summary.json" && ok 'the files are as they were' || fail 'a file has changed'
as_other "$BIN/plateau" compare "$OUT" "$OUT" >"$TMP/out.log" 2>"$TMP/err.log"
STATUS=$?
expect_status 0
chmod 755 "$OUT"
finish

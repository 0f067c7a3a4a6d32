#!/usr/bin/env bash
# Two runs against one endpoint and one against a slower one: no difference, worse; the exit status for CI, Markdown, the page.
. "$(dirname "$0")/lib.sh"

run_as() { # NAME [LOADS [OPTION]]
    plan 'workload: {synthetic: {input_tokens: 16, output_tokens: 16}}' \
         "load: {concurrency: ${2:-[2, 4]}, duration: 1s, warmup: 200ms, repeats: 2, cooldown: 0s}" \
         'verdict: {lateness: 10s, lag: 10s, achieved: 90%}'
    plateau_run --local 1 ${3:-}
    expect_status 0
    rm -rf "$TMP/$1"
    mv "$OUT" "$TMP/$1"
}
compare() { "$BIN/plateau" compare "$@" >"$TMP/out.log" 2>"$TMP/err.log"; STATUS=$?; }

sim --ttft 40ms --tpot 10ms
run_as a
run_as b
sim --ttft 60ms --tpot 13ms # slower in all that is compared, so that a busy machine turns no row round
run_as slow

compare "$TMP/a" "$TMP/b" --fail-on worse:10%
expect_status 0
expect_text out.log '^B against A: (no difference seen|better|worse)' 'a word on B'
compare "$TMP/a" "$TMP/b" "$TMP/slow" --fail-on worse:10% --markdown "$TMP/cmp.md" --html "$TMP/cmp.html"
expect_status 99
expect_text out.log '^C against A: worse: .*tpot\.p50 \+' 'C is worse, and by what'
expect_text out.log 'plans of A and C differ' 'the plans differ, named'
expect_text out.log '^target\.url: ' 'the difference is the address'
expect_text out.log '^Failed requests: A 0 of [0-9,]+ requests; C 0 of [0-9,]+ requests' 'failures of both stand there'
expect_text cmp.html '"failures_b":"0 of ' 'and in the page'
expect_text cmp.md '^### ❌ C against A: worse' 'Markdown'
expect_text cmp.md '^\| \*\*all\*\* \|' 'a row over all loads'
expect_text cmp.html '"say":"worse"' 'the page has it'
grep -q '@@' "$TMP/cmp.html" && fail 'a placeholder is left in the page'
compare "$TMP/slow" "$TMP/a" --fail-on worse
expect_status 0
expect_text out.log '^B against A: better' 'the other way round it is better'
# A file of a run's folder means that run; another file is told as such.
compare "$TMP/a/run.sqlite" "$TMP/b/summary.json"
expect_text out.log '^B against A: ' 'files in the folders of the runs'
[ "$STATUS" = 0 ] || fail "compare of two files: $(cat "$TMP/err.log")"
(cd "$TMP/a" && "$BIN/plateau" report report.html) | found 'output token/s' || fail 'report of the page of a run'
compare "$TMP/a" "$TMP/cmp.html"
expect_status 2
expect_text err.log 'cmp.html is a file and in no run.s folder: give the folder that holds run.sqlite' 'a file that is no run'
compare "$TMP/a" "$TMP/nothing"
expect_status 2
expect_text err.log 'nothing' 'the folder is named'
for other in target.model=other workload.synthetic.output_tokens=4 target.stream=false; do # another question: no row says better or worse
    run_as other '[2, 4]' "--set=$other"
    compare "$TMP/a" "$TMP/other" --markdown "$TMP/cmp.md" --html "$TMP/cmp.html"
    expect_text out.log 'not the same question, so there is no verdict' "$other: no verdict"
    grep -qE '(better|WORSE)$' "$TMP/out.log" && fail "$other: a row of the table has one"
    grep -qE '(better|WORSE) \|' "$TMP/cmp.md" && fail "$other: a row of the Markdown has one"
    grep -qE '"say":"(better|worse)"' "$TMP/cmp.html" && fail "$other: the page has one"
done
sim --ttft 40ms --tpot 10ms --fault-status 503 --fault-rate 0.4 # what fails is compared too, whatever the good answers are like
run_as failing
compare "$TMP/a" "$TMP/failing" --fail-on worse:90% --markdown "$TMP/cmp.md" --html "$TMP/cmp.html"
expect_status 99
expect_text out.log '^B against A: worse: .*failed requests rose from 0 % to [2-6][0-9.]* %\.' 'requests that fail make it worse'
expect_text out.log '^Failed requests: A 0 of [0-9,]+ requests; B [0-9,]+ of [0-9,]+ requests \([2-6][0-9.]* %\), most by http_5xx\.' 'how many, and how most of them'
expect_text cmp.md '^### ❌ B against A: worse: .*failed requests rose' 'so does Markdown'
expect_text cmp.html '"failures_b":"[0-9,]+ of [0-9,]+ requests \([2-6][0-9.]* %\), most by http_5xx"' 'and the page'
compare "$TMP/failing" "$TMP/a" --fail-on worse:90%
expect_status 0
grep -q 'rose' "$TMP/out.log" && fail 'failures that went away rose'
sim --ttft 40ms --tpot 10ms
run_as others '[3, 5]'
compare "$TMP/a" "$TMP/others"
expect_status 0
compare "$TMP/a" "$TMP/others" --fail-on worse:10%
expect_status 3
expect_text err.log 'cannot be decided: .*others has no load in common' 'a gate that cannot be decided is not passed'
compare "$TMP/a" "$TMP/a" --fail-on worse # nothing can differ
expect_status 3
expect_text out.log '^B against A: both folders hold the same run, so there is nothing to compare\.' 'a run and itself'
# A run that was ended by hand is compared as far as it came, and that is said.
plan 'workload: {synthetic: {input_tokens: 16, output_tokens: 16}}' 'load: {concurrency: [2, 4], duration: 4s, warmup: 200ms, cooldown: 0s}' 'verdict: {lateness: 10s, lag: 10s, achieved: 90%}'
plateau_start --local 1
sleep 2.5
kill -INT "$RUN_PID"
plateau_wait
expect_status 130
compare "$TMP/a" "$OUT" --markdown "$TMP/cmp.md" --html "$TMP/cmp.html"
expect_text out.log '^Of B: it was ended by Ctrl-C; its stage 1\.1 \(load 2\) was cut short\.' 'how it ended'
expect_text out.log '^Between A and B: windows were of another length \(at load 2 0\.8 s, now [0-9.]+ s\)' 'and how long it measured'
expect_text out.log '^2 .*\(B cut short\)$' 'its row'
expect_text cmp.md '^\| 2 \(B cut short\) \|' 'its row in Markdown'
expect_text cmp.html '"state_b":"it was ended by Ctrl-C' 'and in the page'
"$BIN/plateau" export "$TMP/a" --to vllm --out "$TMP/vllm" >"$TMP/out.log" 2>"$TMP/err.log"
grep -q warn "$TMP/err.log" && fail "a warning about a run that went well: $(cat "$TMP/err.log")"
mv "$TMP/vllm/serving_4.json" "$TMP/vllm/serving_16.json" && touch -d '1 minute ago' "$TMP/vllm/serving_16.json"
"$BIN/plateau" export "$OUT" --to vllm --out "$TMP/vllm" >"$TMP/out.log" 2>"$TMP/err.log"
expect_text err.log 'do not show what happened to this run: it was ended by Ctrl-C; its stage 1\.1' 'export of a run that was ended'
expect_text err.log 'vllm: (1 file was|[0-9]+ files were) there before this export and (is|are) not of it, such as serving_' 'and an older file beside it'
sqlite3 "$OUT/run.sqlite" 'UPDATE run SET ended_wall_ns = NULL, signal = 0; DELETE FROM event'
"$BIN/plateau" report "$OUT" >"$TMP/out.log" 2>"$TMP/err.log"
expect_text out.log '^Reported in between: the run began at' 'a run without an end'
expect_text out.log 'the run has not ended: it is under way, or its coordinator was killed' 'is not one that ended'
compare "$TMP/a" "$TMP/b" --fail-on slower
expect_status 2
compare "$TMP/a"
expect_status 2
finish

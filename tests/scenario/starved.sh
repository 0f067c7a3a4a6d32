# An agent that is stopped for 0.6 s, and one that gets 2 % of a core: neither run calls itself valid, and the report says why.
. "$(dirname "$0")/lib.sh"
[ "$(nproc)" -ge 2 ] || { echo "skipped: needs two cores"; exit 77; }
CASES="stop600 quota2" bash "$(dirname "$0")/../bench/verdict.sh" "$(dirname "$BIN")" >"$TMP/table" || fail 'a valid run reports what was not emitted'
cat "$TMP/table"
expect_text table '^stop600 +(suspect|invalid) .*(late|away|in flight)' 'stopped for 0.6 s: not valid, and why'
grep -q '^quota2: no quota' "$TMP/table" && echo 'no quota to be had here' || expect_text table '^quota2 +invalid .*throttled' '2 % of a core: invalid, and throttled'
finish

# The agents' name server is slow, fails, knows no such name, or leads them to where they must not go: a slow answer only delays the start; anything else ends
# the run with a sentence that says why; who joins with a name server that is broken does not harm the stage that runs. A name server of our own
# (name_server.py) in network and mount namespaces of our own.
if [ -z "${PLATEAU_NAMES:-}" ] && [ "$(id -u)" = 0 ] && unshare -mn ip link set lo up 2>/dev/null; then PLATEAU_NAMES=own exec unshare -mn bash "$0" "$@"; fi
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/names.sh"

names_begin
sim --ttft 5ms --tpot 1ms
names_plan slow.test 'load: {concurrency: 4, requests: 200}'
plateau_run --local 2
expect_carried
expect_report
expect_ledger
expect '.points | length == 1 and (.[0].ledger | .ok == 200 and .due == 200)' 'an answer after 2 s: the run is whole'
expect '[.events[] | select(.kind == "agent_lost")] | length == 0' 'and nobody was given up meanwhile'

# once for each agent, whatever is said later
: >"$TMP/questions"
names_plan flip.test 'load: {concurrency: [2, 3], duration: 1s}' 'connections: fresh'
plateau_run --local 1
expect_carried
expect_ledger
expect '[.points[].ledger | .ok == .due and .ok > 0] == [true, true]' 'a name that is answered differently the second time: all went to the first address'
n=$(grep -c '^flip.test A$' "$TMP/questions")
[ "$n" = 1 ] && ok 'it was asked for once' || fail "it was asked for $n times"
plateau_run --local 1
names_refused 'the same name now' 2 'refuses the address 169.254.169.254'

for way in 'meta.test 169.254.169.254' 'mixed.test 169.254.169.254' 'link.test fe80::1' 'mapped.test (::ffff:)?169.254.169.254'; do
    names_plan "${way% *}" 'load: {concurrency: 2, duration: 1s}'
    plateau_run --local 1
    names_refused "${way% *}" 2 "refuses the address ${way#* }"
done
for name in gone.test broken.test; do
    names_plan "$name" 'load: {concurrency: 2, duration: 1s}'
    plateau_run --local 1
    names_refused "$name" 1 "agent local-1: target.url: $name cannot be resolved: (Name or service not known|Temporary failure in name resolution)"
done
finish

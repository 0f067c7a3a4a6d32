# Peers with a valid key that send what cannot be: forged counters, malformed histograms, huge arrays, trailing bytes, replays, words of a coordinator,
# another agent's name; and peers that speak of a stage they have no part in. Each is refused and named in the log, its part counts as lost, the
# ledger balances, and the honest agent's numbers are whole.
. "$(dirname "$0")/lib.sh"
need_peer_python
peer() { "$PY" "$(dirname "$0")/peer_hostile.py" "$ENDPOINT" "$@"; }

sim --ttft 10ms --tpot 2ms
K=$TMP/keys
"$BIN/plateau" keys "$K" --agents 'm-*' >/dev/null && "$BIN/plateau" keys "$K" --add alice >/dev/null || { fail 'no keys'; finish; }
ENDPOINT=tcp://127.0.0.1:$(free_port)
work='workload: {synthetic: {input_tokens: 16, output_tokens: 16}}'
sql() { sqlite3 -readonly "$OUT/run.sqlite" "$1"; }

# 1. nobody and latecomers, while alice alone runs a stage; they are connected before, so that all they say falls into it
plan "$work" 'load: {concurrency: 4, duration: 8s}' 'agents: {count: 1, wait: 90s}'
plateau_start --listen "$ENDPOINT" --keys "$K"
strangers='nobody late late-plan'
pids=()
for a in $strangers; do
    peer "$K" "m-$a" "$a" "$TMP/now" >"$TMP/$a.log" 2>&1 &
    pids+=("$!")
done
STARTED+=("${pids[@]}")
for a in $strangers; do wait_until 40 grep -q 'at the door' "$TMP/$a.log" || fail "$a: not at the door: $(cat "$TMP/$a.log")"; done
agent --name alice --keys "$K/alice"
wait_until 30 grep -q 'stage 1/1' "$TMP/err.log" || { fail 'the stage did not begin'; show err.log; }
touch "$TMP/now"
for p in "${pids[@]}"; do wait "$p" || { fail 'a stranger failed'; show nobody.log; show late.log; show late-plan.log; }; done
plateau_wait
expect_carried
wait "$AGENT_PID" && ok 'alice ended well' || fail 'alice was harmed'
expect_text nobody.log 'told: 2 say HELLO first' 'nobody: refused'
expect_text err.log 'agent_joined: m-late ' 'the latecomer: joined, for a later stage'
expect_text late-plan.log 'told: 2 .*the plan is not to my liking' 'a latecomer that cannot take the plan: sent away'
expect_text err.log 'agent_lost: agent m-late-plan .*the plan is not to my liking' 'and named'
expect_ledger
expect '.points | length == 1 and (.[0].degraded | not) and .[0].agents[0].lost == 0' 'the stage is whole'
[ "$(sql 'SELECT group_concat(DISTINCT name) FROM stage_agent')" = alice ] && ok 'only alice has a part' || fail "parts: $(sql 'SELECT name FROM stage_agent')"
[ "$(sql 'SELECT count(*) FROM snapshot JOIN agent USING (agent) WHERE name <> "alice"')" = 0 ] && ok 'no word of theirs was kept' || fail 'a forged snapshot was kept'
differing=$(sql "SELECT count(*) FROM stage_hist a JOIN stage_hist b USING (stage_id, metric) WHERE a.agent = -1 AND b.agent >= 0 AND a.bytes <> b.bytes")
same=$(sql "SELECT count(*) FROM stage_hist a JOIN stage_hist b USING (stage_id, metric) WHERE a.agent = -1 AND b.agent >= 0 AND a.bytes = b.bytes")
[ "$differing" = 0 ] && [ "$same" -gt 5 ] && ok "the cluster's $same histograms are alice's, byte for byte" || fail "histograms: $differing differ, $same do not"

# 2. members that forge, all in one stage
attacks='falling absurd jump more-ended hist-noise hist-count hists-array counters-array addresses-array addresses-absurd span snapshot-trailing wire-trailing wire-array wire-deep wire-string wire-parts wire-huge coordinators-word other-name replay'
n=$(echo "$attacks" | wc -w)
plan "$work" "load: {concurrency: $((4 * (n + 1))), duration: 9s}" "agents: {count: $((n + 1)), wait: 90s, on_loss: mark, max_lost_weight: 1}"
plateau_start --listen "$ENDPOINT" --keys "$K"
agent --name alice --keys "$K/alice"
peers=()
for a in $attacks; do
    peer "$K" "m-$a" "$a" >"$TMP/$a.log" 2>&1 &
    peers+=("$!")
done
STARTED+=("${peers[@]}")
plateau_wait
expect_status 4
wait "$AGENT_PID" && ok 'alice ended well' || fail 'alice was harmed'
for p in "${peers[@]}"; do wait "$p" || fail 'a peer failed'; done
for a in $attacks; do
    case $a in replay) continue ;; esac
    told='(sent a snapshot that cannot be|sent what is not a message|was refused)'
    [ "$a" = wire-huge ] && told='was silent for too long' # the connection is closed before anybody reads it
    if grep -qE "agent_lost: agent m-$a \(number [0-9]+\) $told" "$TMP/err.log"; then ok "$a: $(grep -oE "agent_lost: agent m-$a .*" "$TMP/err.log" | head -1 | cut -c13-150)"; else
        fail "$a: not logged"
        show "$a.log"
    fi
done
! grep -E 'snapshot: [0-9]+ fields' "$TMP/err.log" && ok 'a snapshot is refused for what it says' || fail 'forged snapshots have not the fields of this build: no forgery was tried'
expect_text coordinators-word.log 'refused: .*STOP is not a message of an agent' "a coordinator's word is refused"
expect_text falling.log 'refused: .*counter due falls from 5 to 3' 'the forger hears why'
expect_text replay.log 'ended by \[[0-9]+, 15' 'a replay changes nothing: its agent took part to the end'
expect_ledger
# of what was forged only what was believable before is counted, as lost
[ "$(sql 'SELECT group_concat(name, " ") FROM (SELECT name FROM stage_agent WHERE NOT lost ORDER BY name)')" = 'alice m-replay' ] && ok 'all others are marked lost' || fail "not lost: $(sql 'SELECT name FROM stage_agent WHERE NOT lost')"
expect '.points[0] | .degraded and ([.agents[] | select(.name != "alice" and .name != "m-replay" and .name != "m-falling") | .due] | add == 0)' 'nothing forged was counted'
expect '.points[0].agents | (.[] | select(.name == "m-replay") | .due == 5 and .aborted == 5) and (.[] | select(.name == "m-falling") | .due == 5 and .lost == 5)' 'replayed: 5 once; falling: 5 lost'
expect '.points[0] | .ledger.due - 10 == (.agents[] | select(.name == "alice") | .due) and (.agents[] | select(.name == "alice") | .ok > 100 and .lost == 0 and .failed == 0)' "alice's numbers are whole"
finish

# A thousand agents lose their connections in the same moment and dial again in the same moment, without keys and with them: nobody is given up, all are back in the
# same stage, and what they sent is in the run's file, bucket by bucket (bench_cluster compares). With keys this machine works out both ends of each handshake, 1.5 ms
# of CPU, and has 3.5 s for all of them before the coordinator takes the last ones for dead: where other work or a sanitizer leaves it less (AGENTS=200), that is what is measured.
. "$(dirname "$0")/../lib.sh"

bench=$BIN/../bench/bench_cluster
[ -x "$bench" ] || { echo "skipped: no bench_cluster beside $BIN"; exit 77; }
[ "$(ulimit -Hn)" = unlimited ] || [ "$(ulimit -Hn)" -ge 4096 ] || { echo "skipped: a thousand connections need more than $(ulimit -Hn) open files"; exit 77; }
sql() { sqlite3 -readonly "$TMP/$1/run/run.sqlite" "$2"; }
agents=${AGENTS:-$(sanitized && echo 200 || echo 1000)}
for way in open keys; do
    "$bench" --plateau "$BIN/plateau" --agents "$agents" --duration 12s --storm 3s --dir "$TMP/$way" $([ $way = keys ] && echo --curve) >"$TMP/storm.json" 2>"$TMP/storm.log"
    STATUS=$?
    [ "$STATUS" = 0 ] && ok "$way: all that was sent was counted once" || { fail "$way: bench_cluster ended with $STATUS"; show storm.log; show $way/err.log; }
    jq -e ".redials >= $agents and .status == 0 and .exact" "$TMP/storm.json" >/dev/null && ok "$way: $(jq -c '{agents, redials, snapshots, of, status}' "$TMP/storm.json")" ||
        { fail "$way: not as expected"; show storm.json; show $way/err.log; }
    n=$(sql $way "SELECT count(DISTINCT substr(text, 1, instr(text, ' '))) FROM event WHERE kind = 'agent_back'")
    [ "$n" = "$agents" ] && ok "$way: all came back as who they were" || fail "$way: $n of $agents came back"
    n=$(sql $way "SELECT count(*) FROM event WHERE kind IN ('agent_lost', 'agent_failed')")
    [ "$n" = 0 ] && ok "$way: nobody was given up" || fail "$way: $n were given up"
    n=$(sql $way 'SELECT count(*) FROM stage_agent WHERE NOT lost AND lost_requests = 0')
    [ "$n" = "$agents" ] && ok "$way: all parts are whole" || fail "$way: only $n parts are whole"
    python3 "$(dirname "$0")/../check_run.py" "$TMP/$way/run" || fail "$way: the sums do not hold"
done
finish

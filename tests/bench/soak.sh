#!/usr/bin/env bash
# A cluster under faults at random for a given time: soak.sh [BIN-FOLDER] [SECONDS] [AGENTS] [SEED]
# Agents run under a hand that kills, stops and starts them again, the coordinator stands still now and then; stages follow each other without an end until
# the time is over, then Ctrl-C. It holds when every finished stage's sums hold bucket by bucket (check_run.py), the run reports, nothing is left, and
# neither coordinator nor agents grow. What was done is in the log by the seed, which is printed: the same seed does the same things.
set -u -o pipefail
BIN=$(cd "${1:-$(dirname "$0")/../../build/dev/bin}" && pwd) || exit 1
SECONDS_ALL=${2:-3600} AGENTS=${3:-8} SEED=${4:-$RANDOM}
TMP=$(mktemp -d)
here=$(cd "$(dirname "$0")" && pwd)
declare -a PID
SIM= RUN= failed=0
end_all() {
    local p
    for p in "${PID[@]:-}" $RUN $SIM; do [ -n "$p" ] && kill -9 "$p" 2>/dev/null; done
    wait 2>/dev/null
    if [ $failed = 0 ]; then rm -rf "$TMP"; else echo "left in $TMP"; fi
}
trap end_all EXIT
trap 'exit 130' INT TERM
fail() { failed=1; echo "FAILED: $*"; }
RANDOM=$SEED
echo "seed $SEED: $AGENTS agents for $SECONDS_ALL s"

"$BIN/plateau-sim" --listen 127.0.0.1:0 --port-file "$TMP/port" --exit-after $((SECONDS_ALL + 600))s --ttft 50ms --tpot 10ms >"$TMP/sim.log" 2>&1 &
SIM=$!
for _ in $(seq 100); do [ -s "$TMP/port" ] && break; sleep 0.05; done
PORT=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
pair="{concurrency: $((AGENTS * 2)), duration: 6s}, {rate: $((AGENTS * 2))/s, duration: 6s, max_concurrency: $((AGENTS * 4))}"
stages=$pair
for _ in $(seq $((SECONDS_ALL / 1200))); do stages="$stages, $pair"; done # a hundred of each: more than the time lets end
cat >"$TMP/plan.yaml" <<PLAN
plan: 1
target: {url: "http://127.0.0.1:$(head -1 "$TMP/port")/v1/chat/completions", model: sim}
workload: {synthetic: {input_tokens: 16, output_tokens: {uniform: [4, 64]}}}
load: {stages: [$stages], cooldown: 1s, drain: 3s, repeats: 100}
agents: {count: $AGENTS, wait: 60s, on_loss: mark, max_lost_weight: 100%}
PLAN
start_agent() { # K
    "$BIN/plateau-agent" --connect "tcp://127.0.0.1:$PORT" --name "soak-$1" --workers 1 --log-level error >>"$TMP/agent.$1.log" 2>&1 &
    PID[$1]=$!
}
"$BIN/plateau" run "$TMP/plan.yaml" --out "$TMP/run" --listen "tcp://127.0.0.1:$PORT" >"$TMP/out.log" 2>"$TMP/err.log" &
RUN=$!
for k in $(seq "$AGENTS"); do start_agent "$k"; done

rss() { awk '/^VmRSS/ { print $2 }' "/proc/$1/status" 2>/dev/null || echo 0; }
begun=$SECONDS kills=0 stops=0 stills=0 sampled=0
declare -a BORN FIRST
for k in $(seq "$AGENTS"); do BORN[$k]=$SECONDS; done
first_run=0 last_run=0 most_agent=0
while [ $((SECONDS - begun)) -lt "$SECONDS_ALL" ]; do
    sleep $((RANDOM % 4 + 1))
    if ! kill -0 $RUN 2>/dev/null; then fail "the coordinator ended early"; tail -5 "$TMP/err.log"; break; fi
    k=$((RANDOM % AGENTS + 1))
    case $((RANDOM % 12)) in
    0 | 1) kill -9 "${PID[$k]}" 2>/dev/null; wait "${PID[$k]}" 2>/dev/null; kills=$((kills + 1)); start_agent "$k"; BORN[$k]=$SECONDS ;;
    2) kill -STOP "${PID[$k]}"; sleep $((RANDOM % 2 + 1)); kill -CONT "${PID[$k]}"; stops=$((stops + 1)) ;;
    3) kill -STOP "${PID[$k]}"; sleep 5; kill -CONT "${PID[$k]}"; stops=$((stops + 1)) ;;
    4) kill -STOP $RUN; sleep $((RANDOM % 3 + 1)); kill -CONT $RUN; stills=$((stills + 1)) ;;
    *) ;;
    esac
    for k in $(seq "$AGENTS"); do # one that was refused for good (its name was still taken) comes again
        kill -0 "${PID[$k]}" 2>/dev/null || { start_agent "$k"; BORN[$k]=$SECONDS; }
    done
    if [ $((SECONDS - sampled)) -ge 10 ]; then
        sampled=$SECONDS
        r=$(rss $RUN)
        line="$((SECONDS - begun)) s: coordinator $r KiB, agents"
        for k in $(seq "$AGENTS"); do
            a=$(rss "${PID[$k]}")
            line="$line $a"
            [ "${a:-0}" -gt "$most_agent" ] && most_agent=$a
        done
        echo "$line" >>"$TMP/memory.log"
        [ $((SECONDS - begun)) -ge $((SECONDS_ALL / 5)) ] && [ "$first_run" = 0 ] && first_run=$r
        last_run=$r
    fi
done
kill -INT $RUN 2>/dev/null
wait $RUN
status=$?
RUN=
[ $status = 130 ] || [ $status = 0 ] || [ $status = 4 ] || fail "exit status $status"
[ -s "$TMP/run/report.html" ] && [ -s "$TMP/run/summary.json" ] || fail "no report"
python3 "$here/../scenario/check_run.py" "$TMP/run" || fail "the sums do not hold"
jq -e '[.points[].ledger.balanced] | all' "$TMP/run/summary.json" >/dev/null || fail "a ledger does not balance"
for k in $(seq "$AGENTS"); do
    for _ in $(seq 100); do kill -0 "${PID[$k]}" 2>/dev/null || break; sleep 0.1; done
    kill -0 "${PID[$k]}" 2>/dev/null && fail "agent $k is still there"
done
[ "$last_run" -le $((first_run * 13 / 10 + 4096)) ] || fail "the coordinator grew from $first_run to $last_run KiB"
[ "$most_agent" -le 65536 ] || fail "an agent had $most_agent KiB"
echo "$(jq '.points | length' "$TMP/run/summary.json") stages, $(jq '[.points[].ledger.due] | add' "$TMP/run/summary.json") requests, $(jq '[.points[].ledger.lost] | add' "$TMP/run/summary.json") lost, $kills kills, $stops agents stopped, coordinator stopped $stills times, exit status $status"
echo "memory: coordinator $first_run KiB after a fifth of the time, $last_run at the end; largest agent $most_agent KiB"
[ $failed = 0 ] && echo "seed $SEED: all held"
exit $failed

#!/usr/bin/env bash
# The plans in configs/ for workloads, each run for real and shortened: what makes each of them its own shows in the result.
. "$(dirname "$0")/lib.sh"
CONFIGS=$(cd "$(dirname "$0")/../../configs" && pwd)
sim --ttft 10ms --tpot 1ms --reasoning 3
short() { # NAME SETTING…: runs the plan against the simulator
    local name=$1 set=()
    shift
    for s in "target.url=$URL" "$@"; do set+=(--set "$s"); done
    rm -rf "$OUT"
    "$BIN/plateau" run "$CONFIGS/$name.yaml" --out "$OUT" --local 1 --data "$TMP/data" --no-probe "${set[@]}" >"$TMP/out.log" 2>"$TMP/err.log"
    STATUS=$?
    case $STATUS in 0 | 3 | 99) ok "$name: exit status $STATUS" ;; *) fail "$name: exit status $STATUS" && show err.log ;; esac # 99: its gates are for servers
    expect_ledger
}
rows() { sqlite3 "$OUT/run.sqlite" "$1"; }
command -v sqlite3 >/dev/null || rows() { python3 -c 'import sqlite3, sys
for r in sqlite3.connect(sys.argv[1]).execute(sys.argv[2]): print("|".join(map(str, r)))' "$OUT/run.sqlite" "$1"; }

short chat-sessions 'load.concurrency=[6]' load.duration=4s load.warmup=500ms agents.count=1 'workload.sessions.think_time={exponential: 100ms}' \
    'workload.synthetic.output_tokens=30'
expect '.points[0] | .sessions.whole > 5 and .ttft_first_turn_ms.count > 5 and .ttft_later_turns_ms.count > 5' 'chat-sessions: conversations with later turns'

short conversations load.duration=3s 'workload.sessions.think_time=50ms'
expect '.points[0] | .sessions.whole > 20 and .ttft_second_turn_ms.count > 10 and .session_turns.max == 3' 'conversations: as many turns as recorded'

short batch load.concurrency=8
expect '.points[0] | .ledger.due == 24 and .ledger.ok == 24 and .recorded.kept == 24 and .retries.sent == 0' 'batch: each record once, each with its row'
[ "$(rows 'SELECT min(asked_output), max(asked_output) FROM request')" = '40|80' ] || fail "batch: lengths asked: $(rows 'SELECT min(asked_output), max(asked_output) FROM request')"

short rag 'load.rate=[30]' load.duration=3s load.warmup=0s
expect '.points[0] | .input_tokens.p50 > 3000 and .ledger.ok > 50' 'rag: long prompts'

short lora-mix 'load.concurrency=[8]' load.duration=3s record.sample=1 'workload.synthetic.output_tokens=10'
counts=$(rows 'SELECT count(*) FROM request GROUP BY model ORDER BY model' | tr '\n' ' ')
set -- $counts
if [ $# = 8 ] && [ "$1" -gt $(($8 * 3)) ]; then ok "lora-mix: the first of eight adapters is asked for most: $counts"; else fail "lora-mix: by adapter: $counts"; fi

short reasoning 'load.concurrency=[4]' load.duration=3s load.warmup=0s load.drain=5s workload.synthetic.output_tokens=40
expect '.points[0] | .ttfc_ms.p50 > .ttft_ms.p50 + 2' 'reasoning: the first visible token comes later'

short soak 'load.stages=[{rate: 40/s, arrivals: poisson, duration: 3s, warmup: 0s, max_concurrency: 64}]' 'load.cancel={fraction: 20%, after: 30ms}' record.sample=50%
expect '.points[0] | .ledger.cancelled > 3 and .recorded.kept == .recorded.wanted and .recorded.wanted > 20 and .recorded.wanted < .ledger.due' 'soak: users go away, half of the requests have a row'

short data-set 'target.model=m'
expect '.points[0].ledger.ok > 0' 'data-set: its records'
short agentx 'load.concurrency=[2]' load.duration=4s load.warmup=500ms load.drain=5s workload.trace.speed=20
expect '.points[0] | .sessions.begun > 2 and .sessions.broken == 0 and .input_tokens.max == 2344 and .ledger.ok > 15' 'agentx: session trees, one after another'
expect '.scenario | .name == "AgentX" and (.not_to_the_rules | map(select(test("window is 3.5 s long|20 times as fast"))) | length) == 2 and (.not_to_the_rules | all(test("window is|20 times|still being warmed|no token came")))' 'agentx: shortened it is not to the rules, and nothing else is wrong'
"$BIN/plateau" check "$CONFIGS/agentx.yaml" --data "$TMP/data" 2>&1 | found 'not to the rules' && fail 'agentx: the plan itself is not to the rules' || ok 'agentx: the plan itself keeps the rules'
short recorded-day workload.trace.speed=20 agents.count=1
expect '.points[0] | .ledger.due > 0 and .requested.arrivals == "recorded"' 'recorded-day: its arrivals'
finish

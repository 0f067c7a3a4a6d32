#!/usr/bin/env bash
# Recorded days: random traces with every oddity against a model of their own; a replay over two and over seven agents makes the arrivals of the file.
. "$(dirname "$0")/lib.sh"
again() { # a simulator whose truth begins anew
    rm -f "$TMP/truth.jsonl"
    sim --ttft 5ms --tpot 1ms --truth "$TMP/truth.jsonl"
}
truth() { # ends it, so that the file is whole
    kill "$SIM_PID"
    wait "$SIM_PID" 2>/dev/null
}
HERE=$(cd "$(dirname "$0")" && pwd)
DATA=$HERE/../data/traces

# ---- any valid trace in: arrivals, lengths and blocks out ----
mkdir "$TMP/model"
seed=${TRACE_SEED:-$(date +%s)}
python3 "$HERE/trace_model.py" make "$TMP/model" "$seed" 120 || fail "the model"
for n in $(seq 0 119); do "$BIN/plateau" check "$TMP/model/$n.yaml" --data "$TMP/model/data" >"$TMP/model/$n.out" 2>&1; done
if python3 "$HERE/trace_model.py" compare "$TMP/model" 120; then ok "the model agrees (seed $seed)"; else fail "the model does not agree, seed $seed"; fi

# ---- the union of the agents' arrivals is the file's ----
python3 - "$TMP/day.csv" <<'PY'
import random, sys
r = random.Random(5)
t, out = 0.0, ["Timestamp,Request tokens,Response tokens"]
for k in range(300):
    t += r.choice([0, 0, 0.004, 0.02])
    out.append(f"{t:.3f},{r.randint(1, 50)},{k + 1}")
open(sys.argv[1], "w").write("\r\n".join(out))
PY
for agents in 2 7; do
  again
  plan "workload: {trace: {file: day.csv, format: burstgpt}}" "load: {arrivals: recorded}" "target: {url: \"$URL\", model: sim, body: {ignore_eos: true}}"
  plateau_run --local "$agents" --data "$TMP/data"
  [ "$STATUS" = 0 ] || [ "$STATUS" = 3 ] || fail "$agents agents: exit status $STATUS: $(cat "$TMP/err.log")" # 3: a busy machine was late
  expect '.points[0].requested.arrivals == "recorded"' "$agents agents: the summary names the arrivals"
  truth
  python3 - "$TMP/day.csv" "$TMP/truth.jsonl" "$agents" <<'PY' || fail "$agents agents do not make the arrivals of the file"
import json, sys
rows = [line.split(",") for line in open(sys.argv[1]).read().splitlines()[1:]]
seen = [json.loads(line) for line in open(sys.argv[2])]
seen.sort(key=lambda s: s["received_ns"])
asked = sorted(s["asked"] for s in seen)
assert asked == sorted(int(r[2]) for r in rows), f"{len(asked)} requests, {len(rows)} rows"
when = {s["asked"]: s["received_ns"] for s in seen}
first = min(when[int(r[2])] - float(r[0]) * 1e9 for r in rows)
late = sorted(when[int(r[2])] - float(r[0]) * 1e9 - first for r in rows)
assert late[len(late) // 2] < 200e6, f"half of the requests came {late[len(late) // 2] / 1e6:.1f} ms late"
print(f"{sys.argv[3]} agents: each of {len(rows)} rows once; half of them within {late[len(late) // 2] / 1e6:.2f} ms of the file's time")
PY
done
grep -q "ok 300" "$TMP/out.log" || fail "300 requests are not in the ledger: $(tail -3 "$TMP/out.log")"

# ---- a day that is shorter than the stage ----
again
plan "workload: {trace: {file: day.csv, format: burstgpt}}" "load: {arrivals: recorded, duration: 1m}" "target: {url: \"$URL\", model: sim, body: {ignore_eos: true}}"
plateau_run --local 1 --data "$TMP/data"
expect '.answer.short_trace | .stage == 1 and .asked_s == 60 and .last_due_s < 10' 'the trace was shorter than the stage'
expect '.answer.text | contains("and none in the rest of the 60 s of load.duration")' 'and the answer says it'
truth

# ---- with a concurrency the rows come in order as slots become free ----
again
plan "workload: {trace: {file: $DATA/azure2023_conv_head.csv, format: azure}}" "load: {concurrency: 1, passes: 1}"
plateau_run --local 1 --data "$TMP/data"
expect_carried
truth
got=$(python3 -c "
import json, sys
print(*[json.loads(line)['asked'] for line in open(sys.argv[1])])" "$TMP/truth.jsonl")
want=$(tail -n +2 "$DATA/azure2023_conv_head.csv" | tr -d '\r' | cut -d, -f3 | tr '\n' ' ')
[ "$got" = "${want% }" ] && ok "31 rows in the order of the file" || fail "rows: got $got, want $want"

# ---- what cannot be ----
refused() { # PLAN-LINES… WORDS (last)
  plan "${@:1:$#-1}"
  "$BIN/plateau" check "$TMP/plan.yaml" >"$TMP/out.log" 2>"$TMP/err.log"
  [ $? = 2 ] || fail "not refused: $*"
  grep -qF -e "${!#}" "$TMP/err.log" || fail "expected \"${!#}\", got: $(cat "$TMP/err.log")"
}
refused 'load: {arrivals: recorded}' "recorded arrivals need a workload that is one trace"
refused "workload: {trace: {file: day.csv, format: burstgpt}}" 'load: {arrivals: recorded, rate: 5/s}' "recorded arrivals have the trace's own rate"
refused "workload: {trace: {file: day.csv, format: azure}}" 'load: {arrivals: recorded}' 'day.csv: line 1: no column is named "TIMESTAMP"'
refused "workload: {trace: {file: day.csv, format: burstgpt, from: 5m, to: 1m}}" 'load: {arrivals: recorded}' 'must be later than "from"'
refused "workload: {trace: {file: day.csv, format: burstgpt, from: 5h}}" 'load: {arrivals: recorded}' 'and from is 5h (rows outside from and to: 300, without an answer or a prompt: 0)'
refused "workload: {trace: {file: none.csv, format: burstgpt}}" 'load: {arrivals: recorded}' 'none.csv: cannot be opened: No such file or directory'
finish

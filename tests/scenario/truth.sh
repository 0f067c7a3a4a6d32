# What is measured against what the endpoint says it emitted: fixed TTFT 200 ms, TPOT 20 ms, 64 tokens, at concurrency 1, 50 and 500 with two
# agents. Mean TTFT within 2 ms, TPOT and ITL within 1 %, and no token more or less. An invalid point makes no claim about times; a point that is not must be
# true. Under sanitizers only counts are judged.
. "$(dirname "$0")/lib.sh"

CLAIMS=all
sanitized && CLAIMS=counts
once() { # 0 as emitted, 1 not so, 2 only the times are off, 3 no time was claimed
    rm -f "$TMP/truth.jsonl"
    sim --ttft 200ms --tpot 20ms --truth "$TMP/truth.jsonl" --truth-tokens
    plan 'workload: {synthetic: {input_tokens: 16, output_tokens: 64}}' \
        'load: {stages: [{concurrency: 1, duration: 6s}, {concurrency: 50, duration: 6s}, {concurrency: 500, duration: 8s, warmup: 2s}]}'
    plateau_run --local 2
    expect_carried
    expect '.points | length == 3' 'three points'
    expect '.agents | length == 2' 'two agents'
    expect_ledger
    expect '[.points[].ledger | .ok == .due and .lost == 0] | all' 'every request ended ok'
    kill -INT "$SIM_PID"
    wait "$SIM_PID" 2>/dev/null
    python3 "$(dirname "$0")/truth.py" "$TMP/truth.jsonl" "$OUT" $CLAIMS
}

# Counts must be right every time. Client and endpoint share this machine: when others keep it busy, the way between them is no longer short, so that times
# get three tries; in one of them something must be claimed and true.
for try in 1 2 3; do
    once
    rc=$?
    [ $rc -ge 2 ] && [ $try -lt 3 ] && { echo "times are off, or none is claimed; try $((try + 1))"; continue; }
    break
done
[ $rc = 0 ] || fail "measured is not what was emitted"
finish

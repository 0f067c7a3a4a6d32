# What is measured against what the endpoint says it emitted: fixed TTFT 200 ms, TPOT 20 ms, 64 tokens, at concurrency 1, 50 and 500 with two
# agents. Mean TTFT within 2 ms, TPOT and ITL within 1 %, and no token more or less. A suspect or invalid point makes no claim about times; a valid one must be
# true; with no valid point in three tries the scenario is skipped. Under sanitizers only counts are judged.
. "$(dirname "$0")/lib.sh"

once() { # as truth.py ends
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
    judge_truth
}

expect_truth 'fixed times' once
finish

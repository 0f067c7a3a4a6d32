#!/usr/bin/env bash
# Requests that are sent again: counted, with the reason; one request in the ledger, with the latency of all its tries; within a budget; off by default.
. "$(dirname "$0")/lib.sh"
begin() { # OPTIONS…: a simulator whose truth begins anew
    rm -f "$TMP/truth.jsonl"
    sim --ttft 10ms --tpot 1ms --truth "$TMP/truth.jsonl" "$@"
}
ended() {
    kill "$SIM_PID"
    wait "$SIM_PID" 2>/dev/null
}
plan_with() { # RETRIES LOAD
    plan 'workload: {synthetic: {input_tokens: 8, output_tokens: 4}}' "load: {$2, $1}" 'record: {requests: true}'
}
judge() { python3 "$(dirname "$0")/retries.py" "$OUT" "$TMP/truth.jsonl" "$@"; }
go() {
    plateau_run --local 2
    expect_carried
    ended
    expect_ledger
    "$BIN/plateau" export "$OUT" --to requests-jsonl >/dev/null || fail "no rows"
}

# a budget is of what a worker has sent so far: as wide as here it lasts even when the first few requests fail again and again
begin --fault-status 503 --fault-rate 0.3
plan_with 'retries: {max: 12, budget: 500%, after: [429, 503], wait: 20ms}' 'concurrency: 10, requests: 300'
go
if judge --all-ok --after http_5xx --wait 20; then ok "closed loop: all end ok, and each wait is in the latency"; else fail "closed loop"; fi
expect_text out.log 'Retries: [0-9]+ sent again, after http_5xx [0-9]+; latencies of these requests begin with their first try'
expect '.points[0].evidence.counters.inflight_max <= 10' 'a request that waits keeps its slot'

begin --fault-status 429 --fault-rate 0.3
plan_with 'retries: {max: 12, budget: 500%, after: [http_429], wait: 20ms}' 'stages: [{rate: 80/s, duration: 3s, max_concurrency: 100}]'
go
if judge --all-ok --after http_429 --wait 20; then ok "open loop: the same"; else fail "open loop"; fi

begin --fault-reset --fault-after 0 --fault-rate 1
plan_with 'retries: {max: 3, budget: 400%, after: [reset], wait: 1ms}' 'concurrency: 4, requests: 20'
go
if judge --tries 4 --after reset; then ok "at most three more tries, then it has failed as its last try did"; else fail "max"; fi

begin --fault-status 503 --fault-rate 1
plan_with 'retries: {max: 1, budget: 10%, wait: 1ms}' 'concurrency: 4, requests: 60'
go
expect '.points[0].retries | .sent >= 6 and .sent <= 10 and .denied == 60 - .sent' 'a tenth and one of each worker, the others are denied'
expect_text out.log 'failed and were not sent again: load.retries.budget was used up'

begin --fault-status 400 --fault-rate 1
plan_with 'retries: {max: 5, after: [429, 503]}' 'concurrency: 2, requests: 10'
go
expect '.points[0] | .retries.sent == 0 and .retries.denied == 0 and .ledger.failed.http_4xx == 10' 'another status is not sent again'

begin --fault-truncate --fault-rate 1 --fault-after 2
plan_with 'retries: {max: 5, budget: 500%, after: [truncated, reset]}' 'concurrency: 2, requests: 10'
go
expect '.points[0].retries.sent == 0' 'what has given a token is not sent again'

begin --fault-stall --fault-after 0 --fault-rate 1
plan 'workload: {synthetic: {input_tokens: 8, output_tokens: 4}}' "target: {url: \"$URL\", model: sim, timeouts: {first_token: 100ms, total: 600ms}}" \
    'load: {concurrency: 2, requests: 4, retries: {max: 90, budget: 9000%, wait: 50ms, after: [timeout_first_token]}}' 'record: {requests: true}'
go
expect '.points[0] | .retries.after.timeout_first_token >= 4 and ((.ledger.failed | keys) == ["timeout_total"])' 'the total timeout holds all tries'

begin --fault-status 503 --fault-rate 1
plan_with 'retries: {max: 9, budget: 1000%, wait: 1h}' 'concurrency: 2, duration: 1s, drain: 1s'
go
expect '.points[0].ledger | .aborted == 2 and .due == 2' 'what waits when the drain ends is aborted, as any open request'

# ---- what the server asks for (Retry-After) ----
begin --fault-status 429 --fault-rate 0.4 --retry-after 1
plan_with 'retries: {max: 3, budget: 100%, wait: 20ms}' 'concurrency: 8, requests: 24'
go
python3 - "$OUT/export-requests-jsonl/requests.jsonl" <<'PY' && ok 'no sooner than a Retry-After says, and no later than need be' || fail 'Retry-After'
import json, sys
rows = [json.loads(line) for line in open(sys.argv[1])]
again = [r for r in rows if r["tries"] > 1]
assert len(again) >= 3, rows
for r in again:
    took, waits = r["ended_ms"] - r["sent_ms"], 1000 * (r["tries"] - 1)
    assert waits <= took < waits + 900, r
PY
begin --fault-status 503 --fault-rate 1 --retry-after 5
plan 'workload: {synthetic: {input_tokens: 8, output_tokens: 4}}' "target: {url: \"$URL\", model: sim, timeouts: {total: 3s}}" \
    'load: {concurrency: 2, requests: 6, retries: {max: 3, budget: 100%, wait: 20ms}}' 'record: {requests: true}'
go
expect '.points[0] | .retries.sent == 0 and .retries.too_late == 6 and .ledger.failed == {http_5xx: 6}' 'a wait that reaches beyond the total timeout is not begun'
expect_text out.log '6 failed and were not sent again: their Retry-After reached beyond target.timeouts.total'

begin --fault-status 503 --fault-rate 1
plan 'load: {concurrency: 2, requests: 10}'
plateau_run --local 1
expect '.points[0] | .retries == null and .ledger.failed.http_5xx == 10' 'off by default'
finish

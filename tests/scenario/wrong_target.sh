# Targets that cannot work: a closed port, no TLS, no HTTP/2, a certificate of nobody, a wrong path, a missing key, a name that does not exist; and a coordinator that cannot listen. The
# error is clear, the status right, nothing is lost.
. "$(dirname "$0")/lib.sh"

work='workload: {synthetic: {input_tokens: 16, output_tokens: 8}}'
load='load: {concurrency: [2], duration: 2s}'
sim --ttft 10ms --tpot 2ms --require-key right

port=$(free_port)
plan "target: {url: \"http://127.0.0.1:$port/v1/chat/completions\", model: sim}" "$work" "$load"
plateau_run --local 2
expect_status 1
cat "$TMP/err.log" "$TMP/out.log" >"$TMP/all.log"
expect_text all.log "(127.0.0.1:$port|connect)" 'closed port: the place is named'
[ ! -s "$OUT/summary.json" ] || expect_ledger

# What a handshake shows ends the run as a wrong plan does, with and without a probe: waiting does not help. A target that cannot be reached may come yet: 1.
refused() { # SCHEME PORT KEYS STATUS PATTERN
    for PROBE in --no-probe ''; do
        plan "target: {url: \"$1://127.0.0.1:$2/v1/chat/completions\", model: sim$3}" "$work" "$load"
        plateau_run --local 1
        expect_status "$4"
        expect_text err.log "$5" "${PROBE:---probe}: $5"
    done
    PROBE=--no-probe
}
make_ca ca; make_cert ca server
PLAIN_PORT=$SIM_PORT PLAIN_URL=$URL
sim --ttft 10ms --tpot 2ms --tls-cert "$TMP/server.crt" --tls-key "$TMP/server.key"
refused https "$SIM_PORT" ', http: "2", tls: {verify: false}' 2 'does not speak HTTP/2 .it was offered h2'
refused https "$SIM_PORT" '' 2 'the certificate of 127.0.0.1:[0-9]+ is not accepted'
refused https "$SIM_PORT" ", tls: {ca_file: $TMP/absent.crt}" 2 'target.tls.ca_file: .* cannot be read'
refused https "$PLAIN_PORT" ', tls: {verify: false}' 2 'no TLS is spoken there'
refused http "$PLAIN_PORT" ', http: "2"' 2 'does not speak HTTP/2 .its first bytes'
refused https "$port" ', tls: {verify: false}' 1 'connection refused'
SIM_PORT=$PLAIN_PORT URL=$PLAIN_URL

plan "target: {url: \"http://127.0.0.1:$SIM_PORT/v1/nothing\", model: sim}" "$work" "$load"
plateau_run --local 2
[ "$STATUS" != 0 ] && ok "wrong path: exit status $STATUS" || fail "wrong path: exit status 0"
expect '.points[0].ledger | .ok == 0 and .failed.http_4xx > 0' 'wrong path: failed as http_4xx'
expect_text err.log 'status 404. Are the path of target.url' 'wrong path: the status is logged'
expect_ledger

plan "$work" "$load"
plateau_run --local 2
[ "$STATUS" != 0 ] && ok "401: exit status $STATUS" || fail "401: exit status 0"
expect '.points[0].ledger | .ok == 0 and .failed.http_4xx > 0' '401: failed as http_4xx'
expect_text err.log 'status 401. Is target.auth there, and right?' '401: the status is logged'
expect '.points[0].first_failures[0] | .label == "http_4xx" and .status == 401 and (.text | length > 0)' '401: the server'"'"'s own words are in the summary'
expect_text err.log 'request_failed: stage 1, http_4xx, status 401 from 127.0.0.1' 'and in the log'

plan "target: {url: \"$URL\", model: sim, auth: {bearer: {env: PLATEAU_TEST_ABSENT}}}" "$work" "$load"
plateau_run --local 2
expect_status 2
expect_text err.log PLATEAU_TEST_ABSENT 'absent secret: its name is logged'

export PLATEAU_TEST_KEY=right
plan "target: {url: \"$URL\", model: sim, auth: {bearer: {env: PLATEAU_TEST_KEY}}}" "$work" "$load"
plateau_run --local 2
expect '.points[0].ledger | .ok == .due and .ok > 0' 'with the key all is well'

plan 'target: {url: "http://no-such-host.invalid/v1/chat/completions", model: sim}' "$work" "$load"
plateau_run --local 2
[ "$STATUS" != 0 ] && ok "unknown host: exit status $STATUS" || fail "unknown host: exit status 0"
expect_text err.log 'no-such-host.invalid' 'unknown host: it is named'

plan "$work" "$load"
plateau_run --listen "tcp://127.0.0.1:$SIM_PORT"
expect_status 1
expect_text err.log "cannot listen on tcp://127.0.0.1:$SIM_PORT: Address already in use"
plateau_run --listen tcp://0.0.0.0:0
expect_status 2
expect_text err.log 'insecure' 'off loopback: refused without --insecure'

plateau_run --local 1
plateau_run_again() { "$BIN/plateau" run "$TMP/plan.yaml" --local 1 --out "$OUT" >"$TMP/out.log" 2>"$TMP/err.log"; STATUS=$?; }
cp "$OUT/summary.json" "$TMP/before.json"
plateau_run_again
[ "$STATUS" != 0 ] && cmp -s "$TMP/before.json" "$OUT/summary.json" && ok "a folder that holds a run is refused and left alone" || fail "a run was overwritten"
finish

#!/usr/bin/env bash
# The live page (--ui): its stream carries the run from its first second to its last report, a viewer that does not read holds nothing up, its button ends
# the run, and nobody else does: not another site's page, not a foreign name, not without the token.
. "$(dirname "$0")/lib.sh"
live_url() { grep -oE 'watched at http://[^ ]+' "$TMP/err.log" | head -1 | cut -d' ' -f3; }
started() { wait_until 20 live_url; LIVE=$(live_url); [ -n "$LIVE" ] || { fail "the page's address is not in the log"; show err.log; finish; }; }
status_of() { curl -s -m 20 -o "$TMP/body" -w '%{http_code}' "$@"; }
# the data of the events of one kind, a line each
events() { grep -A1 "^event: $1\$" "$TMP/stream" | sed -n 's/^data: //p'; }
sim --ttft 20ms --tpot 5ms

plan 'load: {concurrency: [2, 4], duration: 4s}' 'workload: {synthetic: {input_tokens: 16, output_tokens: 20}}'
plateau_start --local 1 --ui 127.0.0.1:0
started
curl -s -N -m 120 "${LIVE}events" >"$TMP/stream" &
CURL=$!
STARTED+=("$CURL")
python3 -c '
import socket, sys, time
s = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
s.sendall(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
time.sleep(300)' "$(grep -oE '[0-9]+/$' <<<"$LIVE" | tr -d /)" &
STARTED+=($!)
wait_until 60 grep -q '^event: report' "$TMP/stream" && ok "a report comes while the run is under way" || fail "no report comes"
plateau_wait
wait "$CURL" && ok "the stream ends by itself" || fail "the stream was cut off: curl's status $?"
expect_carried
expect '.points | length == 2'
[ "$(events now | jq -s 'map(select(.stage != null)) | length > 2')" = true ] && ok "what happens now is told while stages run" || fail "nothing is told of stages that run"
[ "$(events now | jq -s '[.[].step] | . == sort and last == 2')" = true ] && ok "steps rise" || fail "steps: $(events now | jq -c .step | tr '\n' ' ')"
events report | tail -1 >"$TMP/last.json"
if jq -e --slurpfile s "$OUT/summary.json" '.summary.points == $s[0].points and .summary.outcome == $s[0].outcome and .summary.run.ended != null' "$TMP/last.json" >/dev/null; then
    ok "the last report is that of summary.json"
else fail "the last report is not that of summary.json: $(jq -c '.summary | [.run, .outcome, (.points | length)]' "$TMP/last.json")"; fi
[ "$(events over | jq -r '.status, .dir' | tr '\n' ' ')" = "$STATUS $(realpath "$OUT") " ] && ok "the end has status and folder" || fail "the end: $(events over)"
expect_no_orphans

plan 'load: {concurrency: 2, duration: 200s}' 'workload: {synthetic: {input_tokens: 16, output_tokens: 20}}'
plateau_start --local 1 --ui 127.0.0.1:0
started
wait_until 20 sh -c "curl -s '$LIVE' | grep -q live-data" || fail "no page comes"
TOKEN=$(curl -s "$LIVE" | grep -oE '"token":"[0-9a-f]{32}"' | cut -d'"' -f4)
[ -n "$TOKEN" ] || fail "the page has no token"
refused() { # WORDS CURL-ARGUMENTS…
    local what=$1 got
    shift
    got=$(status_of "$@")
    if [ "$got" = 403 ]; then ok "refused: $what"; else fail "$what: status $got, expected 403"; fi
}
refused "a press without the token" -X POST "${LIVE}stop"
refused "a wrong token" -X POST -H 'X-Plateau-Token: 00000000000000000000000000000000' "${LIVE}stop"
refused "a press from another site's page" -X POST -H "X-Plateau-Token: $TOKEN" -H 'Origin: https://evil.example' "${LIVE}stop"
refused "a press under a foreign name" -X POST -H "X-Plateau-Token: $TOKEN" -H 'Host: evil.example' "${LIVE}stop"
refused "the page under a foreign name" -H 'Host: evil.example' "$LIVE"
refused "the stream from another site's page" -H 'Origin: https://evil.example' "${LIVE}events"
wait_until 30 sh -c "curl -s -N -m 2 '${LIVE}events' | grep -q '\"state\":\"load\"'" || fail "no load began"
kill -0 "$RUN_PID" && ok "none of them ended the run" || fail "the run has ended"
[ "$(status_of -X POST -H "X-Plateau-Token: $TOKEN" "${LIVE}stop")" = 202 ] && ok "the button is accepted" || fail "the button: $(cat "$TMP/body")"
plateau_wait
expect_status 130
expect_text err.log 'stop button of the live page' "the log names the button"
expect_ledger
expect_no_orphans

plan 'load: {concurrency: 2, duration: 200s}' 'workload: {synthetic: {input_tokens: 16, output_tokens: 20}}'
plateau_start --local 1 --ui 0.0.0.0:0
started
LOCAL=$(sed -E 's@//[^:/]+@//127.0.0.1@' <<<"$LIVE")
refused "off loopback, without a token" "${LOCAL%%\?*}"
refused "off loopback, a wrong token" "${LOCAL%%\?*}?token=0"
wait_until 20 sh -c "[ \"\$(curl -s -o /dev/null -w '%{http_code}' '$LOCAL')\" = 200 ]" && ok "the address of the log opens the page" || fail "the address of the log does not: $LIVE"
kill -INT "$RUN_PID"
wait_until 60 sh -c "! kill -0 $RUN_PID" || kill -INT "$RUN_PID"
plateau_wait
expect_status 130

plateau_run --local 1 --ui localhost:80
expect_status 2
expect_text err.log '--ui: expected ADDR:PORT'
[ ! -e "$OUT" ] && ok "a start that fails leaves no folder" || fail "a folder was left"
finish

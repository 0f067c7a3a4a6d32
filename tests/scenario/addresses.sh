# Several addresses: a name that stands for two of them (in a mount namespace of our own), and two source addresses; connections are spread evenly over
# both, and what a machine cannot carry (local ports, open files) is said before the run.
. "$(dirname "$0")/lib.sh"
unshare -m true 2>/dev/null && command -v ss >/dev/null || { echo "skipped: no mount namespace of our own, or no ss"; exit 77; }
PORT=$(free_port)
"$BIN/plateau-sim" --listen "127.0.0.1:$PORT" --listen "127.0.0.2:$PORT" --ttft 50ms --tpot 5ms --exit-after 60s >"$TMP/sim.log" 2>&1 &
STARTED+=($!)
wait_until 5 grep -q "listening on 127.0.0.2" "$TMP/sim.log" || { fail "the simulator did not start"; exit 1; }
printf '127.0.0.1 localhost\n127.0.0.1 both.test\n127.0.0.2 both.test\n' >"$TMP/hosts"
plan "target: {url: \"http://both.test:$PORT/v1/chat/completions\", model: sim}" 'workload: {synthetic: {input_tokens: 16, output_tokens: 16}}' \
    'load: {concurrency: [40], duration: 3s, warmup: 500ms}'
"$BIN/plateau" run "$TMP/plan.yaml" --out "$OUT" --listen tcp://127.0.0.1:0 >"$TMP/out.log" 2>"$TMP/err.log" &
RUN_PID=$!
STARTED+=("$RUN_PID")
wait_until 5 grep -q 'listening on tcp' "$TMP/err.log"
unshare -m sh -c 'mount --bind "$1" /etc/hosts && exec "$2" --connect "$3" --source-address 127.0.0.3 --source-address 127.0.0.4' sh "$TMP/hosts" "$BIN/plateau-agent" "$(endpoint)" >"$TMP/agent.log" 2>&1 &
STARTED+=($!)
count() { ss -Htn state established "$@" | wc -l; }
spread() { [ "$(count dst "127.0.0.1:$PORT")" -ge 18 ] && [ "$(count dst "127.0.0.2:$PORT")" -ge 18 ] && [ "$(count src 127.0.0.3 dport = "$PORT")" -ge 18 ] && [ "$(count src 127.0.0.4 dport = "$PORT")" -ge 18 ]; }
wait_until 8 spread && ok 'connections to each address, and from each' || { fail 'connections are not spread'; ss -Htn state established dport = "$PORT" | awk '{print $3, $4}' | sed 's/:[0-9]* / /' | sort | uniq -c; show agent.log; }
plateau_wait
expect '.points[0].ledger | .ok == .due and .ok > 0' 'every request ended ok'
expect '.points[0] | .evidence.counters as $c | .addresses | length == 2 and (map(.requests) | add) == $c.sent and (map(.ok) | add) == $c.ok and (map(.failed) | add) == 0 and all(.ok > 0)' 'requests are counted by address'
expect_text out.log "Target: requests, by address: 127.0.0.1:$PORT [0-9]+, 127.0.0.2:$PORT [0-9]+" 'the report says how many went where'
expect_ledger

# more connections than one pair of addresses has ports, and than there are open files
range=$(cat /proc/sys/net/ipv4/ip_local_port_range)
ports=$((${range##*[!0-9]} - ${range%%[!0-9]*} + 1))
plan "target: {url: \"http://127.0.0.1:$PORT/v1/chat/completions\", model: sim}" 'workload: {synthetic: {input_tokens: 16, output_tokens: 16}}' \
    "load: {concurrency: [$((ports + 1000))], duration: 2s}"
plateau_run --local 1
[ "$STATUS" != 0 ] && ok "too many ports: exit status $STATUS" || fail 'too many ports: exit status 0'
cat "$TMP/err.log" "$TMP/out.log" >"$TMP/all.log"
expect_text all.log 'local ports.*source address|open files' 'too many ports: the message says what to do'

sed -i 's/concurrency: \[[0-9]*\]/concurrency: [500]/' "$TMP/plan.yaml"
bash -c 'ulimit -n 300; exec "$@"' sh "$BIN/plateau" run "$TMP/plan.yaml" --out "$TMP/few" --local 1 >"$TMP/all.log" 2>&1
STATUS=$?
[ "$STATUS" != 0 ] && ok "too few open files: exit status $STATUS" || fail 'too few open files: exit status 0'
expect_text all.log '(open files|descriptors).*(ulimit|raise|more agents)' 'too few open files: the message says what to do'
finish

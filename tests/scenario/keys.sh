# Who is let in: only those whose key is on the list, by CURVE only, by a name that their key allows; and a key that is taken off the list in the
# middle of a stage ends its agent's part at once. An agent believes only the coordinator whose key it has.
. "$(dirname "$0")/lib.sh"
need_peer_python
knock() { "$PY" "$(dirname "$0")/peer_knock.py" "$ENDPOINT" "$@"; }

sim --ttft 10ms --tpot 2ms
K=$TMP/keys
{ "$BIN/plateau" keys "$K" --agents 'pod-*' && "$BIN/plateau" keys "$K" --add alice && "$BIN/plateau" keys "$K" --add bob && "$BIN/plateau" keys "$TMP/other"; } >"$TMP/keys.log" 2>&1 ||
    { fail "no keys: $(cat "$TMP/keys.log")"; finish; }
work='workload: {synthetic: {input_tokens: 16, output_tokens: 16}}'

# strangers at the door of a run that waits for its agent, on all addresses
plan "$work" 'load: {concurrency: 2, duration: 2s}' 'agents: {count: 1, wait: 30s}'
port=$(free_port)
ENDPOINT=tcp://127.0.0.1:$port
plateau_start --listen "tcp://0.0.0.0:$port" --keys "$K"
wait_until 10 grep -q 'listening on' "$TMP/err.log" || { fail 'the coordinator does not listen'; show err.log; }
for how in null plain; do
    said=$(knock $how)
    [[ $said == silence*FAILED* ]] && ok "$how: $said" || fail "$how: $said"
done
said=$(knock curve "$K" absent)
[[ $said == 'silence HANDSHAKE_FAILED_AUTH' ]] && ok "a key of its own: $said" || fail "a key of its own: $said"
cp -r "$TMP/other" "$TMP/mixed" && cp "$K/coordinator.pub" "$TMP/mixed/"
said=$(knock curve "$TMP/mixed")
[[ $said == 'silence HANDSHAKE_FAILED_AUTH' ]] && ok "another fleet's key: $said" || fail "another fleet's key: $said"
expect_text err.log 'a handshake failed: (one side has keys \(CURVE\) and the other has not|the connection ended in the handshake)'
expect_text err.log "refused a peer from 127.0.0.1: key $(sed 's/[][\.*^$+?{}()|/]/\\&/g' "$TMP/other/agent.pub") is not on the list" 'the log names the key that was refused'
said=$(knock curve "$K") # a good key under a name that it may not use
[[ $said == 'messages 2'* ]] && ok "another name: $said" || fail "another name: $said"
expect_text err.log 'peer_refused: unknown peer: the key .* may not call itself "mallory"'
agent --name zoe --keys "$TMP/mixed" --wait 3s # a key that is not on the list
zoe=$AGENT_PID
agent --name nobody --wait 3s # no key
nobody=$AGENT_PID
agent --name dora --keys "$TMP/other" --wait 3s # believes another coordinator
dora=$AGENT_PID
for p in "$zoe" "$nobody" "$dora"; do
    wait "$p"
    s=$?
    [ "$s" = 4 ] && ok 'an agent that is not let in gives up' || fail "an agent that is not let in: status $s"
done
expect_text agent.log 'does not let this agent in: the key is not allowed'
expect_text agent.log 'does not let this agent in: (one side has keys|the connection ended in the handshake)'
agent --name pod-1 --keys "$K"
plateau_wait
expect_carried
expect_ledger
expect '.run.insecure == false' 'the report does not call it insecure'
expect '[.agents[].name] == ["pod-1"]' 'only pod-1 took part'
wait "$AGENT_PID" && ok 'pod-1 ended well' || fail 'pod-1 ended badly'

# an agent with keys at the door of a run that has none: both sides say so, once in a while and not at each try
plan "$work" 'load: {concurrency: 2, duration: 1s}' 'agents: {count: 1, wait: 5s}'
ENDPOINT=tcp://127.0.0.1:$(free_port)
mv "$TMP/agent.log" "$TMP/agent_before.log"
plateau_start --listen "$ENDPOINT"
agent --name early --keys "$K" --wait 4s
wait "$AGENT_PID"
plateau_wait
expect_status 4
expect_text err.log 'somebody was turned away: .* This run has no keys: if it was an agent with keys, give plateau run --keys DIR'
expect_text agent.log "no coordinator was heard for 4s \(--wait\) from $ENDPOINT: it does not let this agent in: "
for f in err.log:'turned away' 'agent.log:WARN.*does not let this agent in: .*'; do
    n=$(grep -ciE "${f#*:}" "$TMP/${f%%:*}")
    [ "$n" -ge 1 ] && [ "$n" -le 4 ] && ok "${f%%:*}: $n lines in 4 s" || { fail "${f%%:*}: $n lines of ${f#*:}"; show "${f%%:*}"; }
done

# a key is taken off the list in the middle of a stage
plan "$work" 'load: {concurrency: 4, duration: 6s}' 'agents: {count: 2, wait: 30s, on_loss: mark, max_lost_weight: 0.5}'
ENDPOINT=tcp://127.0.0.1:$(free_port)
plateau_start --listen "$ENDPOINT" --keys "$K"
agent --name alice --keys "$K/alice"
alice=$AGENT_PID
agent --name bob --keys "$K/bob"
bob=$AGENT_PID
wait_until 15 grep -q 'load 4 ' "$TMP/err.log" || fail 'the stage did not begin'
sleep 2
grep -v ' bob ' "$K/allowed" >"$TMP/allowed" && cp "$TMP/allowed" "$K/allowed"
kill -HUP "$RUN_PID"
wait "$bob"
s=$?
[ "$s" = 2 ] && ok 'the revoked agent has ended with status 2' || fail "the revoked agent: status $s"
plateau_wait
expect_status 4
expect_text err.log 'the list of allowed keys was read again: 2 keys'
expect_text err.log 'peer_refused: bob: the key .* is not on the list of those allowed'
wait "$alice" && ok 'alice ended well' || fail 'alice was harmed'
expect_ledger
expect '.points[0] | .degraded and (.agents[] | select(.name == "alice") | .lost == 0 and .failed == 0 and .ok > 0)' 'the other part is whole'
# a list that cannot be read leaves the old one
echo nonsense >"$TMP/nonsense"
cp "$TMP/allowed" "$K/allowed"
plan "$work" 'load: {concurrency: 2, duration: 3s}' 'agents: {count: 1, wait: 30s}'
plateau_start --listen "$ENDPOINT" --keys "$K"
agent --name alice --keys "$K/alice"
wait_until 15 grep -q 'load 2 ' "$TMP/err.log" || fail 'the stage did not begin'
cp "$TMP/nonsense" "$K/allowed"
kill -HUP "$RUN_PID"
plateau_wait
expect_carried
expect_text err.log 'keys: .*allowed:1: expected'
cp "$TMP/allowed" "$K/allowed"

# agents of this machine by keys; what does not go together; keys that others may read
plateau_run --local 2 --keys "$K"
expect_status 4
expect_text err.log 'may not call itself "local-[12]"' 'agents of this machine are held against the list too'
cp -r "$TMP/other" "$TMP/any"
plateau_run --local 2 --keys "$TMP/any"
expect_carried
# without any options agents of this machine have keys that are in no file; nobody else of this machine is let in
plan "$work" 'load: {concurrency: 2, duration: 4s}'
plateau_start --local 2
wait_until 10 grep -q 'stage 1/1' "$TMP/err.log" || fail 'the stage did not begin'
ENDPOINT=$(endpoint)
for how in 'null' "curve $K" "curve $K absent"; do
    said=$(knock $how)
    [[ $said == silence* ]] && ok "--local, a stranger ($how): $said" || fail "--local lets a stranger in: $said"
done
plateau_wait
expect_carried
expect '[.agents[].name] | sort == ["local-1", "local-2"]' 'only its own agents took part'
plateau_run --local 1 --keys "$TMP/any" --insecure
expect_status 2
chmod 644 "$TMP/any/coordinator.key"
plateau_run --local 1 --keys "$TMP/any"
expect_status 2
expect_text err.log 'coordinator.key may be read or changed by others .mode 644.; chmod 600 it'
finish

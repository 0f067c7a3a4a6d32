# Agents that run signed plans only: a signed one runs; unsigned, changed, expired, of another run, for other agents, by another key is refused,
# with the reason in the report's events and exit status 2. Keys are made with the right modes and never overwritten.
. "$(dirname "$0")/lib.sh"

sim --ttft 10ms --tpot 2ms
"$BIN/plateau" keys "$TMP/keys" >"$TMP/keys.log" 2>&1 || { fail "no keys: $(cat "$TMP/keys.log")"; finish; }
modes=$(stat -c '%a %n' "$TMP"/keys "$TMP"/keys/* | sed "s@$TMP/@@" | sort -k2 | tr '\n' ' ')
want='700 keys 600 keys/agent.key 644 keys/agent.pub 644 keys/allowed 600 keys/coordinator.key 644 keys/coordinator.pub 600 keys/plan.sign 644 keys/plan.verify '
[ "$modes" = "$want" ] && ok "files and modes: $modes" || fail "modes: $modes"
grep -qF -e "$(cat "$TMP/keys/agent.pub") * agent" "$TMP/keys/allowed" && ok 'the agents are allowed' || fail "allowed: $(cat "$TMP/keys/allowed")"
before=$(cat "$TMP"/keys/* | sha256sum)
"$BIN/plateau" keys "$TMP/keys" >"$TMP/again.log" 2>&1
[ $? = 2 ] && [ "$before" = "$(cat "$TMP"/keys/* | sha256sum)" ] && ok 'a second time: refused, nothing changed' || fail "keys were made again: $(cat "$TMP/again.log")"

# run_signed NAME SIGN-OPTIONS…: signs the plan (unless NAME is unsigned) and runs it with one agent that asks for it
run_signed() {
    local name=$1 sig=()
    shift
    if [ "$name" != unsigned ]; then
        "$BIN/plateau" sign "$TMP/plan.yaml" --key "$TMP/keys/plan.sign" "$@" >"$TMP/plan.sig" 2>"$TMP/sign.log" || fail "$name: sign: $(cat "$TMP/sign.log")"
        sig=(--signature "$TMP/plan.sig")
    fi
    run_with "${sig[@]}"
}
run_with() {
    ENDPOINT=tcp://127.0.0.1:$(free_port)
    rm -f "$TMP/agent.log"
    plateau_start --listen "$ENDPOINT" "$@"
    agent --name east-1 --wait 20s --require-signed "$VERIFY"
    plateau_wait
    wait "$AGENT_PID" 2>/dev/null
    AGENT_STATUS=$?
}
VERIFY=$TMP/keys/plan.verify
write_plan() { plan 'workload: {synthetic: {input_tokens: 16, output_tokens: 8}}' "load: {concurrency: $1, duration: 1s}" 'agents: {count: 1, wait: 20s}'; }

write_plan 2
run_signed good --audience 'east-*' --expires 10m
expect_carried
expect_ledger
expect '.points[0].ledger.ok > 0' 'the signed plan ran'
[ "$AGENT_STATUS" = 0 ] && ok 'its agent ends with status 0' || fail "its agent ends with status $AGENT_STATUS"

refused() { # WORDS PATTERN
    expect_status 2
    expect_text err.log "$2" "$1: refused"
    expect ".points | length == 0" "$1: no stage began"
    expect ".events | map(.text) | any(test(\"$2\"))" "$1: the report says why"
    [ "$AGENT_STATUS" = 2 ] && ok "$1: the agent ends with status 2" || fail "$1: the agent ends with status $AGENT_STATUS"
}
run_signed unsigned
refused unsigned 'carries no signature'
run_signed expired --expires 1ms
refused expired 'signature expired at'
run_signed 'another run' --run 'nightly-*'
refused 'another run' 'signature is for run nightly'
run_signed 'other agents' --audience 'west-*'
refused 'other agents' 'signature is for agents west'
"$BIN/plateau" sign "$TMP/plan.yaml" --key "$TMP/keys/plan.sign" >"$TMP/plan.sig"
write_plan 3
run_with --signature "$TMP/plan.sig"
refused 'changed plan' 'signature is for another plan'
write_plan 2
run_with --signature "$TMP/plan.sig" --set load.duration=9s
refused 'changed by --set' 'signature is for another plan'
"$BIN/plateau" keys "$TMP/other" >/dev/null
VERIFY=$TMP/other/plan.verify
run_with --signature "$TMP/plan.sig"
refused 'another signer' 'not by the key this agent trusts'
finish

# A canary: secrets (API keys by environment and by file, CURVE keys) are looked for everywhere they could leak to: logs at debug level, the run's
# folder, plan, hash and check output, command lines, the control plane's wire, cores; in good runs and in those where the endpoint echoes the key in
# every kind of answer. They must be nowhere, and must have arrived at the endpoint, or nothing was looked at.
. "$(dirname "$0")/lib.sh"
here=$(dirname "$0")

python3 "$here/canary_server.py" "$TMP/sport" "$TMP/seen" &
STARTED+=("$!")
wait_until 5 test -s "$TMP/sport" || { fail 'no server'; finish; }
base=http://127.0.0.1:$(cat "$TMP/sport")
K=$TMP/keys
mkdir "$TMP/scan"
"$BIN/plateau" keys "$K" >"$TMP/scan/keys.log" 2>&1
export PLATEAU_CANARY=canary-env-7f3a9d41c2
printf 'canary-file-5b8e0c66aa\n' >"$TMP/api-key"
# the patterns live outside of what is searched
mkdir "$TMP/secret"
patterns=$TMP/secret/patterns
{
    echo "$PLATEAU_CANARY"
    cat "$TMP/api-key"
    printf 'plateau:%s' "$PLATEAU_CANARY" | base64
    sed -n 's/^secret //p' "$K/agent.key" "$K/coordinator.key"
    cat "$K/plan.sign"
} >"$patterns"
[ "$(wc -l <"$patterns")" = 6 ] || fail "patterns: $(wc -l <"$patterns")"
nowhere() { # WORDS PATHS…
    local words=$1 hits
    shift
    if hits=$(grep -raFlf "$patterns" -- "$@" 2>/dev/null); then fail "$words: a secret is in $hits"; else ok "$words: clean"; fi
}

sniffing=
ENDPOINT=tcp://127.0.0.1:$(free_port)
if [ "$(id -u)" = 0 ]; then
    python3 "$here/canary_sniff.py" "${ENDPOINT##*:}" "$TMP/scan/wire" &
    sniffer=$!
    STARTED+=("$sniffer")
    wait_until 5 grep -q listening "$TMP/scan/wire" && sniffing=1
fi

run_one() { # NAME PATH AUTH KEYS…: everything it leaves is put where it is searched
    local name=$1
    plan "target: {url: \"$base/$2/v1/chat/completions\", model: m, auth: $3}" 'workload: {synthetic: {input_tokens: 16, output_tokens: 4}}' 'load: {concurrency: 2, requests: 6}' \
        'agents: {count: 1, wait: 20s}'
    shift 3
    "$BIN/plateau" check "$TMP/plan.yaml" >"$TMP/scan/$name.check" 2>&1
    "$BIN/plateau" check --json "$TMP/plan.yaml" >>"$TMP/scan/$name.check" 2>&1
    OUT=$TMP/scan/$name.run
    plateau_start --listen "$ENDPOINT" --log-level debug "$@"
    "$BIN/plateau-agent" --connect "$ENDPOINT" --name canary --wait 20s --log-level debug "$@" >"$TMP/scan/$name.agent" 2>&1 &
    AGENT_PID=$!
    STARTED+=("$AGENT_PID")
    sleep 0.3
    cat /proc/[0-9]*/cmdline >>"$TMP/scan/cmdline" 2>/dev/null
    plateau_wait
    wait "$AGENT_PID"
    cp "$TMP/err.log" "$TMP/scan/$name.err"
    cp "$TMP/out.log" "$TMP/scan/$name.out"
    "$BIN/plateau" report "$OUT" >"$TMP/scan/$name.report" 2>&1
    [ -s "$OUT/run.sqlite" ] && [ -s "$OUT/summary.json" ] || fail "$name: no run to look at"
}
for path in ok 401 500 html error garbage cut; do
    run_one "env-$path" "$path" '{bearer: {env: PLATEAU_CANARY}}' --keys "$K"
done
run_one file "401" "{bearer: {file: $TMP/api-key}}" --keys "$K"
run_one header "401" "{header: x-api-key, env: PLATEAU_CANARY}"
run_one basic "error" "{basic: {user: plateau, env: PLATEAU_CANARY}}"
for key in "$PLATEAU_CANARY" canary-file-5b8e0c66aa "$(printf 'plateau:%s' "$PLATEAU_CANARY" | base64)"; do
    grep -qF -e "$key" "$TMP/seen" && ok "the endpoint got $(echo "$key" | cut -c1-10)…" || fail "the endpoint never got a key: this test looks at nothing"
done
# agents of this machine, with keys
plan "target: {url: \"$base/401/v1/chat/completions\", model: m, auth: {bearer: {env: PLATEAU_CANARY}}}" 'load: {concurrency: 2, duration: 2s}'
OUT=$TMP/scan/local.run
plateau_start --local 2 --keys "$K" --log-level debug
wait_until 10 grep -q 'stage 1/1' "$TMP/err.log"
for p in "$RUN_PID" $(local_agents); do
    cat "/proc/$p/cmdline" >>"$TMP/scan/cmdline"
    grep -q 'Max core file size *0 *0 ' "/proc/$p/limits" && ok "process $p: no cores" || fail "process $p may leave a core: $(grep core "/proc/$p/limits")"
done
plateau_wait
cp "$TMP/err.log" "$TMP/scan/local.err"
# the plan's hash knows nothing of the secret
one=$("$BIN/plateau" check --json "$TMP/plan.yaml" 2>&1 >/dev/null)
two=$(PLATEAU_CANARY=another "$BIN/plateau" check --json "$TMP/plan.yaml" 2>&1 >/dev/null)
[ -n "$one" ] && [ "$one" = "$two" ] && ok 'the same plan by another key has the same hash' || fail "hashes: $one, $two"

# an agent that crashes under load leaves no core, though cores are allowed here
(
    cd "$TMP/scan" && ulimit -c unlimited
    sh -c 'kill -SEGV $$' 2>/dev/null
    ls core* >/dev/null 2>&1 && touch "$TMP/cores-work"
    rm -f core*
    exec "$BIN/plateau-agent" --connect "$ENDPOINT" --keys "$K" --wait 20s
) 2>/dev/null &
crash=$!
STARTED+=("$crash")
sleep 1
kill -SEGV "$crash"
wait "$crash" 2>/dev/null
[ -e "$TMP/cores-work" ] && ok 'another program leaves a core here' || ok 'cores: no program leaves one here'
ls "$TMP/scan"/core* >/dev/null 2>&1 && fail 'a core was left' || ok 'no core was left'

if [ -n "$sniffing" ]; then
    kill "$sniffer"
    wait "$sniffer" 2>/dev/null
    [ "$(stat -c %s "$TMP/scan/wire")" -gt 20000 ] && ok "the wire was seen: $(stat -c %s "$TMP/scan/wire") bytes" || fail 'nothing was seen on the wire'
else
    ok 'wire: skipped, needs root'
fi
for f in "$TMP"/scan/*; do [ -s "$f" ] || [ -d "$f" ] || fail "$f is empty"; done
nowhere 'logs, reports, plans, command lines, wire' "$TMP/scan"
cp "$K/agent.key" "$TMP/scan/planted"
grep -raFlqf "$patterns" -- "$TMP/scan" && ok 'a planted secret is found' || fail 'a planted secret is not found: this test looks at nothing'
finish

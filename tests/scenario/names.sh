# For scenarios with a name server of our own: source lib.sh first, in network and mount namespaces of our own (PLATEAU_NAMES=own).

# names_begin: the name server runs, and everything here asks it
names_begin() {
    [ "${PLATEAU_NAMES:-}" = own ] || { echo "skipped: no network and mount namespaces of our own here"; exit 77; }
    ip link set lo up && mount --make-rprivate / || { echo "skipped: no mounts of our own here"; exit 77; }
    echo 'hosts: files dns' >"$TMP/nsswitch.conf"
    echo '127.0.0.1 localhost' >"$TMP/hosts"
    echo 'nameserver 127.0.0.1' >"$TMP/resolv.conf"
    local f
    for f in nsswitch.conf hosts resolv.conf; do
        mount --bind "$TMP/$f" "$(readlink -f "/etc/$f")" 2>"$TMP/mount.log" || { echo "skipped: /etc/$f cannot be laid over: $(cat "$TMP/mount.log")"; exit 77; }
    done
    python3 "$(dirname "$0")/${NAMES_UP:-}name_server.py" "$TMP/questions" "$TMP/names.ready" 2>"$TMP/names.log" &
    STARTED+=("$!")
    wait_until 10 test -s "$TMP/names.ready" || { fail "the name server did not start: $(cat "$TMP/names.log")"; exit 1; }
    python3 -c 'import socket; assert socket.getaddrinfo("good.test", 80)[0][4][0] == "127.0.0.1"' 2>"$TMP/names.log" || { echo "skipped: names are looked up elsewhere here (a cache of names?)"; exit 77; }
}

# names_plan NAME LOAD [MORE OF THE TARGET]: a plan for the simulator under that name
names_plan() {
    plan "target: {url: \"http://$1:$SIM_PORT/v1/chat/completions\", model: sim${3:+, $3}}" 'workload: {synthetic: {input_tokens: 16, output_tokens: 4}}' "$2"
}

# names_refused WORDS STATUS PATTERN: no stage began; the log and the report say why
names_refused() {
    expect_status "$2"
    expect_text err.log "$3" "$1: the reason is logged"
    expect ".events | map(.text) | any(test(\"$3\"))" "$1: the report says why"
    expect '.points | length == 0' "$1: no stage began"
}

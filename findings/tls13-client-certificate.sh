#!/usr/bin/env bash
# GUESS: a TLS server that requires a client certificate fails the handshake of a client that has none, so a client that has connected may send.
# INSTEAD: that is so in TLS 1.2 only. In TLS 1.3 the client's handshake succeeds; the alert "certificate required" comes afterwards, as the answer to its first read.
# SO: a client that makes connections ahead of its requests must look at them again a round trip later, or each request ends as a broken connection without a reason.
. "$(dirname "$0")/lib.sh"
debian openssl python3
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost -keyout "$dir/key.pem" -out "$dir/cert.pem" 2>/dev/null
port=$(free_port)
background "$dir/server.log" openssl s_server -accept "127.0.0.1:$port" -cert "$dir/cert.pem" -key "$dir/key.pem" -Verify 1 -verify_return_error -quiet
wait_port "$port"
cat >"$dir/client.py" <<'END'
import socket, ssl, sys

for name in ("TLSv1_2", "TLSv1_3"):
    context = ssl.create_default_context(cafile=sys.argv[2])
    context.check_hostname = False
    context.minimum_version = context.maximum_version = getattr(ssl.TLSVersion, name)
    try:
        tls = context.wrap_socket(socket.create_connection(("127.0.0.1", int(sys.argv[1])), 5))
    except ssl.SSLError as e:
        print(name, "handshake fails:", e.reason)
        continue
    try:
        tls.recv(1)
        print(name, "handshake succeeds, read succeeds")
    except ssl.SSLError as e:
        print(name, "handshake succeeds, read fails:", e.reason)
END
guess "the handshake fails in every version of TLS"
out=$(python3 "$dir/client.py" "$port" "$dir/cert.pem")
has "TLS 1.2" "$out" '^TLSv1_2 handshake fails: .*'
has "TLS 1.3" "$out" '^TLSv1_3 handshake succeeds, read fails: .*CERTIFICATE_REQUIRED.*'

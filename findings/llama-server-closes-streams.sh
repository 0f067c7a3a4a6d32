#!/usr/bin/env bash
# Guess:   a response with "Keep-Alive: timeout=5, max=100" and a proper end leaves its connection open for the next request.
# Instead: after a streamed answer llama-server closes the connection, although the header promises to keep it. After an answer that is not streamed it stays.
# So:      each streamed request costs a new connection. A client that counts on the header meets a reset when it writes in the same moment.
. "$(dirname "$0")/lib.sh"
debian curl
llama_server 1
guess "one connection serves both requests"
reuse() { # true|false: is the connection there for a second request a second later?
  python3 - "$port" "$1" <<'P'
import http.client, json, select, sys
c = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]), timeout=300)
body = {"messages": [{"role": "user", "content": "Hello"}], "max_tokens": 2, "stream": sys.argv[2] == "true"}
c.request("POST", "/v1/chat/completions", json.dumps(body), {"Content-Type": "application/json"})
r = c.getresponse()
said = r.getheader("Keep-Alive")
r.read()
closed = not c.sock or (select.select([c.sock], [], [], 1)[0] and c.sock.recv(1) == b"")
print("%s, then %s" % (said, "closed" if closed else "open"))
P
}
is "not streamed" "$(reuse false)" "timeout=5, max=100, then open"
is "streamed" "$(reuse true)" "timeout=5, max=100, then closed"

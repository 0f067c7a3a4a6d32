#!/usr/bin/env bash
# Guess:   a client that opens more HTTP/2 streams than the server's limit, before it has seen that limit, has the surplus refused (REFUSED_STREAM).
# Instead: hypercorn answers one stream too many with GOAWAY(PROTOCOL_ERROR): the connection goes, with all streams that were within the limit.
# So:      wait for the server's SETTINGS before the second request of a connection; until then the limit is unknown.
. "$(dirname "$0")/lib.sh"
pip_install hypercorn==0.18.0 h2==4.4.1
cat >"$dir/app.py" <<'P'
import asyncio
async def app(scope, receive, send):
    if scope["type"] == "http":
        await asyncio.sleep(1)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"ok"})
P
echo 'h2_max_concurrent_streams = 4' >"$dir/conf.toml"
cat >"$dir/t.py" <<'P'
import socket, sys
import h2.config, h2.connection, h2.events, h2.settings
def run(streams):
    s = socket.create_connection(("127.0.0.1", int(sys.argv[1])), timeout=10)
    c = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True, header_encoding="utf-8"))
    c.initiate_connection()
    for i in range(streams):
        c.send_headers(1 + 2 * i, [(":method", "GET"), (":path", "/"), (":scheme", "http"), (":authority", "x")], end_stream=True)
    s.sendall(c.data_to_send())
    ended, reset, away = 0, [], None
    while ended + len(reset) < streams and away is None:
        data = s.recv(65536)
        if not data:
            break
        for e in c.receive_data(data):
            ended += isinstance(e, h2.events.StreamEnded)
            if isinstance(e, h2.events.StreamReset):
                reset.append(e.error_code)
            if isinstance(e, h2.events.ConnectionTerminated):
                away = int(e.error_code)
        s.sendall(c.data_to_send())
    print("%d answered, %d reset, GOAWAY %s" % (ended, len(reset), away))
run(4)
run(5)
P
port=$(free_port)
(cd "$dir" && exec py/bin/hypercorn -c conf.toml -b "127.0.0.1:$port" app:app) >"$dir/log" 2>&1 &
started+=($!)
wait_port "$port"
guess "5 streams at a limit of 4: 4 answered, 1 reset, no GOAWAY"
mapfile -t out < <("$dir/py/bin/python" "$dir/t.py" "$port")
is "4 streams in the first flight" "${out[0]}" "4 answered, 0 reset, GOAWAY None"
is "5 streams in the first flight" "${out[1]}" "0 answered, 0 reset, GOAWAY 1"

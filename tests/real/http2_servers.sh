#!/usr/bin/env bash
# HTTP/2 over TLS through real servers: http2_servers.sh BIN_DIR. Each of those that are installed (nginx, haproxy, h2o, apache2, nghttpx, caddy) stands before
# the simulator on loopback; hypercorn, node and Go answer themselves. A row says what came of 1,000 requests. Fails when one of them failed, or when there are
# more than twice as many connections as the server needs. hypercorn: pip install hypercorn, in a venv whose bin is in PATH.
. "$(dirname "$0")/../scenario/lib.sh"
make_ca ca; make_cert ca server
cat "$TMP/server.crt" "$TMP/server.key" >"$TMP/both.pem"
sim --ttft 20ms --tpot 5ms
C=$TMP/server.crt K=$TMP/server.key
port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
# front NAME PROGRAM ARGUMENTS…: starts it; $P is its port
start() {
    local name=$1; shift
    command -v "$1" >/dev/null || { printf '%-28s not installed\n' "$name"; return 1; }
    (cd "$TMP" && exec "$@") >"$TMP/front.log" 2>&1 &
    FRONT=$!; STARTED+=("$FRONT")
    wait_until 10 bash -c "exec 3<>/dev/tcp/127.0.0.1/$P" || { fail "$name does not listen"; tail -5 "$TMP/front.log"; return 1; }
}
counter() { sqlite3 "$OUT/run.sqlite" "SELECT coalesce(sum(value), 0) FROM stage_counter WHERE agent = -1 AND counter = '$1'"; }
row() { # NAME MOST-CONNECTIONS [HTTP=2]
    plan "target: {url: \"https://127.0.0.1:$P/v1/chat/completions\", model: sim, http: \"${3:-2}\", streams_per_connection: 25, tls: {ca_file: $TMP/ca.crt}}" \
        'workload: {synthetic: {input_tokens: 16, output_tokens: 16}}' 'load: {concurrency: [50], requests: 1000}'
    plateau_run --local 1
    printf '%-28s %-5s ok %-6s failed %-24s connections %-4s sent again %s\n' "$1" "${3:-2}" "$(counter ok)" "$(jq -c '.points[0].ledger.failed' "$OUT/summary.json" 2>/dev/null)" \
        "$(counter connections)" "$(counter not_processed)"
    [ "$(jq '[.points[0].ledger | .ok > 0 and .ok == .due] | all' "$OUT/summary.json" 2>/dev/null)" = true ] || { fail "$1: requests failed"; tail -3 "$TMP/err.log"; }
    [ "$(counter connections)" -le "$2" ] || fail "$1: $(counter connections) connections, at most $2 are needed"
    jq -r '.events[] | select(.kind == "connections" or .kind == "request_failed") | "    " + .text' "$OUT/summary.json" 2>/dev/null
    kill "$FRONT" 2>/dev/null; wait "$FRONT" 2>/dev/null
}
nginx_conf() {
    P=$(port); mkdir -p "$TMP/ng"
    echo "daemon off; pid $TMP/ng/pid; error_log $TMP/ng/err; events {} http { access_log off; client_body_temp_path $TMP/ng; proxy_temp_path $TMP/ng; fastcgi_temp_path $TMP/ng; uwsgi_temp_path $TMP/ng; scgi_temp_path $TMP/ng; $1
      server { listen 127.0.0.1:$P ssl http2; ssl_certificate $C; ssl_certificate_key $K; location / { proxy_pass http://127.0.0.1:$SIM_PORT; proxy_buffering off; proxy_http_version 1.1; } } }" >"$TMP/nginx.conf"
}
nginx_conf ''; start nginx nginx -c "$TMP/nginx.conf" && row nginx 4
nginx_conf 'keepalive_requests 20;'; start 'nginx, 20 requests' nginx -c "$TMP/nginx.conf" && row 'nginx, 20 requests' 100
nginx_conf 'http2_max_concurrent_streams 10;'; start 'nginx, 10 streams' nginx -c "$TMP/nginx.conf" && row 'nginx, 10 streams' 10
P=$(port)
cat >"$TMP/haproxy.cfg" <<END
defaults
  mode http
  timeout connect 5s
  timeout client 30s
  timeout server 30s
frontend f
  bind 127.0.0.1:$P ssl crt $TMP/both.pem alpn h2,http/1.1
  default_backend b
backend b
  server s 127.0.0.1:$SIM_PORT
END
start haproxy haproxy -db -f "$TMP/haproxy.cfg" && row haproxy 4
P=$(port)
printf 'listen: {host: 127.0.0.1, port: %s, ssl: {certificate-file: %s, key-file: %s}}\nhosts: {default: {paths: {"/": {proxy.reverse.url: "http://127.0.0.1:%s/"}}}}\nuser: root\n' "$P" "$C" "$K" "$SIM_PORT" >"$TMP/h2o.conf"
start h2o h2o -c "$TMP/h2o.conf" && row h2o 4
P=$(port); start nghttpx nghttpx --conf=/dev/null -f "127.0.0.1,$P" -b "127.0.0.1,$SIM_PORT" --workers=1 "$K" "$C" && row nghttpx 4
P=$(port)
cat >"$TMP/apache.conf" <<END
ServerRoot $TMP
PidFile $TMP/apache.pid
ErrorLog $TMP/apache.log
ServerName localhost
Listen 127.0.0.1:$P
LoadModule mpm_event_module /usr/lib/apache2/modules/mod_mpm_event.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
LoadModule ssl_module /usr/lib/apache2/modules/mod_ssl.so
LoadModule http2_module /usr/lib/apache2/modules/mod_http2.so
LoadModule proxy_module /usr/lib/apache2/modules/mod_proxy.so
LoadModule proxy_http_module /usr/lib/apache2/modules/mod_proxy_http.so
Protocols h2 http/1.1
SSLEngine on
SSLCertificateFile $C
SSLCertificateKeyFile $K
ProxyPass / http://127.0.0.1:$SIM_PORT/ flushpackets=on
END
start apache2 apache2 -X -f "$TMP/apache.conf" && row apache2 40
P=$(port)
printf '{\n auto_https off\n admin off\n}\nhttps://127.0.0.1:%s {\n tls %s %s\n reverse_proxy 127.0.0.1:%s {\n  flush_interval -1\n }\n}\n' "$P" "$C" "$K" "$SIM_PORT" >"$TMP/Caddyfile"
start caddy env HOME="$TMP" caddy run --config "$TMP/Caddyfile" --adapter caddyfile && row caddy 4
P=$(port); start 'nghttpx, server chooses' nghttpx --conf=/dev/null -f "127.0.0.1,$P" -b "127.0.0.1,$SIM_PORT" --workers=1 "$K" "$C" && row 'nghttpx, server chooses' 4 auto
P=$(port)
cat >"$TMP/app.py" <<'END'
import asyncio
EVENT = b'data: {"choices":[{"index":0,"delta":{"content":"a"}}]}\n\n'
async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]})
    for _ in range(16):
        await asyncio.sleep(0.005)
        await send({"type": "http.response.body", "body": EVENT, "more_body": True})
    await send({"type": "http.response.body", "body": b"data: [DONE]\n\n"})
END
start hypercorn hypercorn --certfile "$C" --keyfile "$K" -b "127.0.0.1:$P" app:app && row hypercorn 10
P=$(port)
cat >"$TMP/app.js" <<'END'
const http2 = require("http2"), fs = require("fs"), [port, cert, key] = process.argv.slice(2);
http2.createSecureServer({cert: fs.readFileSync(cert), key: fs.readFileSync(key)}, (req, res) => {
  req.resume().on("end", () => {
    res.writeHead(200, {"content-type": "text/event-stream"});
    let n = 0;
    const timer = setInterval(() => {
      if (n++ < 16) return res.write('data: {"choices":[{"index":0,"delta":{"content":"a"}}]}\n\n');
      clearInterval(timer);
      res.end("data: [DONE]\n\n");
    }, 5);
  });
}).listen(Number(port), "127.0.0.1");
END
start node node "$TMP/app.js" "$P" "$C" "$K" && row node 4
P=$(port)
mkdir -p "$TMP/go"
cat >"$TMP/go/main.go" <<'END'
package main

import (
	"io"
	"net/http"
	"os"
	"time"
)

func main() {
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "text/event-stream")
		for i := 0; i < 16; i++ {
			time.Sleep(5 * time.Millisecond)
			io.WriteString(w, "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"}}]}\n\n")
			w.(http.Flusher).Flush()
		}
		io.WriteString(w, "data: [DONE]\n\n")
	})
	panic(http.ListenAndServeTLS(os.Args[1], os.Args[2], os.Args[3], nil))
}
END
if command -v go >/dev/null && (cd "$TMP/go" && GO111MODULE=off GOFLAGS= go build -o server main.go) 2>"$TMP/go.log"; then
    start 'Go net/http' "$TMP/go/server" "127.0.0.1:$P" "$C" "$K" && row 'Go net/http' 4
else
    printf '%-28s not installed\n' 'Go net/http'
fi
finish

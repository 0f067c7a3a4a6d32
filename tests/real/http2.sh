#!/usr/bin/env bash
# HTTP/2 over TLS through real servers: http2.sh BIN_DIR. Each of those that are installed (nginx, haproxy, h2o, apache2, nghttpx, caddy) stands before the
# simulator on loopback; a row says what came of the requests. Fails when one of them failed.
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
row() { # NAME [HTTP=2]
    plan "target: {url: \"https://127.0.0.1:$P/v1/chat/completions\", model: sim, http: \"${2:-2}\", streams_per_connection: 25, tls: {ca_file: $TMP/ca.crt}}" \
        'workload: {synthetic: {input_tokens: 16, output_tokens: 16}}' 'load: {concurrency: [50], duration: 3s, warmup: 500ms}'
    plateau_run --local 1
    printf '%-28s %-5s ok %-6s failed %-24s connections %-4s sent again %s\n' "$1" "${2:-2}" "$(counter ok)" "$(jq -c '.points[0].ledger.failed' "$OUT/summary.json" 2>/dev/null)" \
        "$(counter connections)" "$(counter not_processed)"
    [ "$(jq '[.points[0].ledger | .ok > 0 and .ok == .due] | all' "$OUT/summary.json" 2>/dev/null)" = true ] || { fail "$1: requests failed"; tail -3 "$TMP/err.log"; }
    grep -o 'the target allows.*' "$TMP/err.log" | head -1
    kill "$FRONT" 2>/dev/null; wait "$FRONT" 2>/dev/null
}
nginx_conf() {
    P=$(port); mkdir -p "$TMP/ng"
    echo "daemon off; pid $TMP/ng/pid; error_log $TMP/ng/err; events {} http { access_log off; client_body_temp_path $TMP/ng; proxy_temp_path $TMP/ng; fastcgi_temp_path $TMP/ng; uwsgi_temp_path $TMP/ng; scgi_temp_path $TMP/ng; $1
      server { listen 127.0.0.1:$P ssl http2; ssl_certificate $C; ssl_certificate_key $K; location / { proxy_pass http://127.0.0.1:$SIM_PORT; proxy_buffering off; proxy_http_version 1.1; } } }" >"$TMP/nginx.conf"
}
nginx_conf ''; start nginx nginx -c "$TMP/nginx.conf" && row nginx
nginx_conf 'keepalive_requests 20;'; start 'nginx, 20 requests' nginx -c "$TMP/nginx.conf" && row 'nginx, 20 requests'
nginx_conf 'http2_max_concurrent_streams 10;'; start 'nginx, 10 streams' nginx -c "$TMP/nginx.conf" && row 'nginx, 10 streams'
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
start haproxy haproxy -db -f "$TMP/haproxy.cfg" && row haproxy
P=$(port)
printf 'listen: {host: 127.0.0.1, port: %s, ssl: {certificate-file: %s, key-file: %s}}\nhosts: {default: {paths: {"/": {proxy.reverse.url: "http://127.0.0.1:%s/"}}}}\nuser: root\n' "$P" "$C" "$K" "$SIM_PORT" >"$TMP/h2o.conf"
start h2o h2o -c "$TMP/h2o.conf" && row h2o
P=$(port); start nghttpx nghttpx --conf=/dev/null -f "127.0.0.1,$P" -b "127.0.0.1,$SIM_PORT" --workers=1 "$K" "$C" && row nghttpx
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
start apache2 apache2 -X -f "$TMP/apache.conf" && row apache2
P=$(port)
printf '{\n auto_https off\n admin off\n}\nhttps://127.0.0.1:%s {\n tls %s %s\n reverse_proxy 127.0.0.1:%s {\n  flush_interval -1\n }\n}\n' "$P" "$C" "$K" "$SIM_PORT" >"$TMP/Caddyfile"
start caddy env HOME="$TMP" caddy run --config "$TMP/Caddyfile" --adapter caddyfile && row caddy
P=$(port); start 'nghttpx, server chooses' nghttpx --conf=/dev/null -f "127.0.0.1,$P" -b "127.0.0.1,$SIM_PORT" --workers=1 "$K" "$C" && row 'nghttpx, server chooses' auto
finish

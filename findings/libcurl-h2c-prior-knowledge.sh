#!/usr/bin/env bash
# Guess:   libcurl with CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE uses one cleartext HTTP/2 connection for many requests, as it does over TLS.
# Instead: Debian 12's libcurl 7.88.1 answers the first request of a connection; each further one fails with "Error in the HTTP2 framing layer" (16), one
#          after the other and at the same time. Only transfers made with a connection of their own succeed.
# So:      an h2c client on Debian 12 needs CURLOPT_FRESH_CONNECT, another libcurl, or nghttp2 of its own.
. "$(dirname "$0")/lib.sh"
debian nginx-light curl
port=$(free_port)
mkdir "$dir/n"
echo "daemon off; pid $dir/n/pid; error_log $dir/n/log; events {} http { access_log off; client_body_temp_path $dir/n; proxy_temp_path $dir/n; fastcgi_temp_path $dir/n; uwsgi_temp_path $dir/n; scgi_temp_path $dir/n; server { listen 127.0.0.1:$port http2; location / { return 200; } } }" >"$dir/nginx.conf"
background "$dir/nginx.log" nginx -c "$dir/nginx.conf"
wait_port "$port"
seen "$(curl --version | grep -o 'libcurl/[0-9.]*')"
guess "status 200 three times on one connection"
is "one after the other" "$(curl -s --http2-prior-knowledge "http://127.0.0.1:$port/[1-3]" -o /dev/null -w '%{http_code} %{exitcode};' || true)" "200 0;000 16;000 16;"
is "at the same time: how many of six succeed" "$(curl -s -Z --http2-prior-knowledge "http://127.0.0.1:$port/[1-6]" -o /dev/null -w '%{http_code}\n' 2>/dev/null | grep -c 200 || true)" 1
is "in three processes" "$(for _ in 1 2 3; do curl -s --http2-prior-knowledge "http://127.0.0.1:$port/" -o /dev/null -w '%{http_code};'; done)" "200;200;200;"

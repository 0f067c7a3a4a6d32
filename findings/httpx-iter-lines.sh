#!/usr/bin/env bash
# Guess:   httpx's iter_lines (and that of requests with decode_unicode) ends a line at CR and LF, as server-sent events do.
# Instead: they also end it at U+2028, U+0085 and other characters that str.splitlines knows. JSON may hold these unescaped, so a token that is one cuts its
#          event in two lines, and neither is JSON. httpx-sse and requests' bytes are right. GuideLLM 0.8.1 reads its streams by this
#          call: an answer with such a token is a failed request there.
# So:      split bytes at CR and LF, and decode afterwards.
. "$(dirname "$0")/lib.sh"
pip_install httpx==0.28.1 httpx-sse==0.4.3 requests==2.34.2
cat >"$dir/t.py" <<'P'
import http.server, json, threading
import httpx, httpx_sse, requests
TOKENS = ["one", "\u2028", "\u0085", "two"]
class Server(http.server.BaseHTTPRequestHandler):
    def log_message(self, *a):
        pass
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream; charset=utf-8")
        self.end_headers()
        for t in TOKENS:
            self.wfile.write(("data: %s\n\n" % json.dumps({"token": t}, ensure_ascii=False)).encode())
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
threading.Thread(target=server.serve_forever, daemon=True).start()
url = "http://127.0.0.1:%d/" % server.server_port
def count(lines):
    whole = broken = 0
    for line in filter(None, lines):
        try:
            json.loads(line.removeprefix("data: "))
            whole += 1
        except ValueError:
            broken += 1
    return "%d whole, %d broken" % (whole, broken)
with httpx.stream("GET", url) as r:
    print(count(r.iter_lines()))
print(count(requests.get(url, stream=True).iter_lines(decode_unicode=True)))
print(count(line.decode() for line in requests.get(url, stream=True).iter_lines()))
with httpx.Client() as c, httpx_sse.connect_sse(c, "GET", url) as events:
    print([json.loads(e.data)["token"] for e in events.iter_sse()] == TOKENS)
P
guess "4 whole, 0 broken, everywhere"
mapfile -t out < <("$dir/py/bin/python" "$dir/t.py")
is "httpx iter_lines" "${out[0]}" "2 whole, 4 broken"
is "requests iter_lines, decode_unicode" "${out[1]}" "2 whole, 4 broken"
is "requests iter_lines, bytes" "${out[2]}" "4 whole, 0 broken"
is "httpx-sse has all four" "${out[3]}" True

"""An endpoint that gives secrets away: it notes whether the key came, and echoes all headers of a request back in every way that a body can be
read: canary_server.py PORT-FILE SEEN-FILE. Paths: /ok (a stream), /401, /500, /html, /error (an error object in a stream), /garbage, /cut."""
import http.server, json, os, socketserver, sys


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        echo = " ".join("%s: %s" % h for h in self.headers.items())
        with open(sys.argv[2], "a") as f:
            f.write(self.path + " " + echo + "\n")
        kind = self.path.split("/")[1]
        token = lambda text: "data: " + json.dumps({"choices": [{"index": 0, "delta": {"content": text}}]}) + "\n\n"
        done = "data: " + json.dumps({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}) + "\n\ndata: [DONE]\n\n"
        status, form, body = 200, "text/event-stream", {
            "ok": token(echo) + token(echo) + done,
            "error": token("x") + "data: " + json.dumps({"error": {"message": "bad key: " + echo}}) + "\n\n" + done,
            "garbage": token("x") + "data: {" + echo + "\n\n" + done,
            "cut": token(echo),
        }.get(kind, "")
        if kind in ("401", "500"):
            status, form, body = int(kind), "application/json", json.dumps({"error": {"message": "not with " + echo}})
        if kind == "html":
            form, body = "text/html", "<html>" + echo + "</html>"
        self.send_response(status, "because of " + echo)
        self.send_header("Content-Type", form)
        self.send_header("X-Echo", echo)
        self.send_header("Content-Length", str(len(body.encode())))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *args):
        pass


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True


server = Server(("127.0.0.1", 0), Handler)
with open(sys.argv[1] + ".tmp", "w") as f:
    f.write(str(server.server_address[1]))
os.rename(sys.argv[1] + ".tmp", sys.argv[1])
server.serve_forever()

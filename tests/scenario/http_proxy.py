"""A small HTTP proxy for scenarios: http_proxy.py LOG [--login USER:PASSWORD] [MODE].

CONNECT makes a tunnel, a request for a whole URL is passed on. Each request is a line of LOG: the method, the target, whether it came with a login. MODE says
how it fails instead: "status:502:TEXT" (every request), "late:N:502:TEXT" (after N requests), "late:N:hang", "hang" (takes connections and says nothing), "close" (closes them), "ssh" (speaks something else),
"cut" (the tunnel breaks after 2 kB from the server).
"""
import base64, itertools, socket, sys, threading
from urllib.parse import urlsplit
import listener
from listener import relay

log_file, rest = sys.argv[1], sys.argv[2:]
LOGIN = rest[rest.index("--login") + 1] if "--login" in rest else None
MODE = next((r for i, r in enumerate(rest) if r != "--login" and (i == 0 or rest[i - 1] != "--login")), "")
lock = threading.Lock()
count = itertools.count()


def note(words):
    with lock, open(log_file, "a") as f:
        f.write(words + "\n")


def head_of(sock):
    data = b""
    while b"\r\n\r\n" not in data:
        got = sock.recv(65536)
        if not got:
            return None, b""
        data += got
    head, _, more = data.partition(b"\r\n\r\n")
    return head.decode("latin-1").split("\r\n"), more


def answer(client, status, reason, body, more=""):
    client.sendall(f"HTTP/1.1 {status} {reason}\r\n{more}Content-Type: text/html\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n{body}".encode())


def serve(client):
    lines, more = head_of(client)
    while lines:
        method, target = lines[0].split(" ")[:2]
        headers = {k.strip().lower(): v.strip() for k, _, v in (l.partition(":") for l in lines[1:])}
        login = headers.get("proxy-authorization")
        note(f"{method} {target} {'login' if login else '-'} host={headers.get('host')}")
        mode = MODE
        if mode.startswith("late:"):
            _, n, then = mode.split(":", 2)
            mode = (then if then == "hang" else "status:" + then) if next(count) >= int(n) else ""
        if mode == "hang":
            return threading.Event().wait(60)
        if mode.startswith("status:"):
            _, status, text = mode.split(":", 2)
            return answer(client, int(status), "No Way", f"<html><head><title>{text} {login or ''}</title></head></html>")
        if LOGIN and login != "Basic " + base64.b64encode(LOGIN.encode()).decode():
            return answer(client, 407, "Proxy Authentication Required", "<html><title>Access denied</title></html>", 'Proxy-Authenticate: Basic realm="lab"\r\n')
        if method == "CONNECT":
            host, _, port = target.rpartition(":")
            try:
                server = socket.create_connection((host.strip("[]"), int(port)), 10)
            except OSError as why:
                return answer(client, 502, "Bad Gateway", f"cannot reach {target}: {why.strerror}")
            client.sendall(b"HTTP/1.1 200 Connection established\r\nVia: 1.1 test\r\n\r\n")
            if more:
                server.sendall(more)
            threading.Thread(target=relay, args=(client, server), daemon=True).start()
            return relay(server, client, 2048 if MODE == "cut" else None)
        u = urlsplit(target)
        if not u.netloc:
            return answer(client, 400, "Bad Request", "a proxy wants the whole URL")
        while len(more) < int(headers.get("content-length", 0)):
            more += client.recv(65536)
        server = socket.create_connection((u.hostname, u.port or 80), 10)
        path = u.path + ("?" + u.query if u.query else "")
        passed = [f"{method} {path} HTTP/1.1"] + [l for l in lines[1:] if not l.lower().startswith(("proxy-", "connection:"))] + ["Connection: close"]
        server.sendall("\r\n".join(passed).encode("latin-1") + b"\r\n\r\n" + more)
        return relay(server, client)


def guest(client):
    client.settimeout(120)
    try:
        if MODE == "hang":
            client.recv(1)
            threading.Event().wait(60)
        elif MODE == "ssh":
            client.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")
            client.recv(1)
        elif MODE != "close":
            serve(client)
    except OSError:
        pass
    finally:
        client.close()


listener.run(guest)

"""Servers that answer in odd but real ways, one a path, for scenario/odd_servers. A request's answer: a first token after 20 ms, the others 3 ms apart.
odd_servers.py SOCKET: also at that Unix socket. Prints its port; ends when its input does."""
import itertools
import json
import socket
import sys
import threading
import time

import listener

CHUNKED = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
CACHED = CHUNKED[:-2] + b"CF-AIG-Cache-Status: HIT\r\n\r\n"
BARE = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
OLD = b"HTTP/1.0 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"


def event(o):
    return b"data: " + (o if isinstance(o, str) else json.dumps(o)).encode() + b"\n\n"


def token(finish=None, text="word "):
    return event({"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": finish}]})


def usage(n, more=None):
    return event({"choices": [], "usage": {"prompt_tokens": 16, "completion_tokens": n, "total_tokens": n + 16, **(more or {})}})


def chunk(b):
    return b"%x\r\n%s\r\n" % (len(b), b)


def tokens(n):
    return [token() for _ in range(n - 1)] + [token("stop")]


def stream(events, head=CHUNKED, before_end=0.0, before_close=0.0):
    """Pieces of (seconds, bytes). before_end: between the last event but one and the last one; before_close: after it."""
    put = chunk if head is CHUNKED else bytes
    pieces = [(0.02, head)] + [(0.003, put(e)) for e in events]
    pieces[-1] = (before_end, pieces[-1][1])
    return pieces + ([(before_close, b"0\r\n\r\n")] if head is CHUNKED else [])


def whole(status, kind, body, *headers, before=0.002):
    head = [f"HTTP/1.1 {status}", f"Content-Type: {kind}", f"Content-Length: {len(body)}", *headers]
    return [(before, ("\r\n".join(head) + "\r\n\r\n" + body).encode())]


def good(n, **how):
    return stream(tokens(n) + [usage(n), event("[DONE]")], **how)


BEGAN = {}


def pause(start, end):
    """Seconds until `end` after the first call, where that lies between `start` and `end` back: the server stands still."""
    since = time.monotonic() - BEGAN.setdefault("at", time.monotonic())
    return end - since if start < since < end else 0


TURN = itertools.count()
USED = itertools.count()
FIRST = itertools.count()
# path: (answer to a request for n tokens, the connection ends with it)
PLACES = {
    "/good": (good, False),
    "/slowly": (good, False),
    "/old": (lambda n: good(n, head=OLD), True),
    "/bare": (lambda n: good(n, head=BARE), True),
    "/cut": (lambda n: stream([token(), b'data: {"choices":[{"delta":{"content":"hel\n\n', event("[DONE]")]), False),
    "/page": (lambda n: stream([token(), token(), b"<html>\r\n<title>502 Bad Gateway</title>\r\n<p>CANARY-KEY</p>\r\n"]), False),
    "/word": (lambda n: stream([token(), token(), b"upstream connect error: no healthy upstream"]), False),
    "/cutbody": (lambda n: whole("200 OK", "application/json", '{"choices": [{"message": {"content": "hel'), False),
    "/proxy": (lambda n: whole("407 Proxy Authentication Required", "text/plain", "login", 'Proxy-Authenticate: Basic realm="x"'), False),
    "/details": (lambda n: stream([event({"choices": [{"index": 0, "delta": {"reasoning_details": [{"type": "reasoning.text", "text": "hm "}]}}]}) for _ in range(n - 1)]
                                  + [token("stop"), usage(n), event("[DONE]")]), False),
    "/atonce": (lambda n: whole("200 OK", "text/event-stream", "".join(map(bytes.decode, tokens(n) + [usage(n), event("[DONE]")])), before=0.1), False),
    "/oneevent": (lambda n: stream([token("stop", "word " * n), usage(n), event("[DONE]")]), False),
    "/fours": (lambda n: stream([token(None, "four words and more ") for _ in range(n)] + [token("stop"), usage(4 * n + 4), event("[DONE]")]), False),
    "/million": (lambda n: stream(tokens(n) + [usage(4294967295), event("[DONE]")]), False),
    "/http2": (lambda n: [(0.01, b"HTTP/2.0 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")], True),
    "/text": (lambda n: whole("200 OK", "text/plain", "upstream connect error or disconnect/reset before headers"), False),
    "/strange": (lambda n: stream(tokens(n) + [event({"ret": -1, "echo": "secret-of-the-plan"}), usage(n), event("[DONE]")]), False),
    "/musing": (lambda n: stream([event({"choices": [{"index": 0, "delta": {"musing": "hm "}}]}) for _ in range(n)] + tokens(2) + [usage(n), event("[DONE]")]), False),
    "/nousage": (lambda n: stream(tokens(n) + [event("[DONE]")]), False),
    "/toomuch": (lambda n: stream(tokens(n) + [usage(20 * n), event("[DONE]")]), False),
    "/noinput": (lambda n: stream(tokens(n) + [usage(n, {"prompt_tokens": 0}), event("[DONE]")]), False),
    "/moderated": (lambda n: stream([token()] * (n - 1) + [token("mod\u001b[2Jerated"), usage(n), event("[DONE]")]), False),
    "/finishlist": (lambda n: stream([token()] * (n - 1) + [token(["length"]), usage(n), event("[DONE]")]), False),
    "/finishnumber": (lambda n: stream([token()] * (n - 1) + [token(1), usage(n), event("[DONE]")]), False),
    "/statuses": (lambda n: whole("503 Service Unavailable", "text/plain", "busy") if next(TURN) % 5 else whole("500 Internal Server Error", "text/plain", "boom"), False),
    "/still": (lambda n: [(pause(1.5, 4.5), b"")] + good(n), False),
    "/held": (lambda n: [(20 if next(FIRST) < 2 else 0, b"")] + good(n), False),
    "/refusing": (lambda n: stream([event({"choices": [{"index": 0, "delta": {"refusal": "no "}, "finish_reason": None}]}) for _ in range(n - 1)]
                                   + [event({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}), usage(n), event("[DONE]")]), False),
    "/negative": (lambda n: stream(tokens(n) + [usage(-n), event("[DONE]")]), False),
    "/zero": (lambda n: stream(tokens(n) + [usage(0), event("[DONE]")]), False),
    "/groq": (lambda n: stream(tokens(n) + [event({"choices": [], "x_groq": {"id": "r", "usage": {"prompt_tokens": 16, "completion_tokens": 3 * n}}}), event("[DONE]")]), False),
    "/gatewaycache": (lambda n: [(0.02, CACHED)] + good(n)[1:] if next(TURN) % 2 else good(n), False),
    "/apart": (lambda n: stream(tokens(n) + [usage(n, {"total_tokens": 16 + n + n // 2, "completion_tokens_details": {"reasoning_tokens": n // 2}}), event("[DONE]")]), False),
    "/beyond": (lambda n: stream(tokens(n) + [usage(n, {"total_tokens": 16 + 5 * n}), event("[DONE]")]), False),
    "/othermodel": (lambda n: stream([event({"model": "cheap-8b", "choices": [{"index": 0, "delta": {"role": "assistant"}}]})] + tokens(n) + [usage(n), event("[DONE]")]), False),
    "/samemodel": (lambda n: stream([event({"model": "org/M-2024-08-06", "choices": [{"index": 0, "delta": {"role": "assistant"}}]})] + tokens(n) + [usage(n), event("[DONE]")]), False),
    "/blank": (lambda n: stream([token(text="") for _ in range(50)] + tokens(n) + [usage(n), event("[DONE]")]), False),
    "/wholenousage": (lambda n: whole("200 OK", "application/json", json.dumps({"choices": [{"message": {"content": "a b c"}, "finish_reason": "stop"}]})), False),
    "/thoughts": (lambda n: whole("200 OK", "application/json", json.dumps({"choices": [{"message": {"content": "", "reasoning_content": "hm"}, "finish_reason": "length"}], "usage": {"prompt_tokens": 16, "completion_tokens": n}})), False),
    "/job": (lambda n: whole("202 Accepted", "application/json", '{"id": "job-7", "status": "queued"}', "Location: /jobs/7"), False),
    "/moved": (lambda n: whole("308 Permanent Redirect", "text/plain", "", "Location: https://elsewhere.example/" + "v1/" * 30 + "chat/completions"), False),
    "/trailer": (lambda n: [(0.02, CHUNKED), (0.003, chunk(token())), (0.003, b"0\r\nX-Stream-Error: engine core died\r\nX-Request-Id: 7\r\n\r\n")], False),
    "/fields": (lambda n: whole("431 Request Header Fields Too Large", "text/plain", ""), False),
    "/both": (lambda n: whole("404 Not Found", "text/plain", "no adapter") if next(TURN) % 2 else whole("400 Bad Request", "text/plain", "too many tokens"), False),
    "/legal": (lambda n: whole("451 Unavailable For Legal Reasons", "text/plain", "not in your country"), False),
    "/comments": (lambda n: [(0.002, CHUNKED)] + [(0.1, chunk(b":\n\n"))] * 40, False),
    "/headers": (lambda n: [(0.002, CHUNKED), (4, b"")], False),
    "/late": (lambda n: good(n, before_end=0.3), False),
    "/used": (lambda n: [] if next(USED) % 2 else good(n), False),
    "/slow504": (lambda n: whole("504 Gateway Timeout", "text/plain", "upstream timed out", before=0.3) if next(TURN) % 5 < 3 else good(n), False),
    "/fast500": (lambda n: whole("500 Internal Server Error", "text/plain", "boom") if next(TURN) % 5 < 3 else good(n), False),
    "/later": (lambda n: whole("429 Too Many Requests", "text/plain", "come back later", "Retry-After: 60"), False),
    "/warming": (lambda n: whole("503 Service Unavailable", "text/plain", "warming up") if next(TURN) % 2 else good(n), False),
    "/open": (lambda n: good(n, before_close=0.3), False),
}


def answer(s, path, n):
    make, ends = PLACES.get(path, (lambda n: whole("404 Not Found", "text/plain", "no"), False))
    pieces = make(n)
    ends |= not pieces
    for seconds, piece in pieces:
        time.sleep(seconds)
        s.sendall(piece)
    if ends:
        s.shutdown(socket.SHUT_WR)
        while s.recv(65536):
            pass
        s.close()
    return ends


def serve(s):
    if s.family != socket.AF_UNIX:
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    data = b""
    while True:
        while b"\r\n\r\n" not in data:
            more = s.recv(65536)
            if not more:
                return s.close()
            data += more
        head, data = data.split(b"\r\n\r\n", 1)
        length = next((int(h.split(b":")[1]) for h in head.split(b"\r\n") if h.lower().startswith(b"content-length:")), 0)
        slowly = head.split()[1] == b"/slowly"
        while len(data) < length:
            if slowly:
                time.sleep(0.002)
            data += s.recv(65536)
        body, data = data[:length], data[length:]
        if answer(s, head.split()[1].decode(), json.loads(body).get("max_tokens") or 8):
            return None


# the same at a Unix socket, which holds little of what nobody has read
local = socket.socket(socket.AF_UNIX)
local.bind(sys.argv[1])
local.listen(16)
threading.Thread(target=listener.accept, args=(local, serve), daemon=True).start()
listener.run(serve)

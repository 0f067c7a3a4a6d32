"""Servers that a plan does not mean, one a path, for scenario/probe: what each answers to a POST. Prints its port; ends when its input does."""
import json
import socket

import listener


def answer(status, kind, body, *more):
    head = [f"HTTP/1.1 {status} X", f"Content-Type: {kind}", f"Content-Length: {len(body)}", "Server: wrong/1", "Connection: close", *more]
    return ("\r\n".join(head) + "\r\n\r\n").encode() + body.encode()


def stream(*events):
    return answer(200, "text/event-stream", "".join(f"data: {e}\n\n" for e in events))


def chunk(text, finish=None):
    return json.dumps({"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": finish}]})


JSON = "application/json"
GOOD = stream(chunk("a"), chunk("b", "stop"), "[DONE]")
PLACES = {
    "/unauthorized": lambda auth: answer(401, JSON, json.dumps({"error": {"message": f"Incorrect API key provided: {auth}."}})),
    "/forbidden": answer(403, JSON, '{"error": {"message": "Your project has no access to this model group."}}'),
    "/bad": answer(400, JSON, '{"error": {"message": "max_tokens is not supported with this model, use max_completion_tokens"}}'),
    "/odd": answer(400, JSON, '{"error": {"message": "The lever is stuck"}}'),
    "/unprocessable": answer(422, JSON, '{"detail": [{"loc": ["body", "stream_options"], "msg": "Extra inputs are not permitted"}]}'),
    "/nomodel": answer(404, JSON, '{"error": {"message": "The model `sim` does not exist.", "code": "model_not_found"}}'),
    "/nomodel500": answer(500, "text/plain", "ValueError: sim is not a valid model: model not found"),
    "/page": answer(200, "text/html", "<!DOCTYPE html><html><title>Sign in</title></html>"),
    "/page404": answer(404, "text/html", "<html><head><title>404 Not Found</title></head></html>"),
    "/whole": answer(200, JSON, '{"choices": [{"message": {"role": "assistant", "content": "hello"}, "finish_reason": "stop"}]}'),
    "/moved": answer(301, "text/html", "", "Location: https://example.com/v1/chat/completions"),
    "/get": answer(405, JSON, '{"detail": "Method Not Allowed"}', "Allow: GET"),
    "/error200": answer(200, JSON, '{"error": {"message": "invalid API key", "code": 401}}'),
    "/limited": answer(429, JSON, '{"error": {"message": "Rate limit reached"}}', "Retry-After: 7", "x-ratelimit-remaining-requests: 0"),
    "/loading": answer(503, JSON, '{"error": {"message": "Loading model", "code": 503}}'),
    "/nodone": stream(chunk("a"), chunk("b", "stop")),
    "/silent": None,
    "/nothing": answer(200, "text/event-stream", ""),
    "/breaks": stream(chunk("a"), '{"error": {"message": "the engine died"}}', "[DONE]"),
    "/gzip": answer(200, "text/event-stream", "xxxx", "Content-Encoding: gzip"),
    "/ssh": b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n",
    "/closes": b"",
    "/empty": stream(chunk("", "stop"), "[DONE]"),
    "/v1/chat/completions": GOOD,
}


def serve(s):
    data = b""
    while b"\r\n\r\n" not in data:
        more = s.recv(65536)
        if not more:
            return s.close()
        data += more
    head = data.split(b"\r\n\r\n")[0].decode()
    place = PLACES.get(head.split()[1], answer(404, JSON, '{"detail": "Not Found"}'))
    auth = next((line.split(" ", 2)[-1] for line in head.splitlines() if line.lower().startswith("authorization:")), "")
    if callable(place):
        place = place(auth)
    if place is None:
        return None
    s.sendall(place)
    s.shutdown(socket.SHUT_WR)
    while s.recv(65536):
        pass
    return s.close()


listener.run(serve)

"""A small endpoint with a prefix cache without a limit: reuse_server.py PORT-FILE LOG [--silent] [--part F] [--template N]. A token is four characters, and the cache a tree of
them: what of a prompt any earlier prompt, or a prompt with its answer, began with. Each request is a line of LOG: tokens of the prompt and those found. --silent: usage names none
of them; --part: only so much of them is found; --template: a template puts so many tokens before each message, and before the answer. GET is a metrics page as vLLM's."""
import asyncio
import json
import sys

port_file, log_file = sys.argv[1:3]
silent = "--silent" in sys.argv
part = float(sys.argv[sys.argv.index("--part") + 1]) if "--part" in sys.argv else 1
template = int(sys.argv[sys.argv.index("--template") + 1]) if "--template" in sys.argv else 0
log = open(log_file, "w", buffering=1)
tree, hits, queries = {}, 0, 0


def tokens(text):
    return [text[i : i + 4] for i in range(0, len(text), 4)]


def opening(role):
    return [f"<{role} {i}>" for i in range(template)]


def keep(sequence):
    """How much of it was there."""
    at, known = tree, 0
    for i, token in enumerate(sequence):
        if known == i and token in at:
            known = i + 1
        at = at.setdefault(token, {})
    return known


async def serve(reader, writer):
    global hits, queries
    try:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            if head.startswith("GET"):
                page = f"vllm:prefix_cache_queries_total {queries}\nvllm:prefix_cache_hits_total {hits}\nvllm:num_requests_running 0\nvllm:num_requests_waiting 0\n".encode()
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: %d\r\n\r\n%s" % (len(page), page))
                await writer.drain()
                continue
            headers = {k.lower(): v for k, v in (line.split(": ", 1) for line in head.split("\r\n")[1:] if line)}
            body = json.loads(await reader.readexactly(int(headers["content-length"])))
            prompt = [t for m in body["messages"] for t in opening(m["role"]) + tokens(m["content"])] + opening("assistant")
            found = keep(prompt)
            cached = int(found * part)
            hits, queries = hits + cached, queries + len(prompt)
            answer = ["a%02d " % (i % 100) for i in range(body.get("max_tokens") or body["max_completion_tokens"])]
            await asyncio.sleep(0.002)
            keep(prompt + answer)
            usage = {"prompt_tokens": len(prompt), "completion_tokens": len(answer), "total_tokens": len(prompt) + len(answer)}
            if not silent:
                usage["prompt_tokens_details"] = {"cached_tokens": cached}
            events = [{"id": "x", "object": "chat.completion.chunk", "choices": [{"index": 0, "delta": {"content": t}, "finish_reason": None}]} for t in answer]
            events += [{"id": "x", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}, {"id": "x", "choices": [], "usage": usage}]
            data = b"".join(b"data: " + json.dumps(e).encode() + b"\n\n" for e in events) + b"data: [DONE]\n\n"
            log.write(json.dumps({"tokens": len(prompt), "found": found}) + "\n")
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: %d\r\n\r\n%s" % (len(data), data))
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    writer.close()


async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", 0, limit=1 << 24)
    open(port_file, "w").write(str(server.sockets[0].getsockname()[1]))
    try:
        await asyncio.wait_for(asyncio.Event().wait(), 250)
    except asyncio.TimeoutError:
        pass


asyncio.run(main())

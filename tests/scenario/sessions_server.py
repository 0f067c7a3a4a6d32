"""A small endpoint that remembers everything: sessions_server.py PORT-FILE LOG [--ttft S] [--fail-every N]. Each request is a line of LOG when its
answer has ended: headers, messages, the client's port, times, the answer. Answers hold what JSON must escape and are cut inside characters."""
import asyncio
import json
import sys
import time

port_file, log_file = sys.argv[1:3]
ttft = float(sys.argv[sys.argv.index("--ttft") + 1]) if "--ttft" in sys.argv else 0.02
fail_every = int(sys.argv[sys.argv.index("--fail-every") + 1]) if "--fail-every" in sys.argv else 0
log = open(log_file, "w", buffering=1)
count = 0


async def serve(reader, writer):
    global count
    port = writer.get_extra_info("peername")[1]
    try:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            lines = head.split("\r\n")
            headers = {k.lower(): v for k, v in (line.split(": ", 1) for line in lines[1:] if line)}
            body = json.loads(await reader.readexactly(int(headers["content-length"])))
            count += 1
            number, began = count, time.monotonic()
            await asyncio.sleep(ttft)
            if fail_every and number % fail_every == 0:
                answer, ended = None, time.monotonic()
                writer.write(b"HTTP/1.1 500 no\r\ncontent-length: 2\r\n\r\n{}")
            else:
                words = [f"{number}", ' "quoted"', " back\\slash", " line\n", "\té", "\U0001f642", " end"]
                answer = "".join(words)
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
                for word in words:
                    event = {"id": "x", "object": "chat.completion.chunk", "choices": [{"index": 0, "delta": {"content": word}, "finish_reason": None}]}
                    await send(writer, event)
                before = 10 * (len(body["messages"]) - 1) # what was said before is in the cache
                usage = {"prompt_tokens": 7 + before, "completion_tokens": len(words), "total_tokens": 7 + before + len(words),
                         "prompt_tokens_details": {"cached_tokens": before}}
                await send(writer, {"id": "x", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
                await send(writer, {"id": "x", "choices": [], "usage": usage})
                data = b"data: [DONE]\n\n"
                ended = time.monotonic() # before the write: a client may read the end before this process runs again
                writer.write(b"%x\r\n%s\r\n0\r\n\r\n" % (len(data), data))
            await writer.drain()
            log.write(json.dumps({"number": number, "port": port, "session": headers.get("x-session-id"), "other": headers.get("x-other"), "messages": body["messages"],
                                  "asked": body.get("max_tokens"), "began": began, "ended": ended, "answer": answer}) + "\n")
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    writer.close()


async def send(writer, event):
    data = b"data: " + json.dumps(event).encode() + b"\n\n"
    for piece in (data[: len(data) // 2], data[len(data) // 2 :]):
        writer.write(b"%x\r\n%s\r\n" % (len(piece), piece))
    await writer.drain()
    await asyncio.sleep(0.001)


async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", 0, limit=1 << 24)
    open(port_file, "w").write(str(server.sockets[0].getsockname()[1]))
    try:
        await asyncio.wait_for(asyncio.Event().wait(), 250)
    except asyncio.TimeoutError:
        pass


asyncio.run(main())

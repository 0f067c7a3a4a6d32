"""slow_handshake.py PORT-FILE TARGET-PORT MS: hands connections on to a port of this machine, but holds the first bytes of each, a TLS handshake's, for MS."""
import asyncio
import os
import sys

port_file, target, hold = sys.argv[1], int(sys.argv[2]), float(sys.argv[3]) / 1e3


async def pump(source, sink, wait):
    try:
        while data := await source.read(65536):
            await asyncio.sleep(wait)
            wait = 0
            sink.write(data)
            await sink.drain()
    except OSError:
        pass
    finally:
        sink.close()


async def serve(reader, writer):
    try:
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1", target)
    except OSError:
        writer.close()
        return
    await asyncio.gather(pump(reader, there_writer, hold), pump(there_reader, writer, 0))


async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", 0, backlog=1024)
    with open(port_file + ".new", "w") as f:
        f.write("%d\n" % server.sockets[0].getsockname()[1])
    os.rename(port_file + ".new", port_file)
    async with server:
        await server.serve_forever()


asyncio.run(main())

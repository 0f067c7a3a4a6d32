"""A port of loopback for the servers of scenarios: each connection in a thread. Prints the port; ends when its input does."""
import socket
import sys
import threading


def guarded(serve, s):
    try:
        serve(s)
    except OSError:
        s.close()


def accept(port, serve):
    while True:
        s, _ = port.accept()
        threading.Thread(target=guarded, args=(serve, s), daemon=True).start()


# passes bytes on until one side ends, or `most` of them have passed; then both are closed
def relay(a, b, most=None):
    passed = 0
    try:
        while got := a.recv(65536):
            if most is not None and passed + len(got) > most:
                b.sendall(got[: most - passed])
                break
            passed += len(got)
            b.sendall(got)
    except OSError:
        pass
    for s in (a, b):
        try:
            s.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


def run(serve):
    port = socket.create_server(("127.0.0.1", 0), backlog=256)
    threading.Thread(target=accept, args=(port, serve), daemon=True).start()
    print(port.getsockname()[1], flush=True)
    sys.stdin.read()

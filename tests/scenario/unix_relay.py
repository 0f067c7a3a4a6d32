"""unix_relay.py PATH PORT: a Unix socket with a queue of one before a port of loopback. Ends when its input does."""
import socket
import sys
import threading
import time


def relay(a, b):
    try:
        while got := a.recv(65536):
            b.sendall(got)
    except OSError:
        pass
    for s in (a, b):
        try:
            s.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


def serve(listener, port):
    while True:
        a = listener.accept()[0]
        b = socket.create_connection(("127.0.0.1", port))
        for pair in ((a, b), (b, a)):
            threading.Thread(target=relay, args=pair, daemon=True).start()
        time.sleep(0.005)


listener = socket.socket(socket.AF_UNIX)
listener.bind(sys.argv[1])
listener.listen(1)
threading.Thread(target=serve, args=(listener, int(sys.argv[2])), daemon=True).start()
sys.stdin.read()

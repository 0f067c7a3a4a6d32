"""unix_relay.py PATH PORT: a Unix socket with a queue of one before a port of loopback. Ends when its input does."""
import socket
import sys
import threading
import time

from listener import relay


def serve(queue, port):
    while True:
        a = queue.accept()[0]
        b = socket.create_connection(("127.0.0.1", port))
        for pair in ((a, b), (b, a)):
            threading.Thread(target=relay, args=pair, daemon=True).start()
        time.sleep(0.005)


queue = socket.socket(socket.AF_UNIX)
queue.bind(sys.argv[1])
queue.listen(1)
threading.Thread(target=serve, args=(queue, int(sys.argv[2])), daemon=True).start()
sys.stdin.read()

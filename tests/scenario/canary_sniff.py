"""Takes down what loopback carries to and from one port: canary_sniff.py PORT FILE. Ends by SIGTERM."""
import signal, socket, sys

port, out = int(sys.argv[1]), open(sys.argv[2], "wb", buffering=0)
signal.signal(signal.SIGTERM, lambda *a: sys.exit(0))
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
s.bind(("lo", 0))
out.write(b"listening\n")
while True:
    frame = s.recv(1 << 17)
    if frame[12:14] != b"\x08\x00" or frame[23] != 6:
        continue
    at = 14 + 4 * (frame[14] & 15)
    if port in (int.from_bytes(frame[at : at + 2], "big"), int.from_bytes(frame[at + 2 : at + 4], "big")):
        out.write(frame[at + 4 * (frame[at + 12] >> 4) :])

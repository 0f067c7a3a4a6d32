"""A stranger at a coordinator's door: dials with the mechanism and keys asked for, says HELLO, prints what happens.
peer_knock.py ENDPOINT null | plain | curve KEYS-FOLDER [absent]  -> prints "silence", or the types of messages that came; then the handshake's events"""
import sys, time, os
import msgpack, zmq
import tables
from zmq.utils.monitor import recv_monitor_message

endpoint, how = sys.argv[1:3]
ctx = zmq.Context()
s = ctx.socket(zmq.DEALER)
s.linger = 0
if how == "plain":
    s.plain_username, s.plain_password = b"admin", b"admin"
if how == "curve":
    folder = sys.argv[3]
    read = lambda name: open(os.path.join(folder, name)).read()
    s.curve_serverkey = read("coordinator.pub").strip().encode()
    if len(sys.argv) > 4:
        s.curve_publickey, s.curve_secretkey = zmq.curve_keypair()
    else:
        lines = dict(line.split() for line in read("agent.key").splitlines())
        s.curve_publickey, s.curve_secretkey = lines["public"].encode(), lines["secret"].encode()
watch = s.get_monitor_socket()
s.connect(endpoint)
hello = [tables.VERSION, 0, tables.FINGERPRINT, "0.1.0", "mallory", "00" * 16, "host", 1, 1, 0.0, 1024, 0, "", "program", 0, 0]
s.send(msgpack.packb(hello))
names, seen, end = [], [], time.time() + 2.5
while time.time() < end:
    if s.poll(50):
        names.append(str(msgpack.unpackb(s.recv(), strict_map_key=False)[1]))
    while watch.poll(0):
        e = recv_monitor_message(watch)["event"]
        for name in ("HANDSHAKE_SUCCEEDED", "HANDSHAKE_FAILED_AUTH", "HANDSHAKE_FAILED_PROTOCOL", "HANDSHAKE_FAILED_NO_DETAIL"):
            if e == getattr(zmq, "EVENT_" + name) and name not in seen:
                seen.append(name)
print("messages " + ",".join(names) if names else "silence", " ".join(seen))

"""name_server.py LOG READY: a name server on 127.0.0.1:53 whose answers depend on the name; each question is a line of LOG, "NAME TYPE". The one on
127.0.0.2:53 hears and never answers.

    good.test    127.0.0.1                     slow.test    the same, after 2 s
    never.test   no answer at all              gone.test    there is no such name
    broken.test  the server has failed         link.test    fe80::1 (AAAA)
    meta.test    169.254.169.254               mapped.test  ::ffff:169.254.169.254 (AAAA)
    mixed.test   127.0.0.1 and 169.254.169.254
    flip.test    127.0.0.1 the first time it is asked, 169.254.169.254 ever after; not to be kept (TTL 0)
"""
import ipaddress
import socket
import struct
import sys
import threading

A, AAAA = 1, 28
ADDRESSES = {
    "good": ["127.0.0.1"],
    "slow": ["127.0.0.1"],
    "meta": ["169.254.169.254"],
    "link": ["fe80::1"],
    "mapped": ["::ffff:169.254.169.254"],
    "mixed": ["127.0.0.1", "169.254.169.254"],
    "flip": ["127.0.0.1"],
}
NO_SUCH_NAME, SERVER_FAILED = 3, 2


def question(packet):
    """(name, type, the question's bytes)"""
    labels, at = [], 12
    while packet[at]:
        labels.append(packet[at + 1:at + 1 + packet[at]].decode())
        at += 1 + packet[at]
    return ".".join(labels).lower(), struct.unpack_from("!H", packet, at + 1)[0], packet[12:at + 5]


def answer(packet, asked, rcode, addresses):
    body = b"".join(b"\xc0\x0c" + struct.pack("!HHIH", AAAA if a.version == 6 else A, 1, 0, len(a.packed)) + a.packed for a in addresses)
    return packet[:2] + struct.pack("!HHHHH", 0x8580 | rcode, 1, len(addresses), 0, 0) + asked + body


def main():
    log = open(sys.argv[1], "w", buffering=1)
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind(("127.0.0.1", 53))
    mute = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    mute.bind(("127.0.0.2", 53))
    open(sys.argv[2], "w").write("ready")
    flipped = False
    while True:
        packet, peer = s.recvfrom(512)
        name, kind, asked = question(packet)
        log.write("%s %s\n" % (name, {A: "A", AAAA: "AAAA"}.get(kind, kind)))
        first, _, rest = name.partition(".")
        if rest != "test" or first == "gone" or first not in [*ADDRESSES, "never", "broken"]:
            s.sendto(answer(packet, asked, NO_SUCH_NAME, []), peer)
            continue
        if first == "never":
            continue
        if first == "broken":
            s.sendto(answer(packet, asked, SERVER_FAILED, []), peer)
            continue
        found = ["169.254.169.254"] if first == "flip" and flipped else ADDRESSES[first]
        flipped |= first == "flip" and kind == A
        found = [a for a in map(ipaddress.ip_address, found) if a.version == (6 if kind == AAAA else 4)]
        threading.Timer(2 if first == "slow" else 0, s.sendto, (answer(packet, asked, 0, found), peer)).start()


main()

"""wire.py NS-A ADDR-A NS-B ADDR-B FIFO: a cable between two network namespaces that can be made bad: two TUN devices, and this process between them.
Packets from A go "down", those from B "up". Lines written to the FIFO, each an order for both directions:

    delay MS JITTER-MS | loss SHARE | rate BITS-PER-SECOND | drop up|down|both|none | clear

Packets keep their order. A slow cable keeps at most two seconds of packets. tc's netem would do the same where the kernel has it."""
import ctypes
import fcntl
import heapq
import os
import random
import select
import struct
import subprocess
import sys
import time

CLONE_NEWNET, TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x40000000, 0x400454CA, 1, 0x1000
libc = ctypes.CDLL(None, use_errno=True)
home = os.open("/proc/self/ns/net", os.O_RDONLY)


def end_of_cable(ns, name, addr, peer):
    """A TUN device in the namespace; its descriptor works from anywhere."""
    fd = os.open("/run/netns/" + ns, os.O_RDONLY)
    if libc.setns(fd, CLONE_NEWNET):
        sys.exit("setns %s: %s" % (ns, os.strerror(ctypes.get_errno())))
    os.close(fd)
    tun = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(tun, TUNSETIFF, struct.pack("16sH", name.encode(), IFF_TUN | IFF_NO_PI))
    subprocess.check_call(["ip", "address", "add", addr, "peer", peer, "dev", name])
    subprocess.check_call(["ip", "link", "set", name, "up"])
    libc.setns(home, CLONE_NEWNET)
    return tun


class Way:
    def __init__(self, name, source, sink):
        self.name, self.source, self.sink = name, source, sink
        self.queue, self.count, self.last, self.free = [], 0, 0.0, 0.0
        self.delay = self.jitter = self.loss = self.rate = 0.0
        self.dropping = False

    def take(self, now):
        try:
            packet = os.read(self.source, 65536)
        except BlockingIOError:
            return
        if self.dropping or (self.loss and random.random() < self.loss):
            return
        at = now
        if self.rate:
            self.free = max(self.free, now) + len(packet) * 8 / self.rate
            if self.free - now > 2:
                self.free -= len(packet) * 8 / self.rate
                return
            at = self.free
        at = self.last = max(self.last, at + max(0.0, self.delay + random.uniform(-self.jitter, self.jitter)))
        self.count += 1
        heapq.heappush(self.queue, (at, self.count, packet))

    def give(self, now):
        while self.queue and self.queue[0][0] <= now:
            packet = heapq.heappop(self.queue)[2]
            if self.dropping:
                continue
            try:
                os.write(self.sink, packet)
            except OSError:
                pass


def obey(line, ways):
    word, *rest = line.split()
    for w in ways:
        if word == "delay":
            w.delay, w.jitter = float(rest[0]) / 1e3, float(rest[1]) / 1e3
        elif word == "loss":
            w.loss = float(rest[0])
        elif word == "rate":
            w.rate = float(rest[0])
        elif word == "drop":
            w.dropping = rest[0] in (w.name, "both")
        elif word == "clear":
            w.delay = w.jitter = w.loss = w.rate = 0.0
            w.dropping = False


def main():
    ns_a, addr_a, ns_b, addr_b, fifo = sys.argv[1:]
    name = "w%d" % os.getpid()
    a, b = end_of_cable(ns_a, name, addr_a, addr_b), end_of_cable(ns_b, name, addr_b, addr_a)
    random.seed(1)
    orders = os.open(fifo, os.O_RDWR | os.O_NONBLOCK)
    ways = [Way("down", a, b), Way("up", b, a)]
    print("ready", flush=True)
    while True:
        now = time.monotonic()
        due = [w.queue[0][0] for w in ways if w.queue]
        ready = select.select([a, b, orders], [], [], max(0.0, min(due) - now) if due else 1.0)[0]
        now = time.monotonic()
        if orders in ready:
            for line in os.read(orders, 4096).decode().splitlines():
                obey(line, ways)
        for w in ways:
            if w.source in ready:
                w.take(now)
            w.give(now)


main()

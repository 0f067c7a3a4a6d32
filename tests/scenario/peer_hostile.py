"""A peer with a valid key that does not play by the rules: peer_hostile.py ENDPOINT KEYS-FOLDER NAME ATTACK [FILE]
An attack of MEMBER joins, takes its part in a stage, and then sends what cannot be; one of STRANGER says no HELLO, or joins too late for the
stage: it is connected at once, says so, and waits for FILE before it speaks. Prints what it was answered, ends when it is refused or the run is over."""
import os, random, sys, time
import msgpack, zmq
import tables
from zmq.utils.monitor import recv_monitor_message

endpoint, folder, name, attack = sys.argv[1:5]
HELLO, WELCOME, REFUSE, CLOCK, CLOCK_ECHO, PLAN, PLAN_OK, ARM, READY, GO, SNAPSHOT, ACK, DONE, HEARTBEAT, STOP, BYE = range(16)
S = 10**9
COUNTERS = [ident.lower() for ident, _ in tables.COUNTERS]


def counters(**values):
    return [values.get(c, 0) for c in COUNTERS]


def snapshot(c, hists=b"\x90", span=(0, S), numbers=7 * [0], addresses=[]):
    """[fingerprint, from, to, 7 numbers, [counters], [addresses], [failures], [remarks], [rows of requests], [groups], [metric, bytes …]]"""
    head = msgpack.packb([tables.FINGERPRINT, *span, *numbers, c, addresses, [], [], [], [], 0])
    return head[:-1] + hists  # the last 0 stands for the histograms


def hist(data):
    return msgpack.packb([0, data], use_bin_type=True)


class Peer:
    def __init__(self):
        self.socket = zmq.Context.instance().socket(zmq.DEALER)
        self.socket.linger = 500
        if folder != "-":
            lines = dict(line.split() for line in open(folder + "/agent.key"))
            self.socket.curve_serverkey = open(folder + "/coordinator.pub").read().strip().encode()
            self.socket.curve_publickey, self.socket.curve_secretkey = lines["public"].encode(), lines["secret"].encode()
        self.watch = self.socket.get_monitor_socket(zmq.EVENT_HANDSHAKE_SUCCEEDED)
        self.socket.connect(endpoint)
        self.boot = os.urandom(16).hex()

    def say(self, kind, *fields):
        self.socket.send(msgpack.packb([tables.VERSION, kind, *fields], use_bin_type=True))

    def raw(self, *frames):
        self.socket.send_multipart(frames)

    def hello(self, who=name):
        self.say(HELLO, tables.FINGERPRINT, "0.1.0", who, self.boot, "elsewhere", 4, 1, 0.0, 1024, 0, "all", "program", 0, 0)

    def hear(self, seconds):
        """Answers what every agent answers; returns the next other message."""
        end = time.time() + seconds
        while (left := end - time.time()) > 0:
            if not self.socket.poll(min(left, 0.5) * 1000):
                self.say(HEARTBEAT, 1, 0)
                continue
            m = msgpack.unpackb(self.socket.recv(), strict_map_key=False)
            if m[1] == CLOCK:
                now = time.monotonic_ns()
                self.say(CLOCK_ECHO, m[2], m[3], now, now)
            elif m[1] == PLAN:
                self.say(PLAN_OK, m[2], "", 0)
            elif m[1] == ARM:
                self.say(READY, m[2], m[3], "", 0, "127.0.0.1:1", "", "HTTP/1.1", 0, 1)
                self.stage, self.epoch = m[2], m[3]
            elif m[1] not in (HEARTBEAT, WELCOME):
                return m
        return None


def until(p, kinds, seconds):
    while m := p.hear(seconds):
        if m[1] in kinds:
            return m
    return None


def member(p):
    """Sends its forgery as soon as the stage runs."""
    p.hello()
    if not until(p, (GO,), 60):
        sys.exit("no stage began")
    st, ep, seq = p.stage, p.epoch, iter(range(1, 100))
    shot = lambda data: p.say(SNAPSHOT, st, ep, next(seq), data)
    random.seed(1)
    time.sleep(0.5)
    if attack == "falling":
        shot(snapshot(counters(due=5, sent=5)))
        shot(snapshot(counters(due=3, sent=3), span=(S, 2 * S)))
    elif attack == "absurd":
        shot(snapshot(counters(due=2**64 - 1)))
    elif attack == "jump":
        shot(snapshot(counters(due=10**12, ok=10**12)))
    elif attack == "more-ended":
        shot(snapshot(counters(due=3, ok=7)))
    elif attack == "hist-noise":
        shot(snapshot(counters(due=3), hists=hist(bytes([1]) + random.randbytes(300))))
    elif attack == "hist-count":  # says 2^60 samples and carries none
        shot(snapshot(counters(due=3), hists=hist(b"\x01" + b"\xff" * 8 + b"\x0f" + b"\x00\x00" + bytes(16) + b"\x00")))
    elif attack == "hists-array":
        shot(snapshot(counters(due=3), hists=b"\xdd\xff\xff\xff\xfe"))
    elif attack == "counters-array":
        mark = msgpack.packb(tables.FINGERPRINT)
        shot(snapshot([]).partition(mark)[0] + mark + b"\x00\x00" + b"\x00" * 7 + b"\xdd\xff\xff\xff\xff")
    elif attack == "addresses-array":
        shot(snapshot(counters(due=3), addresses=100 * ["10.0.0.1:1", 1, 1, 1]))
    elif attack == "addresses-absurd":
        shot(snapshot(counters(due=3), addresses=["10.0.0.1:1", 2**64 - 1, 1, 1]))
    elif attack == "span":
        shot(snapshot(counters(due=3), span=(2 * S, S)))
    elif attack == "snapshot-trailing":
        shot(snapshot(counters(due=3)) + b"\x00")
    elif attack == "wire-trailing":
        p.raw(msgpack.packb([tables.VERSION, HEARTBEAT, 1, 0]) + b"\x00")
    elif attack == "wire-array":
        p.raw(b"\xdd\xff\xff\xff\xff\x01")
    elif attack == "wire-deep":
        p.raw(b"\x91" * 100000)
    elif attack == "wire-string":
        p.raw(b"\x93" + bytes([tables.VERSION]) + b"\x0f\xdb\xff\xff\xff\xff")
    elif attack == "wire-parts":
        p.raw(msgpack.packb([tables.VERSION, HEARTBEAT, 1, 0]), b"more", b"parts")
    elif attack == "wire-huge":
        p.raw(b"\x00" * (5 << 20))
    elif attack == "coordinators-word":
        p.say(STOP, st, ep, True)
    elif attack == "other-name":
        p.hello("alice")
    elif attack == "replay":
        first = snapshot(counters(due=5, sent=5), numbers=[5] + 6 * [0])
        p.say(SNAPSHOT, st, ep, 1, first)
        for forged in (snapshot(counters(due=500, sent=500)), first):
            p.say(SNAPSHOT, st, ep, 1, forged)
        p.say(SNAPSHOT, st + 70, ep, 2, snapshot(counters(due=600)))
        p.say(SNAPSHOT, st, ep + 9, 2, snapshot(counters(due=700)))
        p.say(SNAPSHOT, st, ep, 9, snapshot(counters(due=800)))
        p.say(SNAPSHOT, st, ep, 2, snapshot(counters(due=5, sent=5, aborted=5), span=(S, 2 * S)))
        p.say(DONE, st, ep, 2, 0, "", 0)
        p.say(DONE, st, ep, 2, 0, "again", 1)
        print("ended by", (until(p, (BYE, REFUSE), 60) or "silence"))
        p.say(BYE, "goodbye", 0)
        return
    else:
        sys.exit("no such attack")
    m = until(p, (REFUSE,), 6)
    print("refused:", m[2] if m else "in silence")


def answer(p, kinds, seconds):
    """The first message of these kinds; the clock is answered on the way."""
    end = time.time() + seconds
    while (left := end - time.time()) > 0:
        if not p.socket.poll(left * 1000):
            break
        m = msgpack.unpackb(p.socket.recv(), strict_map_key=False)
        if m[1] == CLOCK:
            now = time.monotonic_ns()
            p.say(CLOCK_ECHO, m[2], m[3], now, now)
        if m[1] in kinds:
            return m
    sys.exit("silence")


def stranger(p, go):
    """Speaks of a stage that it has no part in, as a member that came late or as nobody; or says of the plan that it is bad."""
    if not p.watch.poll(60000):
        sys.exit("no connection")
    print("at the door", flush=True)
    while not os.path.exists(go):
        time.sleep(0.05)
    if attack != "nobody":
        p.hello()
        answer(p, (WELCOME,), 30)
    if attack == "late-plan":
        m = answer(p, (PLAN,), 30)
        p.say(PLAN_OK, m[2], "the plan is not to my liking", 2)
        print("told:", *answer(p, (REFUSE,), 30)[1:3])
        return
    for epoch in (0, 1, 2, 2**32 - 1):
        for kind in (
            [SNAPSHOT, 0, epoch, 1, snapshot(counters(due=1000, ok=1000))],
            [READY, 0, epoch, "no", 1, "", "", "", 0, 0],
            [DONE, 0, epoch, 0, 0, "all is lost", 1],
        ):
            p.say(*kind)
    p.say(PLAN_OK, "", "the plan is bad", 2)
    p.say(BYE, "farewell", 0)
    if attack == "nobody":
        print("told:", *answer(p, (REFUSE,), 30)[1:3])
    else:
        answer(p, (STOP,), 30)  # the answer to what is of no stage of its own


p = Peer()
stranger(p, sys.argv[5]) if attack in ("late", "late-plan", "nobody") else member(p)

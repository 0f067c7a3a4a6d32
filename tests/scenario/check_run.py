"""check_run.py RUN-FOLDER: do the sums of a run hold, bucket by bucket? Reads run.sqlite and nothing of ours but the tables of names. For every stage that
ended, superseded ones too:
  - due = ok + failed + cancelled + aborted + lost, of each agent and of the cluster;
  - the cluster's counters and histograms are the sums of the agents';
  - where the journal is kept: each agent's numbers have no gap, its histograms are the sums of its snapshots', its counters those of the last."""
import sqlite3
import sys

from tables import COUNTERS, FAILED, METRICS as METRIC_ROWS

METRICS = [name for _, name in METRIC_ROWS]
GREATEST = {"cpu_max_ns", "waiting_bytes_max", "measured_ns"}


class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def varint(self):
        v = shift = 0
        while True:
            byte = self.data[self.at]
            self.at += 1
            v |= (byte & 0x7F) << shift
            shift += 7
            if not byte & 0x80:
                return v


def unpack(data, at=0):
    """(value, end) of the part of msgpack that a snapshot is made of: arrays, whole numbers, bytes, text."""
    byte = data[at]
    at += 1
    if byte < 0x80 or byte >= 0xE0:
        return byte if byte < 0x80 else byte - 256, at
    if 0x90 <= byte <= 0x9F or byte in (0xDC, 0xDD):
        n = byte & 15
        if byte >= 0xDC:
            n, at = number(data, at, 2 << (byte - 0xDC))
        values = []
        for _ in range(n):
            v, at = unpack(data, at)
            values.append(v)
        return values, at
    if 0xA0 <= byte <= 0xBF:
        return data[at:at + (byte & 31)].decode(), at + (byte & 31)
    if byte in (0xD9, 0xDA):
        n, at = number(data, at, 1 << (byte - 0xD9))
        return data[at:at + n].decode(), at + n
    if 0xC4 <= byte <= 0xC6:
        n, at = number(data, at, 1 << (byte - 0xC4))
        return data[at:at + n], at + n
    if 0xCC <= byte <= 0xCF:
        return number(data, at, 1 << (byte - 0xCC))
    if 0xD0 <= byte <= 0xD3:
        return number(data, at, 1 << (byte - 0xD0), True)
    raise ValueError("msgpack byte %#x" % byte)


def number(data, at, n, signed=False):
    return int.from_bytes(data[at:at + n], "big", signed=signed), at + n


def histogram(data):
    """(count, min, max, sum, {bucket: count}), as common/hist_codec.c describes it."""
    r = Reader(data)
    assert r.data[0] == 1
    r.at = 1
    count = r.varint()
    if not count:
        return empty()
    z = r.varint()
    least = z >> 1 ^ -(z & 1)
    most = least + r.varint()
    total = int.from_bytes(data[r.at:r.at + 16], "little", signed=True)
    r.at += 16
    bucket, buckets = r.varint(), {}
    while r.at < len(data):
        v = r.varint()
        if v & 1:
            bucket += (v >> 2) + 1
            if not v & 2:
                continue
            n = 1
        else:
            n = v >> 1
        buckets[bucket] = n
        bucket += 1
    assert sum(buckets.values()) == count, "a histogram's buckets do not add up"
    return (count, least, most, total, buckets)


def empty():
    return (0, None, None, 0, {})


def add(a, b):
    if not a[0]:
        return b
    if not b[0]:
        return a
    buckets = dict(a[4])
    for k, n in b[4].items():
        buckets[k] = buckets.get(k, 0) + n
    return (a[0] + b[0], min(a[1], b[1]), max(a[2], b[2]), a[3] + b[3], buckets)


bad = checked = 0


def check(ok, words):
    global bad, checked
    checked += 1
    if not ok:
        bad += 1
        print("FAILED: " + words)


def hists_of(db, stage, agent):
    return {m: histogram(b) for m, b in db.execute("SELECT metric, bytes FROM stage_hist WHERE stage_id = ? AND agent = ?", (stage, agent))}


def counters_of(db, stage, agent):
    have = dict(db.execute("SELECT counter, value FROM stage_counter WHERE stage_id = ? AND agent = ?", (stage, agent)))
    return {name: have.get(name, 0) for _, name in COUNTERS}


def check_ledger(words, c, lost):
    ends = c["ok"] + sum(c[f] for f in FAILED) + c["cancelled"] + c["aborted"] + lost
    check(c["due"] == ends, "%s: due %d, but %d ended or were lost" % (words, c["due"], ends))


def check_journal(db, words, stage, agent, counters, hists):
    rows = db.execute("SELECT seq, bytes FROM snapshot WHERE stage_id = ? AND agent = ? ORDER BY seq", (stage, agent)).fetchall()
    check([r[0] for r in rows] == list(range(1, len(rows) + 1)), words + ": the numbers of the snapshots have gaps")
    sums, last = {}, None
    for _, data in rows:
        s = unpack(data)[0]
        last = s[10]
        for i in range(0, len(s[-1]), 2):
            m = METRICS[s[-1][i]]
            sums[m] = add(sums.get(m, empty()), histogram(s[-1][i + 1]))
    check(sums == hists, words + ": its histograms are not the sums of its snapshots'")
    if last:
        check([counters[name] for _, name in COUNTERS] == last, words + ": its counters are not those of its last snapshot")
    return len(rows)


def check_stage(db, row):
    stage, number, repeat, epoch, lost = row
    words = "stage %d.%d epoch %d" % (number, repeat, epoch)
    kept = db.execute("SELECT count(*) FROM snapshot WHERE stage_id = ?", (stage,)).fetchone()[0]
    total, sums, lost_sum = {}, {}, 0
    for agent, name, gone, n in db.execute("SELECT agent, name, lost_requests, snapshots FROM stage_agent WHERE stage_id = ?", (stage,)).fetchall():
        mine = "%s, agent %s" % (words, name)
        c, h = counters_of(db, stage, agent), hists_of(db, stage, agent)
        check_ledger(mine, c, gone)
        if kept:
            check(check_journal(db, mine, stage, agent, c, h) == n, mine + ": the journal has another number of snapshots")
        for k, v in c.items():
            total[k] = max(total.get(k, 0), v) if k in GREATEST else total.get(k, 0) + v
        for m in h:
            sums[m] = add(sums.get(m, empty()), h[m])
        lost_sum += gone
    c = counters_of(db, stage, -1)
    check_ledger(words + ", cluster", c, lost)
    check(lost == lost_sum, words + ": lost requests do not add up")
    check(c == total, words + ": counters are not the sums of the agents': %s" % [k for k in c if c[k] != total.get(k)])
    check(hists_of(db, stage, -1) == sums, words + ": histograms are not the sums of the agents'")


def main():
    db = sqlite3.connect("file:%s/run.sqlite?mode=ro" % sys.argv[1], uri=True)
    stages = db.execute("SELECT id, stage, repeat, epoch, lost FROM stage WHERE ended_wall_ns IS NOT NULL").fetchall()
    for row in stages:
        check_stage(db, row)
    check(len(stages) > 0 or "--none" in sys.argv, "no stage has ended")
    print("%s: %d things of %d stages checked" % ("FAILED" if bad else "ok", checked, len(stages)))
    sys.exit(bad > 0)


main()

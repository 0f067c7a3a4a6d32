#!/usr/bin/env python3
"""A small model of recorded days that shares no code with the program: writes random traces with every oddity of their formats,
says what must become of them, and compares that with the corpora that `plateau check --data` made.

    trace_model.py make DIR SEED COUNT      DIR/N.yaml, DIR/N.csv or .jsonl, DIR/N.expect
    trace_model.py compare DIR COUNT        reads DIR/data/*.corpus by the hashes in DIR/N.out
"""
import datetime, decimal, json, pathlib, random, re, struct, sys

D = decimal.Decimal


def azure_time(r, ns):
    t = datetime.datetime(2024, 2, 28, 23, 59, 50) + datetime.timedelta(seconds=ns // 10**9)
    digits = r.choice([0, 3, 6, 7, 9])
    fraction = ns % 10**9 // 10 ** (9 - digits) * 10 ** (9 - digits) if digits else 0
    zone = r.choice(["", "Z", "+00:00", "+02:00", "-0530"])
    shift = {"+02:00": 120, "-0530": -330}.get(zone, 0)
    t += datetime.timedelta(minutes=shift)
    text = t.strftime(r.choice(["%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S"]))
    if digits:
        text += "." + f"{fraction:09d}"[:digits]
    return text + zone, ns // 10**9 * 10**9 + fraction


def rows(r):
    """(time in ns, input, output): sorted, with twins, equal stamps and zeros."""
    t, out = r.choice([0, 7, 10**6]) * 10**9, []
    for _ in range(r.randint(1, 60)):
        t += r.choice([0, 0, 1000, 10**6, 123456789, 3 * 10**9, 217 * 10**9])
        row = (t, r.choice([0, 1, 2, 511, 512, 513, 14050]), r.choice([0, 1, 1, 500]))
        out += [row] * r.choice([1, 1, 1, 2])
    return out


def write_table(r, path, names, lines):
    order = list(range(len(names)))
    r.shuffle(order)  # columns are found by name
    eol = r.choice(["\n", "\r\n"])
    quote = lambda s: f'"{s}"' if r.random() < 0.1 else s
    text = eol.join(",".join(quote(row[i]) for i in order) for row in [names] + lines)
    path.write_bytes((r.choice(["", "\ufeff"]) + text + r.choice(["", eol])).encode())


def make_one(r, directory, n):
    kind = r.choice(["azure", "burstgpt", "mooncake", "bailian"])
    given, times = rows(r), []
    path = directory / (f"{n}.csv" if kind in ("azure", "burstgpt") else f"{n}.jsonl")
    blocks = [[] for _ in given]
    if kind == "azure":
        last, cells = 0, []
        for t, i, o in given:
            text, kept = azure_time(r, t)
            while kept < last:  # a shorter fraction may not go back in time
                text, kept = azure_time(r, t)
            last = kept
            times.append(kept)
            cells.append([text, str(i), str(o), "0"])
        write_table(r, path, ["TIMESTAMP", "ContextTokens", "GeneratedTokens", "NumImages"], cells)
    elif kind == "burstgpt":
        cells = []
        for t, i, o in given:
            s = D(t) / 10**9
            cells.append([r.choice([f"{s:f}", f"{s:.9f}"]), "GPT-4", str(i), str(o), str(i + o), "", "API log"])
            times.append(t)
        write_table(r, path, ["Timestamp", "Model", "Request tokens", "Response tokens", "Total tokens", "Session ID", "Log Type"], cells)
    else:
        size, unit = (512, 10**6) if kind == "mooncake" else (16, 10**6)
        lines = []
        for k, (t, i, o) in enumerate(given):
            t = t // unit * unit
            times.append(t)
            like = blocks[r.randrange(k)] if k and r.random() < 0.6 else []
            like = like[: r.randint(0, len(like))]
            blocks[k] = (like + [r.randrange(100000) for _ in range(-(-i // size))])[: -(-i // size)]
            members = [("timestamp", t // 10**6 if kind == "mooncake" else float(D(t) / 10**9)), ("input_length", i), ("output_length", o),
                       ("hash_ids", blocks[k]), ("type", "text"), ("x", {"timestamp": 5, "hash_ids": {}})]
            r.shuffle(members)
            lines.append(json.dumps(dict(members), separators=r.choice([(",", ":"), (", ", ": ")])))
        eol = r.choice(["\n", "\r\n"])
        path.write_text((eol + r.choice(["", eol])).join(lines) + r.choice(["", eol]), newline="")
    speed, zero = r.choice([1, 1, 2, 0.5, 1000, 3]), r.choice(["drop", "one"])
    start = r.choice([0, 0, 0, 1, 5])
    stop = r.choice([None, None, 400])
    expect = []
    for k, (t, (_, i, o)) in enumerate(zip(times, given)):
        after = t - times[0]
        if zero == "drop" and (i == 0 or o == 0):
            continue
        if after < start * 10**9 or (stop and after >= stop * 10**9):
            continue
        repeated = max((alike(blocks[k], i, ids, n_in, size) for _, n_in, _, ids, _ in expect), default=0) if blocks[k] else 0
        expect.append([float(D(after - start * 10**9) / D(speed)), max(i, 1), max(o, 1), blocks[k], repeated])
    trace = f"{{file: {path.name}, format: {kind}, speed: {speed}, zero_output: {zero}, from: {start}s{f', to: {stop}s' if stop else ''}}}"
    (directory / f"{n}.yaml").write_text(
        f"plan: 1\ntarget: {{url: 'http://127.0.0.1:1', model: m}}\nworkload: {{trace: {trace}}}\nload: {{arrivals: recorded}}\n")
    (directory / f"{n}.expect").write_text(json.dumps(expect))


def alike(a, a_tokens, b, b_tokens, size):
    """With how many tokens two prompts begin alike."""
    n = 0
    while n < min(len(a), len(b)) and a[n] == b[n]:
        n += 1
    return min(n * size, a_tokens, b_tokens)


def read_corpus(path):
    b = path.read_bytes()
    magic, count, index = b[-24:-16], *struct.unpack("<QQ", b[-16:])
    assert magic == b"PLCORP02", magic
    out = []
    for k in range(count):
        (at,) = struct.unpack_from("<Q", b, index + 8 * k)
        size, t, i, o, messages, n, body, block, tree, repeated = struct.unpack_from("<IqIIIIIIII", b, at)
        assert messages == 0 and body == 0 and tree == 0 and size == 44 + 4 * n, (size, messages, n, body)
        out.append([t, i, o, list(struct.unpack_from(f"<{n}I", b, at + 44)), repeated])
    return out


def compare(directory, count):
    seen = 0
    for n in range(count):
        expect = json.loads((directory / f"{n}.expect").read_text())
        out = (directory / f"{n}.out").read_text()
        found = re.search(r"corpus: (?:\")?([0-9a-f]{64})", out)
        if not expect:
            assert not found and "no request is left" in out, f"{n}: nothing should be left\n{out}"
            continue
        assert found, f"{n}: no corpus\n{out}"
        got = read_corpus(directory / "data" / f"{found[1]}.corpus")
        assert len(got) == len(expect), f"{n}: {len(got)} rows, expected {len(expect)}"
        for k, (g, e) in enumerate(zip(got, expect)):
            assert abs(g[0] - e[0]) <= 1 and g[1:] == e[1:], f"{n}: row {k}: {g}, expected {e}"
        seen += len(got)
    assert seen > count, "hardly anything was looked at"
    print(f"{count} traces, {seen} rows: all as the model says")


if __name__ == "__main__":
    where = pathlib.Path(sys.argv[2])
    if sys.argv[1] == "make":
        for number in range(int(sys.argv[4])):
            make_one(random.Random(f"{sys.argv[3]}-{number}"), where, number)
    else:
        compare(where, int(sys.argv[3]))

#!/usr/bin/env python3
"""Do clients agree on a real server? agreement.py BUILD --url URL --model M --vllm ENVIRONMENT [CLIENT ...] [--streams 4,8] [--rounds 3]

Called by agreement.sh, with vLLM's server under --url. Each client of tests/bench/peers sends the same prompts and asks for the same number of tokens, in interleaved rounds.
Compared are throughput and the means of TTFT and TPOT with plateau's: as reported, and for each run against what the server counted itself while it lasted, since its own
speed changes from run to run. The noise is what is left after the effects of client and round; a difference is beyond it when it is larger than the
quantile of Student's t that all comparisons together exceed by chance in 5 % of tables.

A difference beyond the noise must have a name: a definition, under which plateau's own rows of single requests give the client's figure; the server, which worked at another
speed during those runs by its own count; or the client's own delay, where it is further from the server's count than plateau. Status 1 where one has none."""
import argparse
import math
import os
import pathlib
import random
import shutil
import sqlite3
import statistics
import sys
import tempfile
import types
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "bench/peers"))
import clients  # noqa: E402
import measure  # noqa: E402

FIGURES = {"output_tps": "output token/s", "ttft": "mean TTFT, ms", "tpot": "mean TPOT, ms"}
SERVER = {"ttft": "vllm:time_to_first_token_seconds", "tpot": "vllm:request_time_per_output_token_seconds", "e2e": "vllm:e2e_request_latency_seconds"}
WORDS = "the work of a license that you may copy and modify under its conditions with no warranty for any part or purpose".split()


# ---- the clients ----

class Plateau(clients.Plateau):
    """With a row for each request, from which the figures of other definitions are made."""

    def command(self, load):
        return [*super().command(load), "--set", "record.requests=true"]

    def read(self, load):
        with sqlite3.connect(load.dir / "run/run.sqlite") as db:
            db.row_factory = sqlite3.Row
            rows = [dict(r) for r in db.execute("SELECT * FROM request WHERE outcome = 'ok'")]
        return {**super().read(load), "rows": rows}


class Vllm(clients.Vllm):
    """Of the server's own environment, which has torch and what else it imports."""
    version = "0.32.0"

    def install(self, cache, options):
        self.venv = options.vllm


CLIENTS = (Plateau, clients.VllmRust, Vllm, clients.AIPerf)


# ---- what others mean ----

def mean_ms(rows, of):
    return statistics.fmean(of(r) for r in rows) / 1e6


def connected(r):
    return r["connect_ns"] or 0


def until_last_token(rows):
    return sum(r["output"] for r in rows) * 1e9 / (max(r["due_ns"] + r["last_token_ns"] for r in rows) - min(r["due_ns"] + r["sent_ns"] - connected(r) for r in rows))


# For each client and figure: in words, and plateau's own figure under that definition
DEFINITIONS = {
    ("aiperf", "output_tps"): ("the time ends with the last token, not with its answer's end marker", until_last_token),
    ("aiperf", "ttft"): ("the clock starts before the connection is made", lambda rows: mean_ms(rows, lambda r: r["first_token_ns"] - r["sent_ns"] + connected(r))),
    ("aiperf", "tpot"): ("divides by all tokens of usage but one", lambda rows: mean_ms(rows, lambda r: (r["last_token_ns"] - r["first_token_ns"]) / (r["output"] - 1))),
    ("vllm", "ttft"): ("the clock starts before the connection is made, and stops with the chunk of the role, which has no token",
                       lambda rows: mean_ms(rows, lambda r: r["first_byte_ns"] - r["sent_ns"] + connected(r))),
    ("vllm-rs", "ttft"): ("the clock stops with the chunk of the role, which has no token", lambda rows: mean_ms(rows, lambda r: r["first_byte_ns"] - r["sent_ns"])),
    **{(client, "tpot"): ("counts from the chunk of the role, and divides by all tokens of usage but one",
                          lambda rows: mean_ms(rows, lambda r: (r["last_token_ns"] - r["first_byte_ns"]) / (r["output"] - 1))) for client in ("vllm", "vllm-rs")},
}


# ---- a run ----

def counters(url):
    """Sums of the server's page by name."""
    total = {}
    with urllib.request.urlopen(url + "/metrics", timeout=60) as page:
        for line in page.read().decode().splitlines():
            if line.startswith("vllm:"):
                name = line.split("{")[0].split(" ")[0]
                total[name] = total.get(name, 0.0) + float(line.split()[-1])
    return total


def run(client, load, cores, limit):
    """What the client reports, and the server's own figures of the same time."""
    shutil.rmtree(load.dir, ignore_errors=True)
    load.dir.mkdir()
    before = counters(load.url)
    nobody = types.SimpleNamespace(process=types.SimpleNamespace(pid=0))  # the server is not this program's to watch
    measure.Client(client.command(load), client.environment(load), cores, load.dir, nobody, limit, client.accepts)
    said, after = client.read(load), counters(load.url)

    def grew(name):
        return after.get(name, 0) - before.get(name, 0)
    tokens = grew("vllm:generation_tokens_total")
    if said["completed"] != load.requests or tokens != load.requests * load.tokens:
        raise measure.Failed(f"{said['completed']} of {load.requests} requests ended, with {tokens:.0f} tokens by the server's count instead of {load.requests * load.tokens}")
    own = {k: grew(f"{name}_sum") / grew(f"{name}_count") * 1e3 for k, name in SERVER.items()}
    own["output_tps"] = load.streams * load.tokens * 1e3 / own["e2e"]  # with every stream full all the time
    row = {"said": {k: said[k] if k == "output_tps" else said[k]["mean"] for k in FIGURES}, "own": own}
    row["by"] = {who: of(said["rows"]) for who, (_, of) in DEFINITIONS.items()} if "rows" in said else {}
    return row


# ---- noise ----

def t_beyond(t, dof):
    """Probability that Student's t is further from 0 than t (Abramowitz and Stegun 26.7.3, 26.7.4)."""
    angle = math.atan(t / math.sqrt(dof))
    c, term, total = math.cos(angle), 1.0, 0.0
    if dof % 2:
        for k in range(1, (dof - 1) // 2 + 1):
            term = math.cos(angle) if k == 1 else term * c * c * (2 * k - 2) / (2 * k - 1)
            total += term
        return 1 - 2 / math.pi * (angle + math.sin(angle) * total)
    for k in range(dof // 2):
        term = term * c * c * (2 * k - 1) / (2 * k) if k else 1.0
        total += term
    return 1 - math.sin(angle) * total


def t_bound(dof, beyond):
    low, high = 0.0, 1e6
    for _ in range(100):
        low, high = ((low + high) / 2, high) if t_beyond((low + high) / 2, dof) > beyond else (low, (low + high) / 2)
    return high


def noise(table):
    """Of {client: [logarithm of each round]}: the standard error of the difference of two clients' means, and its degrees of freedom."""
    names, n = list(table), len(next(iter(table.values())))
    by_round = [statistics.fmean(table[c][r] for c in names) for r in range(n)]
    overall = statistics.fmean(by_round)
    dof = (n - 1) * (len(names) - 1)
    left = sum((table[c][r] - statistics.fmean(table[c]) - by_round[r] + overall) ** 2 for c in names for r in range(n))
    return math.sqrt(left / dof * 2 / n), dof


class Comparison:
    """One figure at one number of streams: rows[client] is a list of runs, a round each. Reported figures are compared as logarithms, since the server's speed multiplies them;
    beside the server's own count times are compared in ms, since what comes on top of it is a wait, and throughput as a logarithm."""

    def __init__(self, rows, figure, comparisons):
        self.rows, self.figure = rows, figure
        self.raw = {c: [math.log(r["said"][figure]) for r in runs] for c, runs in rows.items()}
        self.off = {c: [self.beside_own(r, r["said"][figure]) for r in runs] for c, runs in rows.items()}
        self.error = {"raw": noise(self.raw), "off": noise(self.off)}
        self.bound = t_bound(self.error["raw"][1], 0.05 / comparisons)

    def beside_own(self, run, value):
        own = run["own"][self.figure]
        return math.log(value / own) if self.figure == "output_tps" else value - own

    def scale(self, kind):
        """What makes a fraction of a difference or a noise."""
        return 1.0 if kind == "raw" or self.figure == "output_tps" else statistics.fmean(r["said"][self.figure] for r in self.rows["plateau"])

    def difference(self, kind, client, ours=None):
        """In units of the noise, and as a fraction."""
        table = getattr(self, kind)
        d = statistics.fmean(table[client]) - statistics.fmean(ours or table["plateau"])
        return d / max(self.error[kind][0], 1e-12), d / self.scale(kind) if self.scale(kind) != 1.0 else math.expm1(d)

    def name(self, client):
        """(agrees or explained, words)"""
        raw, off = self.difference("raw", client)[0], self.difference("off", client)[0]
        if abs(off) <= self.bound:
            return True, "agrees" if abs(raw) <= self.bound else "the server was at another speed, by its own count; against that it agrees"
        known = DEFINITIONS.get((client, self.figure))
        if known:
            ours = [self.beside_own(r, r["by"][client, self.figure]) for r in self.rows["plateau"]]
            if abs(self.difference("off", client, ours)[0]) <= self.bound:
                return True, "definition: " + known[0]
        theirs, ours = (statistics.fmean(self.off[c]) for c in (client, "plateau"))
        if self.figure == "output_tps" and theirs < ours:
            return True, f"its own time outside the server's count: {100 * math.exp(theirs):.1f} % of what the server gives with all streams full, plateau {100 * math.exp(ours):.1f} %"
        if self.figure != "output_tps" and abs(theirs) > abs(ours):
            return True, f"its own delay: {self.beside(client)} beside the server's count, plateau {self.beside('plateau')}"
        return False, "DIFFERS without a known reason"

    def beside(self, client):
        return f"{statistics.fmean(r['said'][self.figure] - r['own'][self.figure] for r in self.rows[client]):+.2f} ms"


def report(rows, streams):
    """Prints the table. How many differences have no name."""
    number = len(FIGURES) * sum(len(rows[s]) - 1 for s in streams)
    bad = 0
    print("\n| streams, figure | client | mean (smallest–largest) | the server's own | from plateau: %, noises | beside the server's own, from plateau: %, noises | |\n" + "| --- " * 7 + "|")
    for s in streams:
        for figure, words in FIGURES.items():
            it = Comparison(rows[s], figure, number)
            for client, runs in rows[s].items():
                values = [r["said"][figure] for r in runs]
                line = [f"{s}, {words}", client, f"{statistics.fmean(values):.4g} ({min(values):.4g}–{max(values):.4g})", f"{statistics.fmean(r['own'][figure] for r in runs):.4g}"]
                if client == "plateau":
                    line += [f"noise {100 * it.error[kind][0] / it.scale(kind):.2g} %" for kind in ("raw", "off")] + [f"beyond the noise: {it.bound:.1f} noises"]
                else:
                    fine, why = it.name(client)
                    bad += not fine
                    line += [f"{100 * d:+.2g}, {u:+.1f}" for u, d in (it.difference("raw", client), it.difference("off", client))] + [why]
                print("| " + " | ".join(line) + " |")
    return bad


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", type=pathlib.Path, help="folder of the programs, such as build/release")
    parser.add_argument("client", nargs="*", help="beside plateau, these only: " + " ".join(c.name for c in CLIENTS[1:]))
    parser.add_argument("--url", required=True, help="without a path")
    parser.add_argument("--model", required=True)
    parser.add_argument("--vllm", type=pathlib.Path, required=True, help="the server's environment")
    parser.add_argument("--cores", required=True, help="of the clients")
    parser.add_argument("--streams", default="4,8")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--laps", type=int, default=6, help="requests of each stream (6)")
    parser.add_argument("--tokens", type=int, default=64, help="of each answer (64)")
    parser.add_argument("--cache", type=pathlib.Path, default=pathlib.Path("~/.cache/plateau-peers").expanduser())
    options = parser.parse_args()
    options.build, options.vllm = options.build.resolve(), options.vllm.absolute()
    options.python, options.again, options.install_limit = pathlib.Path(sys.executable), False, 900
    options.streams = [int(n) for n in options.streams.split(",")]
    return options


def main():
    options = parse()
    if options.rounds < 2:
        sys.exit("noise needs two rounds")
    there = []
    for kind in CLIENTS:
        if not options.client or kind.name in ("plateau", *options.client):
            client = kind()
            try:
                client.install(options.cache, options)
            except clients.Skip as e:
                print(f"{client.name}: left out: {e}")
                continue
            there.append(client)
            print(f"{client.name} {client.version}")
    if len(there) < 2:
        sys.exit("nobody to compare with")
    pick = random.Random(7)
    prompts = tuple(" ".join(pick.choice(WORDS) for _ in range(48)) for _ in range(64))
    rows = {s: {c.name: [] for c in there} for s in options.streams}
    with tempfile.TemporaryDirectory(prefix="agreement-") as scratch:
        for number in range(options.rounds):
            at = number % len(there)
            for streams in options.streams:
                for client in there[at:] + there[:at]:
                    load = clients.Load(options.url, streams, options.laps * streams, options.tokens, pathlib.Path(scratch) / "run", clients.make_tokenizer(options.cache / "words"),
                                        len(os.sched_getaffinity(0)), options.model, prompts, False, True)
                    try:
                        row = run(client, load, options.cores, 300)
                    except measure.Failed as e:
                        sys.exit(f"{client.name}: {e}")
                    rows[streams][client.name].append(row)
                    print(f"round {number + 1}, {streams} streams, {client.name}: " + ", ".join(
                        f"{words} {row['said'][k]:.4g} (server {row['own'][k]:.4g})" for k, words in FIGURES.items()), flush=True)
    sys.exit(1 if report(rows, options.streams) else 0)


if __name__ == "__main__":
    main()

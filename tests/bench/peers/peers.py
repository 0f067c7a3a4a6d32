#!/usr/bin/env python3
"""plateau beside other load clients, in one run: peers.py BUILD [CLIENT ...] [--streams 1,50,200,1000] [--rounds 3] [--out FOLDER]

Each client is installed from its registry at a pinned version, in an environment of its own under --cache; one that does not install is left out, with the reason.
All send the same load to a simulator that writes down when each token left it: `streams` requests at a time, three rounds of requests in each stream, TTFT 200 ms,
a token every 50 ms, 40 tokens. Rounds are interleaved and begin with another client each. The endpoint has the first core, the client the others.

Written into --out: results.csv (a row for each run), RESULTS.md (medians and what they mean), cost.svg and error.svg. --again tries clients that did not install
before; --append adds to the rows that are there; --table makes table and charts from them alone."""
import argparse
import csv
import datetime
import os
import pathlib
import platform
import resource
import shutil
import sys
import tempfile

import clients
import measure
import tables

PACE = ("--ttft", "200ms", "--tpot", "50ms")
TOKENS, TTFT_S, TPOT_S, LAPS = 40, 0.2, 0.05, 3
STREAM_S = TTFT_S + (TOKENS - 1) * TPOT_S
SETTLED_S = 2.5  # by then every stream has begun: clients that can are told to take a second
BASE = ["client", "version", "streams", "round", "cpu_us_per_token", "whole_cpu_us_per_token", "start_s", "start_cpu_s", "peak_mib", "processes", "wall_s", "requests",
        "completed", "in_flight", "held", "verdict", "endpoint_lag_p99_us", "failure"]
FIGURES = [f"{f}_{q}_{side}" for f in measure.FIGURES for q in ("mean", "p50", "p99") for side in ("reported", "emitted")]


class Bench:
    def __init__(self, options, scratch):
        self.options, self.scratch = options, scratch
        self.tokenizer = clients.make_tokenizer(options.cache / "words")
        cores = sorted(os.sched_getaffinity(0))
        self.endpoint_core, theirs = str(cores[0]), cores[1:]
        self.cores, self.n_cores = ",".join(map(str, theirs)), len(theirs)
        os.sched_setaffinity(0, {cores[0]})  # this program's own work is not the client's

    def run(self, client, streams, requests, tokens):
        """One run: what it cost, the figures reported, the requests that the endpoint saw."""
        shutil.rmtree(self.scratch, ignore_errors=True)
        self.scratch.mkdir()
        endpoint = measure.Endpoint(self.options.build, self.endpoint_core, self.scratch, PACE)
        try:
            load = clients.Load(endpoint.url, streams, requests, tokens, self.scratch, self.tokenizer, self.n_cores)
            cost = measure.Client(client.command(load), client.environment(load), self.cores, self.scratch, endpoint, self.options.limit,
                                  client.accepts)
            said = client.read(load)
        except (OSError, KeyError, IndexError, ValueError, AttributeError, TypeError, clients.Skip) as e:
            raise measure.Failed(f"its figures could not be read: {type(e).__name__} {e}") from e
        finally:
            records = endpoint.records()
        return cost, said, records

    def start(self, client):
        """What starting and ending costs: one request of two tokens, since some clients refuse a report without a time per token."""
        cost, _, _ = self.run(client, 1, 1, 2)
        return cost.cpu_s

    def row(self, client, streams, start_cpu_s):
        requests = max(5, LAPS * streams)
        cost, said, records = self.run(client, streams, requests, TOKENS)
        load = [r for r in records if r["asked"] == TOKENS][-requests:]  # without what a client sends first to see whether the endpoint answers
        if not load:
            raise measure.Failed("no request of the load came")
        tokens = sum(r["tokens"] for r in records)
        emitted, total = measure.emitted(load[-(said.get("counted") or len(load)):], self.scratch)  # plateau leaves out what it sent while the streams began
        first, last = load[0]["received_ns"], load[-1]["received_ns"]
        in_flight = measure.mean_in_flight(load, first + int(SETTLED_S * 1e9) if streams > 1 else first, last)
        whole = sum(r["end"] == "done" for r in load)
        row = {"cpu_us_per_token": (cost.cpu_s - start_cpu_s) * 1e6 / tokens, "whole_cpu_us_per_token": cost.cpu_s * 1e6 / tokens,
               "start_s": (first - cost.began_ns) / 1e9, "start_cpu_s": start_cpu_s, "peak_mib": cost.peak_mib, "processes": cost.processes, "wall_s": cost.wall_s,
               "requests": requests, "completed": said["completed"], "in_flight": in_flight, "verdict": said.get("verdict", ""),
               "endpoint_lag_p99_us": total["lag_us"]["p99"] if total["lag_us"] else ""}
        close = True
        for figure in measure.FIGURES:
            for q in ("mean", "p50", "p99"):
                reported, true = said.get(figure, {}).get(q), emitted.get(figure, {}).get(q)
                row[f"{figure}_{q}_reported"], row[f"{figure}_{q}_emitted"] = reported, true
                if figure in ("ttft", "tpot") and q == "mean" and reported is not None and true:
                    close = close and abs(reported / true - 1) <= 0.05
        row["held"] = int(whole == requests == said["completed"] and in_flight >= 0.95 * streams and close)
        return row


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", type=pathlib.Path, help="folder of the programs, such as build/release")
    parser.add_argument("client", nargs="*", help="these only: " + " ".join(c.name for c in clients.ALL))
    parser.add_argument("--streams", default="1,50,200,1000")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path(__file__).resolve().parent)
    parser.add_argument("--cache", type=pathlib.Path, default=pathlib.Path("~/.cache/plateau-peers").expanduser())
    parser.add_argument("--python", type=pathlib.Path, default=pathlib.Path(sys.executable), help="for the environments (this one)")
    parser.add_argument("--k6", type=pathlib.Path)
    parser.add_argument("--oha", type=pathlib.Path)
    parser.add_argument("--h2load", type=pathlib.Path)
    parser.add_argument("--mlperf-client", type=pathlib.Path, help="an environment with MLPerf Endpoints' reference client")
    parser.add_argument("--install-limit", type=int, default=900, help="seconds (900)")
    parser.add_argument("--limit", type=int, default=300, help="seconds a run may take (300)")
    parser.add_argument("--install-only", action="store_true")
    parser.add_argument("--again", action="store_true")
    parser.add_argument("--append", action="store_true", help="keep the rows that results.csv has")
    parser.add_argument("--table", action="store_true")
    options = parser.parse_args()
    unknown = set(options.client) - {c.name for c in clients.ALL}
    if unknown:
        parser.error(f"no such client: {' '.join(sorted(unknown))}")
    for name in ("build", "out", "cache", "mlperf_client"):
        if getattr(options, name):
            setattr(options, name, getattr(options, name).resolve())
    options.streams = [int(n) for n in options.streams.split(",")]
    return options


def install(options):
    """Those that are there, and the reasons of those that are not."""
    options.cache.mkdir(parents=True, exist_ok=True)
    there, skipped = [], {}
    for kind in clients.ALL:
        if options.client and kind.name not in options.client:
            continue
        client = kind()
        try:
            client.install(options.cache, options)
            there.append(client)
            print(f"{client.name} {client.version}", flush=True)
        except clients.Skip as e:
            skipped[client.name] = str(e)
            print(f"{client.name}: left out: {e}", flush=True)
    return there, skipped


def say(text):
    print(f"{datetime.datetime.now():%H:%M:%S} {text}", flush=True)


def measure_all(options, there, scratch, write):
    bench = Bench(options, scratch)
    too_much = {}  # a load that a client did not hold, nor will it a larger one
    for number in range(1, options.rounds + 1):
        starts, at = {}, (number - 1) % len(there)
        for streams in options.streams:
            for client in there[at:] + there[:at]:
                row = {"client": client.name, "version": client.version, "streams": streams, "round": number}
                if streams > too_much.get(client.name, streams):
                    continue
                try:
                    if client.name not in starts:
                        starts[client.name] = bench.start(client)
                    row |= bench.row(client, streams, starts[client.name])
                    say(f"round {number}, {streams} streams, {client.name}: {row['cpu_us_per_token']:.1f} us/token, {row['in_flight']:.0f} in flight")
                    if row["in_flight"] < 0.8 * streams:
                        too_much[client.name] = streams
                except measure.Failed as e:
                    row |= {"failure": str(e), "held": 0}
                    say(f"round {number}, {streams} streams, {client.name}: {e}")
                    too_much[client.name] = streams
                write(row)


def machine():
    model = next((line.split(":", 1)[1].strip() for line in open("/proc/cpuinfo", encoding="utf-8") if line.startswith("model name")), platform.machine())
    return f"{len(os.sched_getaffinity(0))} cores ({model}), Linux {platform.release()}"


def main():
    options = parse()
    table = options.out / "results.csv"
    if options.table:
        tables.write(options.out, list(csv.DictReader(table.open(encoding="utf-8"))))
        return
    if not (options.build / "bin/plateau-sim").exists():
        sys.exit(f"{options.build}: has no bin/plateau-sim")
    if len(os.sched_getaffinity(0)) < 2:
        sys.exit("needs two cores")
    here = machine()
    there, skipped = install(options)
    if options.install_only or not there:
        return
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    measure.adopt_orphans()
    options.out.mkdir(parents=True, exist_ok=True)
    more = options.append and table.exists()
    with (options.out / "conditions.txt").open("a" if more else "w", encoding="utf-8") as f:
        f.write(f"- {datetime.date.today()}, {here}, load average {os.getloadavg()[0]:.1f} before; {options.rounds} interleaved rounds of "
                f"{', '.join(c.name for c in there)}\n" + "".join(f"- left out: {name}: {reason}\n" for name, reason in skipped.items()))
    with tempfile.TemporaryDirectory(prefix="peers-") as scratch, table.open("a" if more else "w", encoding="utf-8", newline="") as f:
        out = csv.DictWriter(f, BASE + FIGURES, lineterminator="\n")
        if not more:
            out.writeheader()

        def write(row):
            out.writerow({k: f"{v:.6g}" if isinstance(v, float) else v for k, v in row.items()})
            f.flush()
        measure_all(options, there, pathlib.Path(scratch) / "run", write)
    tables.write(options.out, list(csv.DictReader(table.open(encoding="utf-8"))))


if __name__ == "__main__":
    main()

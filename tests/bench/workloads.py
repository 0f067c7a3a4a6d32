#!/usr/bin/env python3
"""What large workloads cost: workloads.py BIN_DIR [replay] [bodies] [sessions] [data] [day] [trees FOLDER]   (without a name: the first four)

  replay    a trace like Mooncake's, 2,000 rows in 60 s, 103 MB of bodies, the endpoint on the first core and the client on the last: when the first request leaves, CPU, memory, how late
            requests leave by the client's own word and by the endpoint's stamps, TTFT against the truth. AIPERF=PROGRAM replays it with AIPerf too, twice: with --use-server-token-count, the
            mode in which it keeps up, and by default (`peers/peers.py BIN_DIR aiperf --install-only` puts it into ~/.cache/plateau-peers/aiperf-0.13.0/bin/aiperf)
  bodies    prompts of 200,000 tokens (0.8 MB), 32,000 and 128,000: CPU of a request, bytes a core sends in a second
            OLD=BIN_DIR sends them with another build in turn, in three rounds.
            Beside both what a bare reader (raw_reader --rows) takes for the same requests, whose bodies it sends from one block of memory: the kernel's part
  sessions  10,000 conversations with think times on one agent: its memory, its CPU
  data      a data set of 1 GB, eight agents: when the first request leaves, memory without what is mapped
  day       as many rows as Mooncake's conversation trace has (12,031 in 59 minutes), at ten times its speed, over two agents on one core
  trees     session trees of a folder of weka files: how long they are read, the size of what agents get, memory

SCALE=0.1 makes each a tenth as long or large. Endpoint and client share this machine: its CPU time and its lateness move with what else runs, memory does not.
"""
import json
import math
import os
import pathlib
import random
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "peers"))
import clients  # noqa: E402
import measure  # noqa: E402

if len(sys.argv) < 2:
    sys.exit(__doc__)
BIN, WHAT = pathlib.Path(sys.argv[1]).resolve() / "bin", sys.argv[2:] or ["replay", "bodies", "sessions", "data"]
SCALE = float(os.environ.get("SCALE", "1"))
DIR = pathlib.Path(tempfile.mkdtemp(prefix="workloads-"))
resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)


class Endpoint:
    def __init__(self, *options):
        port, self.truth = DIR / "port", DIR / "truth.jsonl"
        for f in port, self.truth:
            f.unlink(missing_ok=True)
        self.process = subprocess.Popen([BIN / "plateau-sim", "--listen", "127.0.0.1:0", "--port-file", port, "--truth", self.truth, "--exit-after", "1200s", *options],
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while not port.exists() or not port.read_text():
            time.sleep(0.02)
        self.url = f"http://127.0.0.1:{port.read_text().splitlines()[0]}/v1/chat/completions"

    def seen(self):
        self.process.terminate()
        self.process.wait()
        return [json.loads(line) for line in open(self.truth)]


def memory(pid):
    """Peak of the resident memory, and of that which is no mapped file, in MiB."""
    try:
        status = dict(line.split(":", 1) for line in open(f"/proc/{pid}/status") if ":" in line)
    except OSError:
        return 0, 0
    return int(status.get("VmHWM", "0 kB").split()[0]) / 1024, int(status.get("RssAnon", "0 kB").split()[0]) / 1024


def children(pid):
    try:
        return [int(p) for p in open(f"/proc/{pid}/task/{pid}/children").read().split()]
    except OSError:
        return []


class Run:
    """plateau run: its summary, CPU seconds of coordinator and agents, peaks of memory (all, anonymous) of the coordinator and of the largest agent."""

    def __init__(self, plan, agents, bin_dir=BIN):
        (DIR / "plan.yaml").write_text(plan)
        out = DIR / "run"
        shutil.rmtree(out, ignore_errors=True)
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        self.began = time.monotonic_ns()
        later = ["--no-probe", "--data", DIR / "data"] if bin_dir == BIN else []  # than an old build
        p = subprocess.Popen([bin_dir / "plateau", "run", DIR / "plan.yaml", "--out", out, "--local", str(agents), *later],
                             stdout=subprocess.DEVNULL, stderr=open(DIR / "err.log", "w"))
        self.coordinator, self.agent = (0, 0), (0, 0)
        watch = threading.Thread(target=self.watch, args=(p,))
        watch.start()
        p.wait()
        watch.join()
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        self.cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        if not (out / "summary.json").exists():
            sys.exit(open(DIR / "err.log").read())
        self.points = json.load(open(out / "summary.json"))["points"]

    def watch(self, p):
        most = lambda a, b: tuple(map(max, a, b))
        while p.poll() is None:
            self.coordinator = most(self.coordinator, memory(p.pid))
            for child in children(p.pid):
                self.agent = most(self.agent, memory(child))
            time.sleep(0.1)


def show(title, **figures):
    print(f"{title}: " + ", ".join(f"{k.replace('_', ' ')} {v}" for k, v in figures.items()), flush=True)


def floor(title, rows, quantum, *options):
    """What the kernel alone takes for these requests, (ms, tokens of prompt, tokens of answer), when its reader wakes at most once in a quantum."""
    (DIR / "rows").write_text("".join("%d %d %d\n" % row for row in rows))
    sim = Endpoint(*options)
    port = sim.url.split(":")[2].split("/")[0]
    raw = subprocess.run([BIN.parent / "bench" / "raw_reader", "--stamps", "--rows", DIR / "rows", "--slots", "1000", "--quantum", quantum, "--port", port], stdout=subprocess.PIPE, check=True)
    sim.process.kill()
    raw = json.loads(raw.stdout)
    show(f"  {title} by a bare reader, quantum {quantum}", CPU=f"{raw['cpu_s']:.2f} s", reads=raw["reads"], waits=raw["wakes"], late_p50=f"{raw['late_p50_us'] / 1e3:.3f} ms", late_p99=f"{raw['late_p99_us'] / 1e3:.3f} ms")
    return raw


def plan(url, workload, load, extra=""):
    return f'plan: 1\ntarget: {{url: "{url}", model: m, body: {{ignore_eos: true}}{extra}}}\nworkload: {workload}\nload: {load}\n'


def make_trace(rows, length_ms):
    """Lengths, blocks and bursts as in Mooncake's conversation trace: a prefix tree of ids, every request with the first block in common. Returns (ms, tokens in, tokens out)."""
    r, next_id, talks, made = random.Random(7), 1, [], []
    stamps = sorted(r.randrange(length_ms) // 3000 * 3000 + r.choice([0, 0, 0, 1, -1]) for _ in range(rows))
    with open(DIR / "trace.jsonl", "w") as f:
        for stamp in stamps:
            want = min(146000, max(600, int(r.lognormvariate(8.95, 1.05))))
            ids = list(r.choice(talks) if talks and r.random() < 0.5 else [0])[: want // 512]
            ids += range(next_id, next_id + want // 512 - len(ids))
            talks.append(ids)
            next_id = max(next_id, ids[-1] + 1)
            rest = [next_id] if want % 512 else []  # a block that is not full is nobody else's
            next_id += len(rest)
            made.append((max(0, stamp), want, r.randint(1, 400)))
            f.write(json.dumps({"timestamp": made[-1][0], "input_length": want, "output_length": made[-1][2], "hash_ids": ids + rest}) + "\n")
    return made


def quantiles(values):
    values = sorted(values)
    return values[math.ceil(0.5 * len(values)) - 1], values[math.ceil(0.99 * len(values)) - 1]


def lag(sent_ns, rows, speed):
    """p50 and p99 in ms of how late each was sent, the k-th in order as the k-th row; the most punctual one counts as on time."""
    late = [at / 1e6 - row[0] / speed for at, row in zip(sorted(sent_ns), rows)]
    return quantiles([x - min(late) for x in late])


class Plateau:
    name, accepts = "plateau", (0, 3)

    def __init__(self, speed=1, agents=1):
        self.speed, self.agents = speed, agents

    def command(self, url):
        (DIR / "plan.yaml").write_text(plan(url, f"{{trace: {{file: trace.jsonl, format: mooncake, speed: {self.speed}}}}}", "{arrivals: recorded}"))
        return [BIN / "plateau", "run", DIR / "plan.yaml", "--out", DIR / "run", "--local", self.agents, "--no-probe", "--data", DIR / "data"]

    environment = {}

    def read(self, rows):
        p = json.load(open(DIR / "run/summary.json"))["points"][0]
        return p["ledger"]["ok"], *[(p[k]["p50"] or math.nan, p[k]["p99"] or math.nan) for k in ("lateness_ms", "ttft_ms")]  # of few rows it has no p99


class AIPerf:
    """Its tokenizer has one word of three letters, so that each token of a prompt is four characters, as ours are."""
    accepts = (0,)

    def __init__(self, name, *options):
        self.name, self.options = name, options
        client = clients.AIPerf()
        client.venv = pathlib.Path(os.environ["AIPERF"]).absolute().parent.parent
        load = clients.Load("", 0, 0, 0, DIR, clients.make_tokenizer(DIR / "words", "one"), 1)
        self.environment = client.environment(load)

    def command(self, url):
        return [os.environ["AIPERF"], "profile", "--url", url.removesuffix("/v1/chat/completions"), "--model", "m", "--tokenizer", "peers/words", "--endpoint-type", "chat", "--streaming",
                "--input-file", DIR / "trace.jsonl", "--custom-dataset-type", "mooncake_trace", "--fixed-schedule", "--extra-inputs", "ignore_eos:true", "--ui", "none",
                "--no-gpu-telemetry", "--no-server-metrics", "--artifact-dir", DIR / "run", *self.options]

    def read(self, rows):
        d = clients.the_only(DIR / "run", "**/profile_export_aiperf.json")
        sent = [json.loads(line)["metadata"]["request_start_ns"] for line in open(next((DIR / "run").glob("**/profile_export.jsonl")))]
        return int(d["request_count"]["avg"]), lag(sent, rows, 1), (d["time_to_first_token"]["p50"], d["time_to_first_token"]["p99"])


def beside(client, rows, speed=1):
    """A client on the last core, the endpoint on the first: what it cost, and what it said beside what the endpoint saw."""
    shutil.rmtree(DIR / "run", ignore_errors=True)
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})  # this program and the endpoint
    sim = Endpoint("--ttft", "50ms", "--tpot", "5ms")
    cost = measure.Client(client.command(sim.url), client.environment, str(max(cores)), DIR, sim, 1200, client.accepts)
    os.sched_setaffinity(0, cores)
    seen, (ok, late, ttft) = sim.seen(), client.read(rows)
    came = [s.get("arrived_ns") or s["received_ns"] for s in seen]
    there, true = lag(came, rows, speed), quantiles([s["first_ns"] - c for s, c in zip(seen, came)])
    got = {"start": (min(came) - cost.began_ns) / 1e9, "CPU": cost.cpu_s, "memory": cost.peak_mib, "late p50": late[0], "late p99": late[1]}
    show(f"  {client.name}", ok=ok, start=f"{got['start']:.2f} s", CPU=f"{cost.cpu_s:.2f} s", memory=f"{cost.peak_mib:.0f} MiB", late=f"{late[0]:.2f} ms (p50) {late[1]:.2f} (p99)",
         last_bytes_came_late=f"{there[0]:.2f} {there[1]:.2f}", TTFT=f"{ttft[0]:.2f} {ttft[1]:.2f} where {true[0] / 1e6:.2f} {true[1] / 1e6:.2f} is true")
    return got


def replay():
    rows = make_trace(max(20, int(2000 * SCALE)), int(60000 * SCALE))
    show("replay", rows=len(rows), bodies=f"{sum(4 * r[1] for r in rows) / 1e6:.0f} MB (largest {max(4 * r[1] for r in rows) / 1e3:.0f} kB)", tokens_of_answers=sum(r[2] for r in rows))
    ours = beside(Plateau(), rows)
    if "AIPERF" in os.environ:
        for name, options in ("AIPerf, counting as the server does", ["--use-server-token-count"]), ("AIPerf by default", []):
            theirs = beside(AIPerf(name, *options), rows)
            show("    plateau takes of it", **{k: f"1/{theirs[k] / ours[k]:.1f}" for k in ours if ours[k]})
    for quantum in "0", "500us":
        floor("replay", rows, quantum, "--ttft", "50ms", "--tpot", "5ms")


def day():
    """As many rows as Mooncake's conversation trace has, at ten times its speed, over two agents."""
    rows = make_trace(max(20, int(12031 * SCALE)), int(3537000 * SCALE))
    show("day", rows=len(rows), bodies=f"{sum(4 * r[1] for r in rows) / 1e6:.0f} MB", at_speed=10, agents=2)
    beside(Plateau(10, 2), rows, 10)


def bodies():
    n = max(20, int(400 * SCALE))
    for tokens in 32000, 128000, 200000:
        took = {b: [] for b in ([BIN, pathlib.Path(os.environ["OLD"]).resolve() / "bin"] if "OLD" in os.environ else [BIN])}
        for b in list(took) * (3 if len(took) > 1 else 1):
            sim = Endpoint("--null")
            run = Run(plan(sim.url, f"{{synthetic: {{input_tokens: {tokens}, output_tokens: 1}}}}", f"{{concurrency: 1, requests: {n}}}"), 1, b)
            sim.process.kill()
            took[b].append(run.points[0]["evidence"]["cpu_s"] / run.points[0]["ledger"]["ok"])
            if b == BIN:
                agent = run.agent[0]
        each, *old = map(statistics.median, took.values())
        show(f"bodies of {tokens} tokens", requests=n, CPU_of_the_agent=f"{each * 1e6:.0f} us a request", a_core_sends=f"{4 * tokens / each / 1e9:.2f} GB/s", agent=f"{agent:.0f} MiB")
        if old:
            show("  the older build", CPU_of_the_agent=f"{old[0] * 1e6:.0f} us a request", ours_is=f"{each / old[0]:.2f} of it",
                 rounds=" ".join(f"{a * 1e6:.0f}/{b * 1e6:.0f}" for a, b in zip(*took.values())))
        raw = floor(f"bodies of {tokens} tokens", [(10 * i, tokens, 1) for i in range(n)], "0", "--null")
        show("    a core sends", bare=f"{4 * tokens * n / raw['cpu_s'] / 1e9:.2f} GB/s")


def sessions():
    n, length = max(100, int(10000 * SCALE)), 60
    sim = Endpoint("--ttft", "20ms", "--tpot", "1ms")
    run = Run(plan(sim.url, "{sessions: {turns: {uniform: [2, 8]}, think_time: {exponential: 20s}}, synthetic: {input_tokens: 50, output_tokens: 20}}",
                   f"{{concurrency: {n}, duration: {length}s, ramp: 20s, warmup: 20s}}"), 1)
    sim.process.kill()
    p = run.points[0]
    show("sessions", at_once=n, turns=p["ledger"]["ok"], failed=sum(p["ledger"]["failed"].values()), agent=f"{run.agent[0]:.0f} MiB", CPU_of_the_agent=f"{p['evidence']['cpu_s']:.2f} s in {length} s",
         late_p50=f"{p['lateness_ms']['p50']} ms")


def data():
    want, r = int(1e9 * SCALE), random.Random(3)
    words = [f"{r.getrandbits(40):010x}" for _ in range(5000)]
    size = n = 0
    with open(DIR / "big.jsonl", "w") as f:
        while size < want:
            size += f.write(json.dumps({"prompt": " ".join(r.choices(words, k=r.randint(100, 600))), "output_tokens": 4}) + "\n")
            n += 1
    sim = Endpoint("--null")
    run = Run(plan(sim.url, "{dataset: {file: big.jsonl, format: jsonl}}", "{concurrency: 16, duration: 5s}"), 8)
    seen = sim.seen()
    show("data", file=f"{size / 1e9:.2f} GB of {n} records", agents=8, ok=run.points[0]["ledger"]["ok"], first_request_after=f"{(min(s['received_ns'] for s in seen) - run.began) / 1e9:.1f} s",
         coordinator=f"{run.coordinator[1]:.0f} MiB and what is mapped", agent=f"{run.agent[1]:.0f} MiB and what is mapped", CPU=f"{run.cpu:.1f} s")


def trees(folder):
    (DIR / "trees").symlink_to(pathlib.Path(folder).resolve())
    (DIR / "plan.yaml").write_text(plan("http://127.0.0.1:1", "{trace: {file: trees, format: weka}}", "{concurrency: 8, duration: 10s}"))
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    p = subprocess.Popen([BIN / "plateau", "check", DIR / "plan.yaml", "--data", DIR / "data"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    peak = (0, 0)
    while p.poll() is None:
        peak = max(peak, memory(p.pid))
        time.sleep(0.02)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    corpus = max((DIR / "data").glob("*.corpus"), key=lambda f: f.stat().st_mtime)
    size = sum(f.stat().st_size for f in pathlib.Path(folder).glob("*.json"))
    show("trees", files=f"{size / 1e6:.0f} MB", read_in=f"{time.monotonic() - began:.1f} s", CPU=f"{after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime:.2f} s",
         agents_get=f"{corpus.stat().st_size / 1e6:.1f} MB", coordinator=f"{peak[1]:.0f} MiB and what is mapped")


try:
    while WHAT:
        name = WHAT.pop(0)
        known = {"replay": replay, "day": day, "bodies": bodies, "sessions": sessions, "data": data}
        if name == "trees":
            trees(WHAT.pop(0))
        elif name in known:
            known[name]()
        else:
            sys.exit(__doc__)
finally:
    shutil.rmtree(DIR, ignore_errors=True)

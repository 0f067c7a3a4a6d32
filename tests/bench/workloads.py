#!/usr/bin/env python3
"""What large workloads cost: workloads.py BIN_DIR [replay] [bodies] [sessions] [data] [trees FOLDER]   (without a name: the first four)

  replay    a trace like Mooncake's, 2,000 rows in 60 s, 118 MB of bodies: when the first request leaves, CPU, memory, how late requests leave, TTFT against the truth
  bodies    prompts of 200,000 tokens (0.8 MB), 32,000 and 128,000: CPU of a request, bytes a core sends in a second
            Beside both what a bare reader (raw_reader --rows) takes for the same requests, whose bodies it sends from one block of memory: the kernel's part
  sessions  10,000 conversations with think times on one agent: its memory, its CPU
  data      a data set of 1 GB, eight agents: when the first request leaves, memory without what is mapped
  trees     session trees of a folder of weka files: how long they are read, the size of what agents get, memory

SCALE=0.1 makes each a tenth as long or large. Endpoint and client share this machine: its CPU time and its lateness move with what else runs, memory does not.
"""
import json
import os
import pathlib
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time

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

    def __init__(self, plan, agents):
        (DIR / "plan.yaml").write_text(plan)
        out = DIR / "run"
        shutil.rmtree(out, ignore_errors=True)
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        self.began = time.monotonic_ns()
        p = subprocess.Popen([BIN / "plateau", "run", DIR / "plan.yaml", "--out", out, "--local", str(agents), "--no-probe", "--data", DIR / "data"],
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


def replay():
    """Lengths, blocks and bursts as in Mooncake's conversation trace: a prefix tree of ids, every request with the first block in common."""
    r, rows, next_id, talks = random.Random(7), max(20, int(2000 * SCALE)), 1, []
    stamps = sorted(r.randrange(int(60000 * SCALE)) // 3000 * 3000 + r.choice([0, 0, 0, 1, -1]) for _ in range(rows))
    total, most, sent = 0, 0, []
    with open(DIR / "trace.jsonl", "w") as f:
        for stamp in stamps:
            if talks and r.random() < 0.5:
                ids = list(r.choice(talks))
            else:
                ids = [0]
            want = min(146000, max(600, int(r.lognormvariate(8.95, 1.05))))
            while len(ids) < (want + 511) // 512:
                ids.append(next_id)
                next_id += 1
            ids = ids[: (want + 511) // 512]
            talks.append(ids)
            total, most = total + 4 * want, max(most, 4 * want)
            sent.append((max(0, stamp), want, r.randint(1, 400)))
            f.write(json.dumps({"timestamp": sent[-1][0], "input_length": want, "output_length": sent[-1][2], "hash_ids": ids}) + "\n")
    sim = Endpoint("--ttft", "50ms", "--tpot", "5ms")
    run = Run(plan(sim.url, "{trace: {file: trace.jsonl, format: mooncake}}", "{arrivals: recorded}"), 1)
    seen, p = sim.seen(), run.points[0]
    show("replay", rows=rows, bodies=f"{total / 1e6:.0f} MB (largest {most / 1e3:.0f} kB)", ok=p["ledger"]["ok"], first_request_after=f"{(min(s['received_ns'] for s in seen) - run.began) / 1e9:.2f} s",
         CPU=f"{run.cpu:.2f} s", coordinator=f"{run.coordinator[0]:.0f} MiB", agent=f"{run.agent[0]:.0f} MiB", late_p50=f"{p['lateness_ms']['p50']} ms", late_p99=f"{p['lateness_ms']['p99']} ms",
         TTFT_p50=f"{p['ttft_ms']['p50']} ms where 50 and the request's own way are true")
    for quantum in "0", "500us":
        floor("replay", sent, quantum, "--ttft", "50ms", "--tpot", "5ms")


def bodies():
    n = max(20, int(400 * SCALE))
    for tokens in 32000, 128000, 200000:
        sim = Endpoint("--null")
        run = Run(plan(sim.url, f"{{synthetic: {{input_tokens: {tokens}, output_tokens: 1}}}}", f"{{concurrency: 1, requests: {n}}}"), 1)
        sim.process.kill()
        e = run.points[0]["evidence"]
        each = e["cpu_s"] / run.points[0]["ledger"]["ok"]
        show(f"bodies of {tokens} tokens", requests=n, CPU_of_the_agent=f"{each * 1e6:.0f} us a request", a_core_sends=f"{4 * tokens / each / 1e9:.2f} GB/s", agent=f"{run.agent[0]:.0f} MiB")
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
        known = {"replay": replay, "bodies": bodies, "sessions": sessions, "data": data}
        if name == "trees":
            trees(WHAT.pop(0))
        elif name in known:
            known[name]()
        else:
            sys.exit(__doc__)
finally:
    shutil.rmtree(DIR, ignore_errors=True)

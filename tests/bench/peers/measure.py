"""What a client did, seen from outside: the CPU time and memory of its processes, and what the endpoint's truth file says it was sent."""
import ctypes
import json
import os
import pathlib
import resource
import signal
import subprocess
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "sim"))
import truth  # noqa: E402

PR_SET_CHILD_SUBREAPER = 36
FIGURES = ("ttft", "tpot", "itl", "e2e")


class Failed(Exception):
    """A client did not do what it was asked; the text says why."""


def adopt_orphans():
    """Processes that a client leaves behind become children of this one, so that their CPU time is counted and they can be ended."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


class Endpoint:
    """plateau-sim on cores of its own. Each has a truth file that holds one client's requests and nobody else's."""

    def __init__(self, bin_dir, cores, directory, pace):
        self.truth, port = directory / "truth.jsonl", directory / "port"
        for f in self.truth, port:
            f.unlink(missing_ok=True)
        self.process = subprocess.Popen(["taskset", "-c", cores, bin_dir / "bin/plateau-sim", "--listen", "127.0.0.1:0", "--port-file", port, "--exit-after", "1800s",
                                         "--truth", self.truth, "--truth-tokens", *pace], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(200):
            if port.exists():
                break
            time.sleep(0.05)
        else:
            raise Failed("the endpoint did not start")
        self.url = f"http://127.0.0.1:{port.read_text().split()[0]}"

    def records(self):
        """Ends it. The requests that it was sent, in their order."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            self.process.wait()
        with open(self.truth, encoding="utf-8") as f:
            return sorted((json.loads(line) for line in f), key=lambda r: r["received_ns"])


def descendants(pid):
    found, left = [], [pid]
    while left:
        try:
            tasks = os.listdir(f"/proc/{left[-1]}/task")
        except OSError:
            tasks = []
        parent = left.pop()
        for task in tasks:
            try:
                children = [int(c) for c in open(f"/proc/{parent}/task/{task}/children").read().split()]
            except OSError:
                continue
            found += children
            left += children
    return found


def proportional_kib(pid):
    """Resident memory, of what several share its part."""
    try:
        with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as f:
            return next((int(line.split()[1]) for line in f if line.startswith("Pss:")), 0)
    except OSError:
        return 0


class Client:
    """A command that runs to its end, once: what it cost."""

    def __init__(self, command, environment, cores, directory, endpoint, limit_s, accepts=(0,)):
        self.peak_mib, self.processes = 0.0, 0
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        with open(directory / "client.out", "w", encoding="utf-8") as out, open(directory / "client.err", "w", encoding="utf-8") as err:
            self.began_ns = time.monotonic_ns()
            process = subprocess.Popen(["taskset", "-c", cores, *map(str, command)], cwd=directory, stdout=out, stderr=err, stdin=subprocess.DEVNULL,
                                       env={**os.environ, **environment}, start_new_session=True)
            over = threading.Event()
            watch = threading.Thread(target=self.watch, args=(endpoint.process.pid, over))
            watch.start()
            try:
                status = process.wait(limit_s)
            except subprocess.TimeoutExpired:
                status = None
            self.wall_s = (time.monotonic_ns() - self.began_ns) / 1e9
            over.set()
            watch.join()
            self.end(process.pid, endpoint.process.pid)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        self.cpu_s = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
        if status not in accepts:
            raise Failed(f"{'took more than %d s' % limit_s if status is None else f'ended with status {status}'}: {self.last_words(directory)}")

    @staticmethod
    def last_words(directory):
        """The last line that names an error, else the last line."""
        lines = [line.strip(" │") for name in ("client.out", "client.err") for line in (directory / name).read_text(errors="replace").splitlines() if line.strip(" │")]
        named = [line for line in lines if "error" in line.lower()]
        return (named or lines or ["without a word"])[-1][:300]

    @staticmethod
    def end(group, endpoint):
        """Whoever is left of the client's processes, and their CPU time."""
        try:
            os.killpg(group, signal.SIGKILL)
        except ProcessLookupError:
            pass
        for left in [p for p in descendants(os.getpid()) if p != endpoint]:
            try:
                os.kill(left, signal.SIGKILL)
                os.waitpid(left, 0)
            except (ProcessLookupError, ChildProcessError):
                pass

    def watch(self, endpoint, over):
        while not over.wait(1):
            theirs = [p for p in descendants(os.getpid()) if p != endpoint]
            self.peak_mib = max(self.peak_mib, sum(map(proportional_kib, theirs)) / 1024)
            self.processes = max(self.processes, len(theirs))


def emitted(records, directory):
    """Mean, p50 and p99 in ms of what the endpoint emitted for these requests."""
    kept = directory / "counted.jsonl"
    with open(kept, "w", encoding="utf-8") as f:
        f.writelines(json.dumps(r) + "\n" for r in records)
    total = truth.add_up([kept])
    figures = {"ttft": total["ttft_arrived_ms"] or total["ttft_ms"], "tpot": total["tpot_ms"], "itl": total["itl_ms"], "e2e": total["e2e_ms"]}
    return {k: {q: v[q] for q in ("mean", "p50", "p99")} if v else {} for k, v in figures.items()}, total


def mean_in_flight(records, from_ns, to_ns):
    if to_ns <= from_ns:
        return 0.0
    return sum(max(0, min(r["last_ns"], to_ns) - max(r["received_ns"], from_ns)) for r in records) / (to_ns - from_ns)

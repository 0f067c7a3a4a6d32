#!/usr/bin/env bash
# What tests/real/agreement.py says of runs that are made up here: nothing while only the server's speed changes, and the right name of each fault that is put in.
set -euo pipefail
cd "$(dirname "$0")/../.."
exec python3 - <<'P'
import io, random, sys
from contextlib import redirect_stdout
sys.path.insert(0, "tests/real")
import agreement

def wrong(figure, value, fault):
    return value if fault is None else value * fault if figure == "output_tps" else value + fault

def judge(what, unnamed, words, faults=None, meant=None, speeds=None, spread=0.3):
    """faults: {(client, figure): ms, of throughput a factor}; meant: plateau's figure under that client's definition, likewise; speeds: {client: of the server while it runs}."""
    pick, rows = random.Random(7), {}
    for client in ("plateau", "vllm-rs", "vllm", "aiperf"):
        rows[client] = []
        for _ in range(3):
            slow = pick.lognormvariate(0, spread) / (speeds or {}).get(client, 1)
            own = {"output_tps": 300 / slow, "ttft": 60 * slow, "tpot": 12 * slow}
            true = {k: v * pick.lognormvariate(0, 0.001) * (0.99 if k == "output_tps" else 1) + (6 if k == "ttft" else 0) for k, v in own.items()}
            ours = {k: wrong(k, v, (faults or {}).get(("plateau", k))) for k, v in true.items()}
            rows[client].append({"said": {k: wrong(k, v, (faults or {}).get((client, k))) for k, v in true.items()}, "own": own,
                                 "by": {who: wrong(who[1], ours[who[1]], (meant or {}).get(who)) for who in agreement.DEFINITIONS}})
    table = io.StringIO()
    with redirect_stdout(table):
        bad = agreement.report({4: rows}, [4])
    last = [line.split(" | ")[-1].strip(" |") for line in table.getvalue().splitlines()[3:] if "| plateau |" not in line]
    named = [word for word in last if word != "agrees"]
    if bad != unnamed or len(named) != len(words) or not all(n.startswith(w) for n, w in zip(named, words)):
        sys.exit(f"FAIL: {what}: {bad} without a name, expected {unnamed}; {named}, expected {words}\n{table.getvalue()}")
    print(f"ok: {what}")

differs = ["DIFFERS"] * 3
judge("only the server's speed changes", 0, [])
judge("plateau's TPOT is 3 % too long", 3, differs, {("plateau", "tpot"): 0.36})
judge("plateau's throughput is 3 % too low", 3, differs, {("plateau", "output_tps"): 0.97})
judge("another's TTFT is late", 0, ["its own delay"], {("aiperf", "ttft"): 10})
judge("another fills its streams late", 0, ["its own time outside"], {("aiperf", "output_tps"): 0.9})
judge("another's TTFT is too short", 1, ["DIFFERS"], {("vllm-rs", "ttft"): -3})
judge("another's TTFT is shorter by its definition", 0, ["definition: "], {("vllm-rs", "ttft"): -3}, {("vllm-rs", "ttft"): -3})
judge("the server is slower while one of them runs", 0, ["the server was"] * 3, speeds={"vllm": 0.5}, spread=0.01)
assert abs(agreement.t_bound(6, 0.01) - 3.7074) < 1e-4 and abs(agreement.t_bound(5, 0.01) - 4.0321) < 1e-4, "Student's t"
P

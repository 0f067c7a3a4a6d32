"""A small model of agents' session trees that shares no code with the program: makes random trees whose order is known since they are built from it, writes them
as a recorder would, and looks at what a run made of them.

    trees_model.py make DIR SEED COUNT [FORM]   DIR/*.json, and DIR.expect
    trees_model.py look DIR RUN LOG KEYS        KEYS: speed=10,think=0.5,lanes=2,marker=0,scope=local
"""
import json, pathlib, random, sqlite3, sys

BLOCK = 64


class Tree:
    def __init__(self, r, number, outs, absolute):
        self.r, self.number, self.outs, self.absolute = r, number, outs, absolute
        self.nodes, self.threads, self.next_id = [], 0, 1
        self.list = self.thread(0.0, None, [], 0)[0]

    def ids(self, before):
        """What was said before, sometimes cut short, and something new."""
        keep = before[: self.r.randint(len(before) // 2, len(before))] if self.r.random() < 0.3 else before
        new = list(range(self.next_id, self.next_id + self.r.randint(0, 4)))
        self.next_id += len(new)
        return keep + new

    def request(self, thread, start, after, ids, api=None):
        end = round(start + (api or self.r.uniform(0.4, 3)), 3)
        node = {"tree": self.number, "thread": thread, "start": start, "end": end, "after": sorted(after), "ids": ids, "out": self.outs.pop(), "model": self.r.randrange(2),
                "in": max(1, BLOCK * len(ids) + self.r.randrange(BLOCK))}
        self.nodes.append(node)
        entry = {"t": start, "type": self.r.choice("ns"), "model": ["opus", "haiku"][node["model"]], "in": node["in"], "out": node["out"], "hash_ids": ids, "input_types": ["text"],
                 "api_time": round(end - start, 3), "stop": "end_turn"}
        return len(self.nodes) - 1, entry

    def thread(self, start, spawned_by, ids, depth):
        """Its list of requests, and those of its own that nothing waits for."""
        r, me = self.r, self.threads
        self.threads += 1
        entries, ready, cursor, plain = [], [] if spawned_by is None else [spawned_by], start, False
        for turn in range(r.randint(1, 5)):
            ids = self.ids(ids)
            gap = round(cursor - max((self.nodes[k]["end"] for k in ready), default=0), 3)
            if turn and r.random() < 0.2: # two at once
                first, a = self.request(me, cursor, ready, ids, r.uniform(3, 5))
                second, b = self.request(me, round(cursor + r.uniform(0, 0.3), 3), ready, self.ids(ids), r.uniform(3, 5))
                entries += [a, b]
                ready, plain = [first, second], False
            else:
                if plain and r.random() < 0.3: # its forerunner's end was not recorded, but how long the agent thought was
                    del entries[-1]["api_time"]
                number, entry = self.request(me, cursor, ready, ids)
                entry["think_time"] = gap
                entries.append(entry)
                ready, plain = [number], True
            leaves = list(ready)
            spawner = entries and len(self.nodes) - 1
            if depth < 2 and r.random() < 0.5:
                for _ in range(r.choice([1, 1, 2, 3])):
                    begun = round(self.nodes[spawner]["end"] + r.uniform(0, 2), 3)
                    before, background = len(self.nodes), r.random() < 0.3
                    inner, last = self.thread(begun, spawner, ids, depth + 1)
                    ended = max(self.nodes[k]["end"] for k in range(before, len(self.nodes)))
                    for e in inner if not self.absolute else []:
                        e["t"] = round(e["t"] - begun, 3)
                    entries.append({"t": begun if self.absolute else ended, "type": "subagent", "agent_id": f"agent_{before}", "subagent_type": "Explore",
                                    "status": "async_launched" if background else "completed", "requests": inner, "models": [],
                                    "duration_ms": None if self.absolute else round(1000 * (ended - begun))})
                    if not background:
                        ready = ready + last
                plain = False
            cursor = round(max(self.nodes[k]["end"] for k in ready) + r.uniform(1.2, 8), 3)
            leaves = ready
        return entries, leaves

    def file(self, scope):
        return {"id": f"tree_{self.number}", "models": ["opus", "haiku"], "block_size": BLOCK, "hash_id_scope": scope, "tool_tokens": 0, "system_tokens": 0, "requests": self.list,
                "totals": {"requests": len(self.nodes)}}


def make(directory, seed, count, form="folder", scope="local"):
    r = random.Random(seed)
    outs = random.Random(seed + 1).sample(range(1, 5000), 4000)
    directory.mkdir(parents=True, exist_ok=True)
    nodes, texts = [], []
    for n in range(count):
        tree = Tree(r, n, outs, absolute=n % 3 == 2)
        base = len(nodes)
        # one that ended with a background agent's requests: what nothing waits for stays so
        nodes += [{**node, "after": [base + k for k in node["after"]]} for node in tree.nodes]
        texts.append(json.dumps(tree.file(scope), indent=r.choice([None, 1])))
        if form == "folder":
            (directory / f"{n:04d}.json").write_text(texts[-1])
    if form == "one":
        (directory / "all.json").write_text("\n".join(texts) + "\n")
    if form == "array":
        (directory / "all.json").write_text("[" + ",\n".join(texts) + "]")
    pathlib.Path(f"{directory}.expect").write_text(json.dumps(nodes))


def words(s):
    return {k: v for k, v in (p.split("=") for p in s.split(","))}


def look(directory, run, log, keys):
    nodes = json.loads(pathlib.Path(f"{directory}.expect").read_text())
    keys, bad = words(keys), []
    speed, think, lanes = float(keys.get("speed", 1)), float(keys.get("think", 1e9)), int(keys["lanes"])

    def check(ok, text):
        if not ok:
            bad.append(text)

    rows = sqlite3.connect(run + "/run.sqlite").execute("SELECT agent, session, turn, due_ns, ended_ns, outcome, asked_input, asked_output, model FROM request").fetchall()
    by_out = {n["out"]: k for k, n in enumerate(nodes)}
    check(sorted(by_out) == sorted(row[7] for row in rows), f"{len(rows)} requests, {len(nodes)} are in the trees")
    got = {by_out[row[7]]: row for row in rows if row[7] in by_out}
    late, models = [], {}
    for n in nodes:
        order = models.setdefault(n["tree"], [])
        if n["model"] not in order:
            order.append(n["model"])
        n["model"] = order.index(n["model"]) # the tree's first model is the plan's first
    for k, n in enumerate(nodes):
        if k not in got or any(a not in got for a in n["after"]):
            continue
        agent, session, turn, due, ended, outcome, asked, _, model = got[k]
        check(asked == n["in"] and outcome == "ok" and model == n["model"], f"request {k}: {got[k]}, expected {n}")
        if not n["after"]:
            continue
        wait = min(n["start"] - max(nodes[a]["end"] for a in n["after"]), think) / speed
        ready = max(got[a][3] + got[a][4] for a in n["after"])
        check(abs(due - ready - wait * 1e9) < 2000, f"request {k} of tree {n['tree']}, thread {n['thread']}: due {(due - ready) / 1e9:.6f} s after those before it, recorded {wait:.6f}")
        check(all(got[a][0] == agent for a in n["after"]), f"request {k} left its tree's lane")
        late.append(wait)
    for number in {n["thread"] for n in nodes}:
        for tree in {n["tree"] for n in nodes}:
            turns = [got[k][2] for k, n in enumerate(nodes) if (n["tree"], n["thread"]) == (tree, number) and k in got]
            check(turns == list(range(1, len(turns) + 1)), f"turns of an agent: {turns}")
    trees = {}
    for k, row in got.items():
        b, e = trees.get(nodes[k]["tree"], (row[3], 0))
        trees[nodes[k]["tree"]] = min(b, row[3]), max(e, row[3] + row[4])
    moments = sorted([(b, 1) for b, _ in trees.values()] + [(e, -1) for _, e in trees.values()])
    open_now = most = 0
    for _, step in moments:
        open_now += step
        most = max(most, open_now)
    check(most <= lanes, f"{most} trees at once in {lanes} lanes")
    if log:
        prompts(nodes, by_out, [json.loads(line) for line in open(log)], keys, check)
    print(f"{len(rows)} requests in {len(trees)} trees, at most {most} at once; waits up to {max(late):.3f} s")
    for text in bad[:8]:
        print("BAD", text)
    return 1 if bad else 0


def prompts(nodes, by_out, seen, keys, check):
    """Equal ids are equal text, and nothing else is; a header names each agent of a tree."""
    text, names = {}, {}
    mark = 8 if keys.get("marker") == "1" else 0
    for s in seen:
        if s["asked"] not in by_out:
            continue
        k = by_out[s["asked"]]
        n = nodes[k]
        text[k] = s["messages"][0]["content"]
        names.setdefault((n["tree"], n["thread"]), set()).add(s["session"])
        check(len(s["messages"]) == 1 and len(text[k]) == 4 * n["in"], f"request {k}: a prompt of {len(text[k])} characters for {n['in']} tokens")
    every = [x for v in names.values() for x in v]
    check(all(len(v) == 1 for v in names.values()) and len(set(every)) == len(every) and None not in every, f"names of agents: {names}")
    for a in range(len(nodes)):
        for b in range(a + 1, min(a + 12, len(nodes))):
            x, y, ta, tb = nodes[a], nodes[b], text.get(a), text.get(b)
            if ta is None or tb is None:
                continue
            same = 0
            if x["tree"] == y["tree"] or keys.get("scope") == "global" and not mark:
                while same < len(x["ids"]) and same < len(y["ids"]) and x["ids"][same] == y["ids"][same]:
                    same += 1
                same = 4 * min(mark + BLOCK * same, x["in"], y["in"])
            check(ta[:same] == tb[:same], f"requests {a} and {b} share {same // 4} tokens and their text does not")
            check(same + 80 > min(len(ta), len(tb)) or ta[same : same + 80] != tb[same : same + 80], f"requests {a} and {b} share but {same // 4} tokens")


if __name__ == "__main__":
    if sys.argv[1] == "make":
        make(pathlib.Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]), *sys.argv[5:])
    else:
        sys.exit(look(*sys.argv[2:]))

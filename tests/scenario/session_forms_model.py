"""A small model of the traces of sessions that are not weka's: makes random sessions whose order is known since they are built from it, and writes them as
their recorders would. It shares no code with the program. What a run made of them is looked at by trees_model.py (tracelab, mooncake-sessions, otel), or here (dag,
whose prompts are text).

    session_forms_model.py make FORM DIR SEED COUNT   DIR/all.jsonl, and DIR.expect
    session_forms_model.py look DIR RUN LOG KEYS      of dag
"""
import datetime, json, pathlib, random, sqlite3, sys

BLOCK = 64


class Maker:
    def __init__(self, seed):
        self.r = random.Random(seed)
        self.outs = random.Random(seed + 1).sample(range(1, 5000), 4000)
        self.nodes, self.lines, self.fresh = [], [], 0

    def new(self, n):
        self.fresh += n
        return list(range(self.fresh - n, self.fresh))

    def node(self, **k):
        self.nodes.append({"after": sorted(k.pop("after")), "out": self.outs.pop(), **k})
        return len(self.nodes) - 1

    def mix(self, lists):
        """Their elements, each list's in its order."""
        lists = [list(reversed(x)) for x in lists if x]
        while lists:
            pick = self.r.choice(lists)
            yield pick.pop()
            lists = [x for x in lists if x]


# ---- tracelab: times say what waits for what; a prefix of tokens says what prompts share ----


def stamp(s):
    return (datetime.datetime(2026, 3, 1) + datetime.timedelta(milliseconds=round(1000 * s))).isoformat(timespec="milliseconds") + "Z"


def tracelab(m, count):
    r, sessions = m.r, []
    for tree in range(count):
        base, cursor, ids, tokens, ready, rows = r.randrange(10**6), 0.0, [], 0, [], []
        name = f"{r.choice(['claude', 'codex'])}:{tree:04d}"
        for turn in range(r.randint(1, 6)):
            pair = turn and r.random() < 0.25
            begun, waits = [], ready
            for k in range(2 if pair else 1):
                start = round(cursor + (k and r.uniform(0.05, 0.3)), 3)
                silent = not pair and r.random() < 0.1 # nothing says when it ended
                end = start if silent else round(start + r.uniform(3, 5) if pair else start + r.uniform(0.3, 4), 3)
                whole = r.choice([tokens, tokens - r.randrange(1, 130), r.randint(0, max(tokens, 1)), tokens + r.randrange(500), 0])
                size = max(1, whole + r.randint(1, 700))
                prefix = max(0, min(whole, size))
                kept = min(prefix // BLOCK, len(ids))
                ids = ids[:kept] + m.new(size // BLOCK - kept)
                tokens, model = size, r.randrange(2)
                number = m.node(tree=tree, thread=0, start=start, end=end, after=waits, ids=ids, model=model, **{"in": size})
                begun.append(number)
                sources = [("user_message", start)] if r.random() < 0.5 else [("tool_result", round(start - r.uniform(0, 0.2), 3)), ("tool_result", start)]
                events = sources + ([] if silent else [("reasoning", round(start + 0.01, 3)), (r.choice(["text", "tool_call"]), end)]) + [("usage_report", end + 0.5)] * r.randrange(2)
                r.shuffle(events)
                rows.append(json.dumps({
                    "provider": name.split(":")[0], "session_id": name, "round_index": r.choice([turn, turn, 0]), "model": ["opus", "gpt"][model], "input_tokens_total": size,
                    "prefix_tokens": r.choice([prefix, None]) if prefix == 0 else prefix, "newly_append_tokens": size - prefix, "output_tokens": m.nodes[number]["out"],
                    "reasoning_output_tokens": r.choice([None, 3]), "timing_events": [{"event_type": a, "timestamp": stamp(base + b), "tool": {"timestamp": "x"}} for a, b in events],
                    "tools": [], "trace_key": "a\"b"}))
            ready = begun
            cursor = round(max(m.nodes[k]["end"] for k in ready) + r.uniform(1.2, 8), 3)
        r.shuffle(rows)
        sessions.append(rows)
    m.lines = list(m.mix(sessions))


# ---- mooncake-sessions: what is new in each turn, and the wait before it ----


def mooncake(m, count):
    r, sessions, pool, later = m.r, [], list(range(5)), 100
    for tree in range(count):
        rows, ids, tokens, start, before, answer, first = [], [], 0, 0.0, [], 0, None
        whole_lines = r.random() < 0.3
        for turn in range(r.randint(1, 6)):
            new = r.randint(1, 2500)
            blocks = -(-new // 512)
            delay = round(r.uniform(0, 4000), r.choice([0, 1]))
            if turn == 0:
                given = pool[: r.randint(0, min(3, blocks))]
                given += list(range(later, later + blocks - len(given)))
            elif whole_lines: # the whole prompt, which begins as the one before
                new = tokens + r.randint(1, 2500)
                blocks = -(-new // 512)
                keep = min(tokens // 512, blocks)
                given = first[:keep] + list(range(later, later + blocks - keep))
            else:
                given = list(range(later, later + blocks))
            later += blocks
            bare = turn and not whole_lines and r.random() < 0.2 # no ids
            start += delay / 1000 if turn else 0
            parts = [("f", g * 8 + k) for g in given for k in range(8)]
            if turn == 0 or whole_lines:
                tokens = new
                ids = parts[: tokens // BLOCK]
            else:
                tokens += answer + new
                full = tokens // BLOCK
                take = 0 if bare else min(-(-new // BLOCK), full - len(ids))
                ids = ids + [("a", tree, m.new(1)[0]) for _ in range(full - len(ids) - take)] + parts[:take]
            first = given
            number = m.node(tree=tree, thread=0, start=start, end=start, after=before, ids=ids, model=0, **{"in": tokens})
            answer, before = m.nodes[number]["out"], [number]
            row = {"session_id": f"sess-{tree}", "input_length": new, "output_length": answer, "hash_ids": given}
            if bare:
                row["hash_ids"] = None
            if turn == 0:
                row.update(timestamp=float(r.randrange(10**6)), group_id=3)
            else:
                row["delay"] = delay
            if whole_lines and (turn and not keep or r.random() < 0.5): # else its first id says so
                row["context_mode"] = "message_array_with_responses"
            rows.append(json.dumps(row))
        sessions.append(rows)
    m.lines = list(m.mix(sessions))


# ---- otel: agents are spans around calls ----


class Otel:
    def __init__(self, m, tree):
        self.m, self.tree, self.threads = m, tree, 0
        self.trace, self.origin, self.spans = f"{tree:032x}", 1_700_000_000 + m.r.randrange(10**6), []
        self.talk = f"talk {tree}" if m.r.random() < 0.5 else None

    def span(self, parent, start, end, attributes, failed=False):
        r, own = self.m.r, f"{len(self.spans):08x}{self.tree:08x}"
        values = [{"key": k, "value": {"stringValue": v} if isinstance(v, str) else {"intValue": r.choice([str(v), v])}} for k, v in attributes.items()]
        values.append({"key": "other", "value": {"arrayValue": {"values": [{"stringValue": "x"}]}}})
        r.shuffle(values)
        ns = lambda s: str(round((self.origin + s) * 1000) * 10**6)
        s = {"traceId": self.trace, "spanId": own, "parentSpanId": parent or "", "name": "x", "kind": 3, "startTimeUnixNano": ns(start), "endTimeUnixNano": ns(end), "attributes": values,
             "events": [{"name": "e", "attributes": []}], "status": {"code": 2} if failed else {}}
        if r.random() < 0.3: # as libraries of inference-perf write it
            s = {"trace_id": self.trace, "span_id": own, "parent_span_id": parent, "start_time": stamp_us(self.origin + start), "end_time": stamp_us(self.origin + end),
                 "attributes": dict(attributes), "status": {"code": "STATUS_CODE_ERROR" if failed else 1}}
        self.spans.append(s)
        return own

    def agent(self, parent, start, spawned_by, ids, depth):
        """Calls of one agent; returns when it ended and what of it nothing waits for."""
        r, m, me = self.m.r, self.m, self.threads
        self.threads += 1
        span = self.span(parent, start - 0.001, start, {"gen_ai.operation.name": "invoke_agent", "gen_ai.usage.input_tokens": 99999}) if depth or self.talk or r.random() < 0.7 else parent
        mark = len(self.spans) - 1
        ready, cursor, tokens, open_agents = [] if spawned_by is None else [spawned_by], start, BLOCK * len(ids), []
        for turn in range(r.randint(1, 4)):
            done = [a for a in open_agents if a[0] <= cursor]
            open_agents = [a for a in open_agents if a[0] > cursor]
            after = ready + [k for a in done for k in a[1]]
            shared = r.choice([tokens, r.randint(0, max(tokens, 1)), 0])
            size = max(1, shared + r.randint(1, 500))
            ids = ids[: min(shared // BLOCK, len(ids))]
            ids = ids + m.new(size // BLOCK - len(ids))
            tokens, end, model = size, round(cursor + r.uniform(0.3, 2), 3), r.randrange(2)
            number = m.node(tree=self.tree, thread=me, start=cursor, end=end, after=after, ids=ids, model=model, **{"in": size})
            self.call(span, cursor, end, size, m.nodes[number]["out"], shared, model)
            ready = [number]
            latest = end
            if depth < 2 and r.random() < 0.5:
                for _ in range(r.choice([1, 1, 2])):
                    begun = round(end + r.uniform(0.01, 1), 3)
                    tool = self.span(span, begun - 0.005, begun, {"gen_ai.operation.name": "execute_tool"})
                    over, last = self.agent(tool, begun, number, ids, depth + 1)
                    open_agents.append((over, last))
                    if r.random() < 0.7:
                        latest = max(latest, over)
            cursor = round(latest + r.uniform(1.2, 5), 3)
        over = max([self.m.nodes[number]["end"]] + [a[0] for a in open_agents]) + 0.1
        if depth or span != parent:
            self.close(mark, over)
        # an agent ends after those that it started, so that who waits for it waits for them
        return over, ready + [k for a in open_agents for k in a[1]]

    def close(self, at, end):
        s = self.spans[at]
        if "end_time" in s:
            s["end_time"] = stamp_us(self.origin + end)
        else:
            s["endTimeUnixNano"] = str(round((self.origin + end) * 1000) * 10**6)

    def call(self, parent, start, end, size, out, shared, model):
        r = self.m.r
        a = {"gen_ai.operation.name": r.choice(["chat", "text_completion", "generate_content"]), "gen_ai.request.model": ["gpt", "opus"][model], "gen_ai.response.model": "z"}
        a[r.choice(["gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens"])] = size
        a[r.choice(["gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens"])] = out
        if shared or r.random() < 0.5:
            a["gen_ai.usage.cache_read.input_tokens"] = shared
        if r.random() < 0.2:
            del a["gen_ai.operation.name"]
        if self.talk:
            a["gen_ai.conversation.id"] = self.talk
        around = self.span(parent, start, end, {"http.request.method": "POST"}) if r.random() < 0.3 else parent
        self.span(around, start, end, a)
        if r.random() < 0.2:
            self.span(parent, start, end, {"gen_ai.operation.name": r.choice(["chat", "embeddings"]), "gen_ai.request.model": "gpt"}, failed=True)


def stamp_us(s):
    return (datetime.datetime(1970, 1, 1) + datetime.timedelta(milliseconds=round(1000 * s))).isoformat(timespec="microseconds") + "+00:00"


def otel(m, count):
    r, spans = m.r, []
    for tree in range(count):
        o = Otel(m, tree)
        root = o.span(None, 0, 0.001, {"service": "x"})
        end, last = o.agent(root, 1.0, None, [], 0)
        if o.talk and r.random() < 0.6: # the next turn of the talk is a trace of its own
            o.trace = f"{tree + 1000:032x}"
            was, o.threads = len(m.nodes), o.threads
            o.agent(None, round(end + r.uniform(2, 4), 3), None, [], 0)
            follow(m, was, last)
        spans += o.spans
    r.shuffle(spans)
    while spans:
        n = r.randint(1, 9)
        some, spans = spans[:n], spans[n:]
        if r.random() < 0.2:
            o = {"trace_id": "x", "span_count": n, "spans": some}
        else:
            o = {"resourceSpans": [{"resource": {"attributes": []}, "scopeSpans": [{"scope": {"name": "s"}, "spans": some[:2]}, {"spans": some[2:]}]}]}
        m.lines.append(json.dumps(o, indent=r.choice([None, 1])))


def follow(m, at, last):
    """The first call of a talk's next trace is the root's next turn."""
    tree = m.nodes[at]["tree"]
    thread = m.nodes[at]["thread"]
    for n in m.nodes[at:]:
        if n["thread"] == thread:
            n["thread"] = 0
    m.nodes[at]["after"] = sorted(last)


# ---- dag: text ----


class Dag:
    def __init__(self, m, tree):
        self.m, self.tree, self.lines, self.names = m, tree, [], 0

    def session(self, start, spawned_by, said, depth, fork):
        """A conversation; returns when it ended and what ends it."""
        r, m, name = self.m.r, self.m, f"s{self.tree}-{self.names}"
        me = self.names
        self.names += 1
        isolated = not fork and depth and r.random() < 0.2
        count = r.randint(1, 4)
        turns, waits, cursor, ready, leaves, early = [], {}, start, [] if spawned_by is None else [spawned_by], [], []
        line = {"session_id": name}
        if isolated:
            line["context_mode"] = "message_array_with_responses"
        if depth < 2 and r.random() < 0.2:
            early.append(self.session(start, spawned_by, [], depth + 1, False)[2])
            line["pre_session_spawns"] = early
        for k in range(count):
            own = [{"role": "system", "content": f"You are {name}. "}] if k == 0 and not fork else []
            own += [{"role": r.choice(["user", "tool"]), "content": f"{name} turn {k}: \u00e9 \"{'x' * r.randint(0, 300)}\"\n"} for _ in range(r.randint(1, 2))]
            sent = [{"role": "user" if x["role"] == "tool" else x["role"], "content": x["content"]} for x in own]
            said = sent if isolated else said + sent
            delay = r.choice([0, 0, round(r.uniform(1, 2000), 1)])
            after = ready + [x for ends in waits.get(k, []) for x in ends[1]]
            begun = max([cursor] + [ends[0] for ends in waits.get(k, [])])
            at = begun + delay / 1000
            number = m.node(tree=self.tree, thread=me, start=at, end=at, after=after, model=0, messages=said, ids=[], **{"in": max(1, -(-sum(len(x["content"].encode()) for x in said) // 4))})
            out, ready, cursor = m.nodes[number]["out"] % 400 + 1, [number], at
            m.nodes[number]["out"] = out
            if not isolated:
                said = said + [{"role": "assistant", "content": "and " * out}]
            content = [{"type": "text", "text": own[-1]["content"][:5]}, {"type": "text", "text": own[-1]["content"][5:]}] if r.random() < 0.3 else own[-1]["content"]
            turn = {"messages": own[:-1] + [{"content": content, "role": own[-1]["role"]}], "max_tokens": out}
            if delay:
                turn["delay"] = delay
            if depth < 3 and r.random() < 0.4:
                join = k + 1
                if k + 2 < count and r.random() < 0.5:
                    join = r.randint(k + 1, count - 1)
                kids = [self.session(at, number, [], depth + 1, False) for _ in range(r.choice([1, 2]))]
                plain = join == k + 1 and r.random() < 0.7
                turn["spawns"] = [x[2] for x in kids] if plain else [{"children": [x[2] for x in kids], **({} if join == k + 1 else {"join_at": join})}]
                waits.setdefault(join, []).extend(kids)
            if depth < 3 and r.random() < 0.3:
                last = k + 1 == count
                child = self.session(at, number, said, depth + 1, True)
                turn["forks"] = [child[2] if last and r.random() < 0.5 else {"child": child[2], "background": not last}]
                if last:
                    leaves.append(child)
            turns.append(turn)
        line["turns"] = turns
        self.lines.append(json.dumps(line, ensure_ascii=r.random() < 0.5))
        return max([cursor] + [x[0] for x in leaves]), ready + [x for leaf in leaves for x in leaf[1]], name


def dag(m, count):
    for tree in range(count):
        d = Dag(m, tree)
        d.session(0.0, None, [], 0, False)
        m.lines += d.lines
    m.r.shuffle(m.lines)


def make(form, directory, seed, count):
    m = Maker(seed)
    {"tracelab": tracelab, "mooncake-sessions": mooncake, "otel": otel, "dag": dag}[form](m, count)
    directory.mkdir(parents=True, exist_ok=True)
    end = m.r.choice(["\n", "\r\n"])
    (directory / "all.jsonl").write_bytes((end.join(m.lines) + m.r.choice(["", end])).encode())
    pathlib.Path(f"{directory}.expect").write_text(json.dumps(m.nodes))


def look(directory, run, log, speed):
    """Of dag: each request's messages are those that the model made, and it was due as long after those before it as the file says."""
    nodes, bad = json.loads(pathlib.Path(f"{directory}.expect").read_text()), []
    text = lambda messages: json.dumps([[x["role"], x["content"]] for x in messages])
    want = {text(n["messages"]): k for k, n in enumerate(nodes)}
    assert len(want) == len(nodes), "the model's prompts differ from one another"
    seen = [json.loads(line) for line in open(log)]
    known = [want.get(text(s["messages"])) for s in seen]
    if sorted(k for k in known if k is not None) != list(range(len(nodes))):
        bad.append(f"{len(seen)} requests, {sum(k is None for k in known)} of them not in the file, which has {len(nodes)}")
    agents = {}
    for s, k in zip(seen, known):
        if k is None:
            continue
        if s["asked"] != nodes[k]["out"]:
            bad.append(f"request {k} asks for {s['asked']}, expected {nodes[k]['out']}")
        agents.setdefault((nodes[k]["tree"], nodes[k]["thread"]), set()).add(s["session"])
        began = {known[i]: x for i, x in enumerate(seen) if known[i] is not None}
        for a in nodes[k]["after"]:
            if a in began and began[a]["ended"] > s["began"] + 0.001:
                bad.append(f"request {k} began before {a} had ended")
    names = [x for v in agents.values() for x in v]
    if any(len(v) != 1 for v in agents.values()) or len(set(names)) != len(names):
        bad.append(f"names of conversations: {agents}")
    rows = sqlite3.connect(run + "/run.sqlite").execute("SELECT asked_input, asked_output, due_ns, ended_ns, session, turn FROM request").fetchall()
    if sorted(r[:2] for r in rows) != sorted((n["in"], n["out"]) for n in nodes):
        bad.append("lengths asked for are not those of the text")
    single = {}
    for r in rows:
        single.setdefault(r[:2], []).append(r)
    waits = 0
    for n in nodes: # those that their lengths tell apart
        own = single.get((n["in"], n["out"]), [])
        before = [single.get((nodes[a]["in"], nodes[a]["out"]), []) for a in n["after"]]
        if len(own) != 1 or not before or any(len(b) != 1 for b in before):
            continue
        wait = (n["start"] - max(nodes[a]["end"] for a in n["after"])) / speed
        got = own[0][2] - max(b[0][2] + b[0][3] for b in before)
        waits += 1
        if abs(got - wait * 1e9) > 2000:
            bad.append(f"a request was due {got / 1e9:.6f} s after those before it, the file says {wait:.6f}")
    print(f"{len(seen)} requests, {waits} waits compared")
    for b in bad[:8]:
        print("BAD", b)
    return 1 if bad or not waits else 0


if sys.argv[1] == "make":
    make(sys.argv[2], pathlib.Path(sys.argv[3]), int(sys.argv[4]), int(sys.argv[5]))
else:
    sys.exit(look(sys.argv[2], sys.argv[3], sys.argv[4], float(sys.argv[5])))

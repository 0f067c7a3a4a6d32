"""The hit rate of a prefix cache, by a model that shares no code with plateau: what the ids of a trace allow, and what a server that keeps whole blocks only finds of it.

    reuse.py make bailian|mooncake FILE SEED ROWS BLOCK MOST   a trace: conversations that go on and branch, prompts of at most MOST tokens
    reuse.py trace RUN FILE BLOCK SERVER-BLOCK HITS QUERIES    of a run of it, one request at a time: plateau's sums, the server's usage and its counters
    reuse.py talks FILE SEED                                   conversations in ShareGPT's form
    reuse.py turns RUN BLOCK SHORT HITS QUERIES                of a run of conversations: what came from the cache, turn by turn
"""
import collections, csv, json, random, sys

WITHIN = 0.02  # of the hit rate


def make(form, path, seed, rows, block, most):
    r = random.Random(seed)
    talks, lines, fresh, t = [], [], seed << 20, 0.0  # ids of other seeds are other text: the server knows none of it
    for k in range(rows):
        t += r.expovariate(2)
        talk = r.choice(talks) if talks and r.random() < 0.75 else {"ids": [], "tokens": 0}
        keep = len(talk["ids"]) if r.random() < 0.7 else r.randint(0, len(talk["ids"]))
        full = min(talk["tokens"] // block, keep)  # the last block of a row is not whole, and never shared
        tokens = full * block + r.randint(block // 2, most // 3)
        if tokens > most:
            full, tokens = 0, r.randint(block // 2, most // 3)
        n = -(-tokens // block)
        ids = talk["ids"][:full] + list(range(fresh, fresh + n - full))
        fresh += n - full
        talks.append({"ids": ids, "tokens": tokens})
        row = {"timestamp": int(1000 * t) if form == "mooncake" else round(t, 3), "input_length": tokens, "output_length": r.randint(2, 8), "hash_ids": ids}
        if form == "bailian":
            row = {"chat_id": k, "parent_chat_id": -1, **row, "type": "text", "turn": 1}
        lines.append(json.dumps(row) + "\n")
    open(path, "w").writelines(lines)


def allowed(path, block, server_block):
    """Tokens; those with which an earlier row began; those of them in whole blocks of the server, of which it looks up all but the last token."""
    known, tokens, shared, whole = set(), 0, 0, 0
    for line in open(path):
        row = json.loads(line)
        ids, length = row["hash_ids"], row["input_length"]
        n = 0
        while n < len(ids) and (n, ids[n]) in known:
            n += 1
        known |= set(enumerate(ids))
        tokens += length
        shared += min(n * block, length)
        whole += min(n * block, length - 1) // server_block * server_block
    return tokens, shared, whole


def close(what, a, b):
    off = a / b - 1
    print(f"{'ok' if abs(off) <= WITHIN else 'FAILED'}: {what}: {100 * a:.2f} % and {100 * b:.2f} % ({100 * off:+.2f} %)")
    return abs(off) <= WITHIN


def trace(run, path, block, server_block, hits, queries):
    points = json.load(open(run + "/summary.json"))["points"]
    sums = collections.Counter()
    for p in points:
        sums.update({k: v for k, v in p["evidence"]["counters"].items() if k.endswith("tokens") or k == "ok"})
    tokens, shared, whole = allowed(path, block, server_block)
    print(f"the trace: {shared} of {tokens} tokens, {whole} of them in whole blocks of {server_block}; plateau: {sums['repeated_tokens']} of {sums['sent_input_tokens']}; "
          f"usage: {sums['cached_tokens']} of {sums['usage_input_tokens']}; the server's counters: {hits} of {queries}")
    good = sums["repeated_tokens"] == shared and sums["sent_input_tokens"] == tokens
    print("ok" if good else "FAILED", ": plateau's sums are the trace's", sep="")
    good &= close("usage, and what the trace's blocks allow", sums["cached_tokens"] / sums["usage_input_tokens"], shared / tokens)
    good &= close("the server's counters, and what the trace's blocks allow", hits / queries, shared / tokens)
    good &= close("the server's counters, and what whole blocks of its own allow", hits / queries, whole / tokens)
    good &= close("usage, and the server's counters", sums["cached_tokens"] / sums["usage_input_tokens"], hits / queries)
    return good


def talks(path, seed):
    """Conversations as ShareGPT has them, whose words are in the tiny model's vocabulary."""
    r = random.Random(seed)
    words = "license copyright software work program source code terms conditions notice distribute modify version permission free public library".split()
    say = lambda n: " ".join(r.choice(words) for _ in range(n))
    turn = lambda: [{"from": "human", "value": say(r.randint(20, 60))}, {"from": "gpt", "value": say(r.randint(10, 40))}]
    json.dump([{"id": str(k), "conversations": [m for _ in range(5) for m in turn()]} for k in range(12)], open(path, "w"))


def turns(run, block, short, hits, queries):
    """A turn finds the prompt before it, in whole blocks (`short`: less so many tokens), and no more than that and its answer, where that is
    the server's own: of a file the probe has sent the first record."""
    talk = collections.defaultdict(dict)
    for row in csv.DictReader(open(run + "/export-requests-csv/requests.csv")):
        talk[row["agent"], row["session"]][int(row["turn"])] = int(row["input"]), int(row["cached"] or 0), int(row["output"])
    summary = json.load(open(run + "/summary.json"))
    own = summary["plan"]["workload"][0]["sessions"].get("history") != "recorded"
    by, good = collections.defaultdict(list), True
    for rows in talk.values():
        for t, (tokens, cached, _) in rows.items():
            by[t].append((tokens, cached))
            if t > 1:
                before, _, answer = rows[t - 1]
                if not (before - short) // block * block <= cached <= (before + answer if own else tokens):
                    good = False
                    print(f"    turn {t}: {cached} of {tokens} tokens from the cache, after {before} and an answer of {answer}")
    print("ok" if good else "FAILED", ": each turn finds the prompt before it", sep="")
    mean = {t: [sum(x) / len(rows) for x in zip(*rows)] for t, rows in sorted(by.items())}
    for t, (tokens, cached) in mean.items():
        print(f"    turn {t}: {len(by[t])} requests, {tokens:.1f} input tokens, {cached:.1f} from the cache")
    grows = all(a[1] < b[1] for a, b in zip(mean.values(), list(mean.values())[1:]))
    print("ok" if grows else "FAILED", ": cached tokens grow turn by turn", sep="")
    known = sum(rows[t - 1][0] + own * rows[t - 1][2] for rows in talk.values() for t in rows if t > 1)
    everything, cached = (sum(r[i] for rows in talk.values() for r in rows.values()) for i in (0, 1))
    good &= grows & close("what prompts repeat, by plateau and by its rows", summary["answer"]["prefix_cache"]["possible"], known / everything)
    return good & close("usage, and the server's counters", cached / everything, hits / queries)


if __name__ == "__main__":
    what, *rest = sys.argv[1:]
    if what == "make":
        make(rest[0], rest[1], *map(int, rest[2:]))
    elif what == "trace":
        sys.exit(not trace(rest[0], rest[1], *map(int, rest[2:])))
    elif what == "talks":
        talks(rest[0], int(rest[1]))
    else:
        sys.exit(not turns(rest[0], *map(int, rest[1:])))

"""Conversations as the endpoint saw them against a model of what they must be: sessions.py LOG RUN --turns LOW HIGH --think S [--slots N] [--by-request]
[--recorded FILE] [--own FILE]. Shares nothing with the program but the words of the plan."""
import argparse
import collections
import json

a = argparse.ArgumentParser()
a.add_argument("log")
a.add_argument("run")
a.add_argument("--turns", type=int, nargs=2, required=True)
a.add_argument("--think", type=float, default=0)
a.add_argument("--slots", type=int, default=0)
a.add_argument("--by-request", action="store_true")
a.add_argument("--window", action="store_true", help="a part of the run was warm-up")
a.add_argument("--recorded")
a.add_argument("--own")
o = a.parse_args()
seen = [json.loads(line) for line in open(o.log)]
point = json.load(open(o.run + "/summary.json"))["points"][0]
talks = collections.defaultdict(list)
for r in sorted(seen, key=lambda r: r["began"]):
    assert len(r["session"]) == 16 and r["other"] == "a" + r["session"] + "z", r
    talks[r["session"]].append(r)

records = {}
if o.recorded or o.own:
    for line in json.load(open(o.recorded or o.own)):
        turns = [(t["from"], t["value"]) for t in line["conversations"]]
        while turns and turns[-1][0] != "gpt":
            turns.pop()
        human = next(i for i, (who, _) in enumerate(turns) if who == "human")
        turns = [t for t in turns[:human] if t[0] == "system"] + turns[human:]
        records[next(v for who, v in turns if who == "human")] = turns

whole = broken = open_ = 0
lengths = collections.Counter()
for name, turns in talks.items():
    said = []
    record = None
    if records:
        first = [m["content"] for m in turns[0]["messages"] if m["role"] == "user"][0]
        record = records[first]
        system = [{"role": "system", "content": v} for who, v in record if who == "system"]
        users = [v for who, v in record if who == "human"]
        answers = [v for who, v in record if who == "gpt"]
    for k, r in enumerate(turns):
        # what was said before, and one new message of the user
        if record:
            user = users[k]
            said = said or list(system)
        else:
            user = r["messages"][-1]["content"]
            assert len(user) > 10 and not any(m["content"] == user for m in said), "a prompt comes twice"
        said = said + [{"role": "user", "content": user}]
        assert r["messages"] == said, f"session {name}, turn {k + 1}: sent {r['messages']}, expected {said}"
        if record and k < len(answers):
            assert r["asked"] == -(-len(answers[k].encode()) // 4), (r["asked"], answers[k])
        if r["answer"] is not None:
            said = said + [{"role": "assistant", "content": answers[k] if o.recorded else r["answer"]}]
        if k:
            before = turns[k - 1]
            assert before["answer"] is not None, "a conversation goes on after a failure"
            assert r["began"] >= before["ended"], "two requests of one conversation at once"
            pause = r["began"] - before["ended"]
            assert pause >= o.think - 1e-6, f"thought {pause:.3f} s instead of {o.think}"
            assert r["port"] == before["port"], "another connection"
    lengths[len(turns)] += 1
    most = len(users) if record else o.turns[1]
    assert len(turns) <= most
    if turns[-1]["answer"] is None:
        broken += 1
    elif record and len(turns) == min(len(users), o.turns[1]):
        whole += 1

counters = point["evidence"]["counters"]
assert counters["sessions"] == len(talks), (counters["sessions"], len(talks))
assert counters["sessions_broken"] == broken, (counters["sessions_broken"], broken)
if record:
    assert counters["sessions_done"] == whole, (counters["sessions_done"], whole)
if not records and o.turns[0] < o.turns[1]:
    # lengths of those that the end of the run did not cut: every length comes, none above the greatest
    assert set(range(o.turns[0], o.turns[1] + 1)) <= set(lengths), lengths
turn = collections.Counter(min(k, 2) for t in talks.values() for k, r in enumerate(t) if r["answer"] is not None)
names = ["ttft_first_turn", "ttft_second_turn", "ttft_later_turns"]
got = [counters_count for counters_count in ((point.get(n + "_ms") or {}).get("count", 0) for n in names)]
assert got == [turn[0], turn[1], turn[2]] or (o.window and all(0 < g <= turn[k] for k, g in enumerate(got))), f"metrics by turn {got}, the endpoint answered {turn}"

# never more than the slots: sessions from their first request to their last answer, or requests
moments = []
for t in talks.values():
    spans = [(r["began"], r["ended"]) for r in t] if o.by_request else [(t[0]["began"], t[-1]["ended"])]
    for begin, end in spans:
        moments += [(begin, 1), (end - 0.0005, -1)]
level = most_open = 0
for _, step in sorted(moments):
    level += step
    most_open = max(most_open, level)
if o.slots:
    assert most_open <= o.slots, f"{most_open} at once, {o.slots} slots"
    assert most_open >= o.slots - 1, f"never more than {most_open} of {o.slots} slots were used"
print(f"{len(seen)} requests in {len(talks)} conversations of {dict(sorted(lengths.items()))} turns, at most {most_open} at once; {broken} broken off")

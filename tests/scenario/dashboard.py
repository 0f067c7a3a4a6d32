"""dashboard.py DASHBOARD COORDINATOR-PAGE AGENT-PAGE…: the Grafana dashboard asks only for metrics and labels that the programs show."""
import json, re, sys

dashboard = json.load(open(sys.argv[1], encoding="utf-8"))
SAMPLE = re.compile(r"^(plateau_\w+)(?:\{([^}]*)\})? ", re.M)


def shown(path):
    page = {}
    for name, labels in SAMPLE.findall(open(path, encoding="utf-8").read()):
        page.setdefault(name, set()).update(re.findall(r'(\w+)="', labels))
    return page


coordinator = shown(sys.argv[2])
agents = {}
for path in sys.argv[3:]:
    for name, labels in shown(path).items():
        agents.setdefault(name, set()).update(labels)
assert len(coordinator) > 20 and len(agents) > 15, (len(coordinator), len(agents))
failed, asked = 0, 0


def fail(*words):
    global failed
    failed = 1
    print("FAILED:", *words)


def check(where, expr):
    """A selector of $coordinator is about the coordinator's page, one of $agent about the agents'."""
    global asked
    found = re.findall(r"(plateau_\w+)(\{[^}]*\})?", expr)
    if not found: fail(where, "asks for nothing of ours:", expr)
    for name, selector in found:
        page = agents if "$agent" in selector else coordinator if "$coordinator" in selector else {**agents, **coordinator}
        asked += 1
        if name not in page: fail(f"{where}: {name}{selector} is on no such page")
        for label in re.findall(r"(\w+)(?:=~|!~|!=|=)\"", selector):
            if label not in page.get(name, set()) | {"instance", "job"}: fail(f"{where}: {name} has no label {label}")
    for label in sum((g.replace(",", " ").split() for g in re.findall(r"by \(([^)]*)\)", expr)), []):
        if not any(label in page.get(name, set()) for name, _ in found for page in (agents, coordinator)): fail(f"{where}: nothing has a label {label}")


panels = dashboard["panels"]
if len({p["id"] for p in panels}) != len(panels): fail("two panels have one id")
taken = set()
for p in panels:
    g = p["gridPos"]
    cells = {(x, y) for x in range(g["x"], g["x"] + g["w"]) for y in range(g["y"], g["y"] + g["h"])}
    if g["x"] + g["w"] > 24 or cells & taken: fail(p["title"], "lies on another panel or beyond the edge")
    taken |= cells
    if p["type"] != "row" and not p["targets"]: fail(p["title"], "asks for nothing")
    for t in p.get("targets", []): check(p["title"], t["expr"])
for v in dashboard["templating"]["list"]:
    if v["type"] == "query": check("variable " + v["name"], v["definition"])
for a in dashboard["annotations"]["list"]: check("annotation " + a["name"], a["expr"])
print("names asked for:", asked)
sys.exit(failed or asked < 25)

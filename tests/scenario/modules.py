"""What depends on what: modules.py OBJECTS, from the root of the sources. A module is a .c with its .h.

1. No two modules depend on each other in a circle, by what they include or by what their code calls. A table that names functions
   depends on nobody: it is data.
2. A function or table that other modules can see bears its module's name: it begins with words of the file's name (`json_` for
   json_scan.c, `key_` for keys.c, `talk_` for run_talk.c), or with a family that FAMILIES below allows that file. A constant that
   is a row of a table elsewhere in the room bears that table's name (`SINK_TERM`, `KEY_URL`).
3. What takes a `struct err *` and returns whether it worked is declared ERR_CHECKED.

The list of exceptions only shrinks: a row that is not needed any more is a failure.
"""
import collections
import glob
import os
import re
import subprocess
import sys

ROOMS = ("common", "agent", "coordinator", "tests/sim")

# file: the families of names that it defines besides its own, and why
FAMILIES = {
    # what a transport carries: transport.h is the contract of both
    "agent/transport/transport": "transfer_",
    # a library of functions under the names that statistics gives them
    "coordinator/answer/numeric": "beta_ binom_ line_ mean_of norm_ quantile_of rank_ samples_needed sd_of share_ t_",
    # the types of a run's data, which several rooms hand on
    "coordinator/data": "packed_hist_ run_data_ stage_data_",
    # what is registered
    "coordinator/run/registry": "agent_",
}

# Their result is always -1, so that `return err_set(...)` reads well.
ALWAYS_MINUS_ONE = {"err_set", "err_context", "node_refuse", "db_fail"}


def sources(*endings):
    for room in ROOMS:
        for folder, _, files in os.walk(room):
            for f in sorted(files):
                if f.endswith(endings):
                    yield os.path.join(folder, f)


def module(path):
    return os.path.splitext(path)[0]


def circles(graph):
    """Strongly connected components of more than one module (Tarjan), each a sorted tuple."""
    index, low, stack, on, found = {}, {}, [], set(), []

    def visit(n):
        index[n] = low[n] = len(index)
        stack.append(n)
        on.add(n)
        for w in graph.get(n, ()):
            if w not in index:
                visit(w)
                low[n] = min(low[n], low[w])
            elif w in on:
                low[n] = min(low[n], index[w])
        if low[n] == index[n]:
            part = []
            while not part or part[-1] != n:
                part.append(stack.pop())
                on.discard(part[-1])
            if len(part) > 1:
                found.append(tuple(sorted(part)))

    for n in sorted(graph):
        if n not in index:
            visit(n)
    return found


def includes():
    graph = collections.defaultdict(set)
    for path in sources(".c", ".h"):
        for header in re.findall(r'^[ \t]*#[ \t]*include[ \t]*"([^"]+\.h)"', open(path).read(), re.M):
            if module(header) != module(path):
                graph[module(path)].add(module(header))
    return graph


def objects(root):
    """{module: its object file}; a source without one was never built, and this test would not look at it."""
    built = {}
    for path in glob.glob(root + "/**/*.c.o", recursive=True):
        inside = re.search(r"plateau_(\w+)\.dir/(.*)\.c\.o$", path)
        if inside:
            built[("tests/" if inside[1] == "sim" else "") + inside[2]] = path
    wanted = [module(p) for p in sources(".c") if not p.endswith("/main.c")]
    missing = [m for m in wanted if m not in built]
    if missing:
        sys.exit(f"FAIL: no object file of {', '.join(missing)} under {root}")
    return {m: built[m] for m in wanted}


def lines_of(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()


def exported(built):
    """{symbol: module} of functions and data that other modules can see."""
    of = {path: m for m, path in built.items()}
    owner = {}
    for line in lines_of("nm", "-A", "-g", "--defined-only", *of):
        path, rest = line.split(":", 1)
        kind, name = rest.split()[-2:]
        if kind in "TDRBGS" and not name.startswith("_"):
            owner[name] = of[path]
    return owner


def calls(built, owner):
    """Which module's code refers to which function of another; relocations of data are tables and do not count."""
    of = {path: m for m, path in built.items()}
    graph, names = collections.defaultdict(set), collections.defaultdict(set)
    m, in_code = None, False
    for line in lines_of("readelf", "-rW", *of):
        if line.startswith("File: "):
            m = of[line[6:]]
        elif line.startswith("Relocation section"):
            in_code = "'.rela.text" in line
        elif in_code:
            words = line.split()
            to = owner.get(words[4]) if len(words) >= 5 else None
            if to and to != m and words[4] != words[4].upper():
                graph[m].add(to)
                names[m, to].add(words[4])
    return graph, names


def declarations(path):
    text = open(path).read()
    for noise in (r"/\*.*?\*/", r"//[^\n]*", r'"(?:[^"\\\n]|\\.)*"', r"(?m)^[ \t]*#(?:[^\n\\]|\\\n|\\.)*"):
        text = re.sub(noise, " ", text, flags=re.S)
    return [" ".join(d.split()) for d in re.split(r"[;{}]", text)]


failures = []
used = set()


def check_circles(kind, graph, names=None):
    for c in circles(graph):
        ways = [f"{a} -> {b}" + (f" ({', '.join(sorted(names[a, b])[:4])})" if names else "") for a in c for b in sorted(graph[a]) if b in c]
        failures.append(f"a circle by {kind}: {', '.join(c)}\n  " + "\n  ".join(ways))


def begins(name, words):
    """Whether a name begins with some of these words, in this order; a file's plural may be one."""
    for first in range(len(words)):
        for last in range(first + 1, len(words) + 1):
            prefix = re.escape("_".join(words[first:last]).removesuffix("s"))
            if re.match(prefix + r"s?(_|\d|$)", name, re.I):
                return True
    return False


def bears_name(name, m, tables):
    if begins(name, os.path.basename(m).split("_")):
        return True
    if name == name.upper() and any(begins(name, t.split("_")) for t in tables[os.path.dirname(m)]):
        return True
    for family in FAMILIES.get(m, "").split():
        if name.startswith(family) and (family.endswith("_") or name == family):
            used.add((m, family))
            return True
    return m.startswith("tests/sim/") and name.startswith("sim_")


def check_names(owner):
    tables = collections.defaultdict(set)
    for path in sources(".h"):
        tables[os.path.dirname(path)].add(os.path.basename(module(path)))
    for name, m in sorted(owner.items(), key=lambda x: (x[1], x[0])):
        if not bears_name(name, m, tables):
            failures.append(f"{m}.c: {name} does not bear its module's name")
    for m, families in FAMILIES.items():
        for f in families.split():
            if (m, f) not in used:
                failures.append(f"{m}.c defines no {f} besides its own names any more, take it off the list")


def check_results():
    seen = 0
    for path in sources(".h"):
        for d in declarations(path):
            if not re.search(r"(?<!const )struct err \*\w*\)?", d) or "(" not in d or d.startswith("typedef"):
                continue
            name = re.search(r"\(?\*?(\w+)\)?\(", d)
            if re.match(r"(static |inline )*void \(?\*?\w+\)?\(", d) and not re.match(r"void \*\w+\(", d) or name and name[1] in ALWAYS_MINUS_ONE:
                continue
            seen += 1
            if not d.startswith("ERR_CHECKED "):
                failures.append(f"{path}: not declared ERR_CHECKED: {d[:100]}")
    if seen < 100:
        failures.append(f"only {seen} functions take a struct err: this test looks at nothing")


built = objects(sys.argv[1])
owner = exported(built)
if len(built) < 80 or len(owner) < 300:
    failures.append(f"only {len(built)} modules with {len(owner)} names: this test looks at nothing")
graph, names = calls(built, owner)
check_circles("includes", includes())
check_circles("calls", graph, names)
check_names(owner)
check_results()
for f in failures:
    print("FAIL:", f)
print(f"{len(built)} modules, {len(owner)} names, {sum(map(len, graph.values()))} ways of calling")
sys.exit(bool(failures))

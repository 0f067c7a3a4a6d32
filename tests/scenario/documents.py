"""documents.py BIN: the code blocks and the inline code of all documents name commands, options, settings of the chart and files that exist."""
import glob
import os
import re
import shlex
import subprocess
import sys

BIN = sys.argv[1]
FOLDERS = "deploy|configs|tests|common|agent|coordinator|findings"
failed = 0
seen = {"options": 0, "files": 0, "settings": 0, "commands": 0}


def fail(where, what):
    global failed
    failed = 1
    print(f"FAIL: {where}: {what}")


def text_of(*words):
    r = subprocess.run(words, capture_output=True, text=True)
    return r.stdout + r.stderr


def options_of(*words):
    return set(re.findall(r"(?<![\w-])--[a-z][a-z0-9-]*", text_of(*words)))


COMMANDS = set(re.findall(r"^  ([a-z]+)  ", text_of(f"{BIN}/plateau", "help"), re.M)) | {"help"}
OPTIONS = {("plateau", c): options_of(f"{BIN}/plateau", "help", c) for c in COMMANDS - {"help"}}
OPTIONS |= {(p, None): options_of(f"{BIN}/{p}", "--help") for p in ("plateau-agent", "plateau-sim")}
ANY = set().union(*OPTIONS.values()) | {"--help", "--version"}
if len(COMMANDS) < 8 or any(len(o) < 3 for o in OPTIONS.values()):
    sys.exit(f"FAIL: the programs' own help was not understood: {COMMANDS} {OPTIONS}")

try:
    import yaml

    VALUES = yaml.safe_load(open("deploy/helm/plateau/values.yaml"))
except ImportError:
    VALUES = None


def check_file(where, folder, token):
    """A path of this repository: from its root, or from the document's folder."""
    path = re.sub(r"^\./", "", token.rstrip(".,:;)"))
    if not re.match(rf"({FOLDERS})/[\w./*-]+$", path) or re.search(r"[A-Z]{3,}", re.sub("README|DECISIONS", "", path)):
        return  # or a placeholder: NAME
    seen["files"] += 1
    if not glob.glob(path) and not glob.glob(os.path.join(folder, path)):
        fail(where, f"there is no {path}")


def check_setting(where, pair):
    if VALUES is None:
        return
    seen["settings"] += 1
    at = VALUES
    for key in re.split(r"(?<!\\)\.", pair.split("=")[0]):
        key = re.sub(r"\[\d+\]$", "", key)
        if not isinstance(at, dict) or not at:  # a map that a user fills
            return
        if key not in at:
            return fail(where, f"the chart has no setting {pair.split('=')[0]}")
        at = at[key]


def check_helm(where, words):
    for i, w in enumerate(words[:-1]):
        if w in ("--set", "--set-string", "--set-file"):
            check_setting(where, words[i + 1])


def check_call(where, words):
    """One command with its arguments."""
    names = [os.path.basename(w) for w in words]
    if "helm" in names[:1] and len(words) > 1 and words[1] in ("install", "upgrade", "template"):
        check_helm(where, words)
    at = next((i for i, n in enumerate(names) if (n, None) in OPTIONS or n == "plateau"), None)
    if at is None or not (words[at - 1] == "--" or all(re.match(r"\w+=", w) for w in words[:at])):
        return  # not the command itself: an argument of another, a sentence
    program, rest, command = names[at], words[at + 1 :], None
    if program == "plateau":
        if not rest or not re.fullmatch(r"[a-z]+", rest[0]):
            return
        command = rest[0]
        seen["commands"] += 1
        if command not in COMMANDS:
            return fail(where, f"plateau has no command {command}")
        if command == "help":
            return
    for w in rest:
        option = re.match(r"--[a-z][a-z0-9-]*", w)
        if not option:
            continue
        seen["options"] += 1
        if option[0] not in OPTIONS[program, command] | {"--help", "--version"}:
            fail(where, f"{program} {command or ''} has no option {option[0]}")


def words_of(line):
    try:
        return shlex.split(line, comments=True)
    except ValueError:
        return line.split()


def check_line(where, folder, line):
    for part in re.split(r"&&|\|\|?|;|\$\(|\)", line):
        words = words_of(part.strip())
        if words:
            check_call(where, words)
        for w in words:
            for token in re.split(r"[=,:]", w):
                check_file(where, folder, token)


def blocks(text):
    """(line number, language, lines) of each fenced block; a line that ends with a backslash goes with the next."""
    for m in re.finditer(r"^```(\w*)\n(.*?)^```", text, re.M | re.S):
        if m[1] in ("", "sh", "bash"):
            first = text[: m.start()].count("\n") + 2
            yield first, re.sub(r"\\\n\s*", " ", m[2]).split("\n")


documents = [f for f in text_of("git", "ls-files", "*.md").split() if f and os.path.exists(f)]
if not documents:
    documents = [f for f in glob.glob("**/*.md", recursive=True) if not f.startswith("build/")]
for f in documents:
    text, folder = open(f).read(), os.path.dirname(f)
    for first, lines in blocks(text):
        for n, line in enumerate(lines):
            check_line(f"{f}:{first + n}", folder, line)
    prose = re.sub(r"^```.*?^```", lambda m: "\n" * m[0].count("\n"), text, flags=re.M | re.S)
    for n, line in enumerate(prose.split("\n"), 1):
        for code in re.findall(r"`([^`]+)`", line):
            check_line(f"{f}:{n}", folder, code)

for what, n in seen.items():
    if n < 10 and not (what == "settings" and VALUES is None):
        fail("documents.py", f"found only {n} {what}: this test looks at nothing")
if not failed:
    print("documents name what exists: " + ", ".join(f"{n} {what}" for what, n in seen.items()))
sys.exit(failed)

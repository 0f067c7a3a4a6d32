#!/usr/bin/env python3
"""deploy/helm/chart_readme.py [CHART]: the chart's README from Chart.yaml and the comments of values.yaml, on standard output.

A comment above a key is its text. A key without one is explained by its group's comment, or is Kubernetes' own and means what it means there.
"""
import re
import sys

FIRST = """# plateau {version}

{description}

Made from `values.yaml` by `deploy/helm/chart_readme.py`. How a run is installed, watched and fetched, and what happens when something fails, is in
[deploy/README.md](../../README.md#kubernetes). `helm install` refuses a key that is not in this table.

| value | default | what it is |
| --- | --- | --- |"""

BAR = "\\|"
KUBERNETES = """nodeSelector tolerations tolerationSeconds affinity priorityClassName podLabels podAnnotations extraEnv extraEnvFrom extraVolumes
extraVolumeMounts initContainers sidecars requests limits""".split()


def chart(folder):
    text = open(f"{folder}/Chart.yaml", encoding="utf-8").read()
    return dict(re.findall(r'^(\w+): "?([^"\n]*)"?$', text, re.M))


def rows(lines):
    path, comment = [], []
    for at, line in enumerate(lines):
        note = re.match(r" *# (?! )(.*)", line)
        if note:
            comment.append(note[1])
        if not line.strip():
            comment = []
        key = re.match(r"( *)([A-Za-z]\w*):(?: (.*))?$", line)
        if not key:
            continue
        depth = len(key[1]) // 2
        path = path[:depth] + [key[2]]
        yield ".".join(path), key[3], " ".join(comment)
        comment = []


def main():
    folder = sys.argv[1] if len(sys.argv) > 1 else "deploy/helm/plateau"
    print(FIRST.format(**chart(folder)))
    groups = {}
    for name, default, text in rows(open(f"{folder}/values.yaml", encoding="utf-8").read().split("\n")):
        if default is None:
            groups[name] = text
            if not text:
                continue  # a group that needs no words
        group = next((g for g, words in groups.items() if words and name.startswith(g + ".")), None)
        last = name.rsplit(".", 1)[-1]
        known = last in KUBERNETES or not group
        words = text or ("Kubernetes' own" if known else f"see `{group}`")
        cell = "" if default is None else f"`{default}`"
        print(f"| `{name}` | {cell} | {words.replace('|', BAR)} |")


main()

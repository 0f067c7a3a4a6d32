"""results.csv as a table in RESULTS.md and two charts in SVG."""
import math
import statistics

import clients

COLOURS = {"plateau": "#0b6bcb", "aiperf": "#d1495b", "guidellm": "#e08e2b", "vllm-rs": "#6a4c93", "vllm": "#b39ddb", "sglang": "#2a9d8f", "inference-perf": "#8d6e63", "genai-bench": "#c2185b",
           "evalscope": "#607d3b", "mlperf-client": "#455a64", "k6": "#7c4dff", "oha": "#00838f", "h2load": "#757575"}


def number(row, key):
    return float(row[key]) if row.get(key) not in (None, "") else None


def values(rows, key):
    return [v for v in (number(r, key) for r in rows) if v is not None]


def spread(v, digits=1):
    if not v:
        return "–"
    middle = f"{statistics.median(v):.{digits}f}"
    return middle if len(v) == 1 or min(v) == max(v) else f"{middle} ({min(v):.{digits}f}–{max(v):.{digits}f})"


def errors(rows, figure, q):
    """Reported less emitted of the same run, in ms."""
    pairs = [(number(r, f"{figure}_{q}_reported"), number(r, f"{figure}_{q}_emitted")) for r in rows]
    return [a - b for a, b in pairs if a is not None and b is not None]


def signed(v):
    if not v:
        return "–"
    middle = statistics.median(v)
    return f"{middle:+.2f}" if abs(middle) < 10 else f"{middle:+.0f}"


def in_order(rows):
    names = {c.name: i for i, c in enumerate(clients.ALL)}
    return sorted({r["client"] for r in rows}, key=lambda n: names.get(n, 99))


def of(rows, client, streams=None):
    return [r for r in rows if r["client"] == client and (streams is None or int(r["streams"]) == streams)]


def good(rows):
    return [r for r in rows if not r["failure"]]


def mostly_held(rows):
    return not good(rows) or sum(int(r["held"]) for r in rows) * 2 > len(rows)


def held(rows, client, counts):
    """The largest number of streams that it held in most rounds."""
    most = 0
    for n in counts:
        mine = of(rows, client, n)
        if good(mine) and mostly_held(mine):
            most = n
    return most


def cost_table(rows, counts):
    out = ["| client | " + " | ".join(f"{n:,} stream{'' if n == 1 else 's'}" for n in counts) + " | largest load held | first request after, s | CPU of a start, s | memory MiB, processes |",
           "| --- |" + " --- |" * (len(counts) + 4)]
    for name in in_order(rows):
        mine = good(of(rows, name))
        cells = [spread(values(good(of(rows, name, n)), "cpu_us_per_token")) + ("" if mostly_held(of(rows, name, n)) else " †") for n in counts]
        version = next((r["version"] for r in mine), "")
        most = held(rows, name, counts)
        out.append(f"| {name} {version} | " + " | ".join(cells) + f" | {most if most else 'none of these'} | {spread(values(mine, 'start_s'))} | "
                   f"{spread(values(mine, 'start_cpu_s'), 2)} | {max(values(mine, 'peak_mib'), default=0):.0f}, {max(values(mine, 'processes'), default=0):.0f} |")
    return out


def error_table(rows, counts, figure):
    out = [f"| client | " + " | ".join(f"{n:,} stream{'' if n == 1 else 's'}" for n in counts) + " |", "| --- |" + " --- |" * len(counts)]
    for name in in_order(rows):
        if not errors(of(rows, name), figure, "mean"):
            continue
        cells = [" · ".join(signed(errors(of(rows, name, n), figure, q)) for q in ("mean", "p50", "p99")) for n in counts]
        out.append(f"| {name} | " + " | ".join(cells) + " |")
    return out


def failures(rows):
    seen = {}
    for r in rows:
        if r["failure"]:
            seen.setdefault((r["client"], int(r["streams"])), r["failure"])
    return [f"- {name}, {n:,} streams: {text}" for (name, n), text in sorted(seen.items())]


def write(out, rows):
    if not rows:
        return
    counts = sorted({int(r["streams"]) for r in rows})
    conditions = out / "conditions.txt"
    lines = ["# plateau beside other clients", ""]
    lines += conditions.read_text(encoding="utf-8").strip().splitlines() if conditions.exists() else []
    lines += ["", "Made by `tests/bench/peers/peers.py`; [README.md](README.md) says what each column is and what each client was told to do. Medians of the rounds, with",
              "the smallest and the largest. The rows of all runs are in [results.csv](results.csv).", "", "## CPU µs per token, less the start", "", "![cost](cost.svg)", ""]
    lines += [*cost_table(rows, counts), "", "† the load was not held in most of the rounds."]
    lines += ["", "## Reported less emitted, ms: mean · p50 · p99", "", "![error](error.svg)", ""]
    for figure, title in (("ttft", "TTFT (200 ms asked of the endpoint)"), ("tpot", "TPOT (50 ms)"), ("itl", "ITL (50 ms)"), ("e2e", "Whole request (2,150 ms)")):
        lines += [f"### {title}", "", *error_table(rows, counts, figure), ""]
    said = failures(rows)
    if said:
        lines += ["## Runs that did not come to an end", "", *said, ""]
    (out / "RESULTS.md").write_text("\n".join(lines), encoding="utf-8")
    chart(out / "cost.svg", "CPU µs per token, less the start", rows, counts, lambda mine: statistics.median(v) if (v := values(good(mine), "cpu_us_per_token")) else None)
    chart(out / "error.svg", "TTFT p99: |reported − emitted|, ms", rows, counts,
          lambda mine: max(0.01, abs(statistics.median(v))) if (v := errors(mine, "ttft", "p99")) else None)


# ---- charts: both axes are logarithms; a line for each client, its name at the end ----

W, H, LEFT, RIGHT, TOP, BOTTOM = 760, 420, 64, 130, 44, 48


def spaced(labels, least=15):
    """Places of the names at the right, pushed apart."""
    labels.sort()
    for i in range(1, len(labels)):
        labels[i][0] = max(labels[i][0], labels[i - 1][0] + least)
    for i in range(len(labels) - 1, -1, -1):
        limit = H - BOTTOM if i == len(labels) - 1 else labels[i + 1][0] - least
        labels[i][0] = min(labels[i][0], limit)
    return labels


def chart(file, title, rows, counts, value):
    lines = {}
    for name in in_order(rows):
        points = [(n, v) for n in counts if (v := value(of(rows, name, n))) is not None and v > 0]
        if points:
            lines[name] = points
    if not lines:
        return
    everything = [v for points in lines.values() for _, v in points]
    low, high = math.floor(math.log10(min(everything))), math.ceil(math.log10(max(everything)))
    high = max(high, low + 1)
    left, right = math.log10(counts[0]), math.log10(max(counts[-1], counts[0] * 10))

    def x(n):
        return LEFT + (math.log10(n) - left) / (right - left) * (W - LEFT - RIGHT)

    def y(v):
        return H - BOTTOM - (math.log10(v) - low) / (high - low) * (H - TOP - BOTTOM)
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {W} {H}" font-family="system-ui, sans-serif" font-size="12" role="img" aria-label="{title}">',
           f'<rect width="{W}" height="{H}" fill="#fff"/>', f'<text x="{LEFT}" y="24" font-size="15" font-weight="600" fill="#222">{title}</text>']
    for decade in range(low, high + 1):
        at = y(10 ** decade)
        out.append(f'<line x1="{LEFT}" x2="{W - RIGHT}" y1="{at:.1f}" y2="{at:.1f}" stroke="#ddd"/>'
                   f'<text x="{LEFT - 8}" y="{at + 4:.1f}" text-anchor="end" fill="#555">{10 ** decade:g}</text>')
    for n in counts:
        out.append(f'<text x="{x(n):.1f}" y="{H - BOTTOM + 20}" text-anchor="middle" fill="#555">{n:,}</text>')
    out.append(f'<text x="{(LEFT + W - RIGHT) / 2}" y="{H - 8}" text-anchor="middle" fill="#555">streams at once</text>')
    labels = []
    for name, points in lines.items():
        colour, width = COLOURS.get(name, "#444"), 3 if name == "plateau" else 1.6
        path = " ".join(f"{x(n):.1f},{y(v):.1f}" for n, v in points)
        out.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="{width}"/>')
        out += [f'<circle cx="{x(n):.1f}" cy="{y(v):.1f}" r="3" fill="{colour}"/>' for n, v in points]
        labels.append([y(points[-1][1]), x(points[-1][0]), name, colour])
    for at, end, name, colour in spaced(labels):
        weight = ' font-weight="700"' if name == "plateau" else ""
        out.append(f'<text x="{W - RIGHT + 10}" y="{at + 4:.1f}" fill="{colour}"{weight}>{name}</text>')
    out.append("</svg>\n")
    file.write_text("\n".join(out), encoding="utf-8")

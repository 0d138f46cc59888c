#!/usr/bin/env python3
"""What bench.py found, as the table and the chart that README.md shows.

    report.py update    puts the last run of `make bench` into benches/ and README.md
    report.py check     whether README.md shows what is in benches/
"""

import json
import os
import sys
from html import escape
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
README = ROOT / "README.md"
LAST = ROOT / os.environ.get("CARGO_TARGET_DIR", "target") / "bench/results.json"
KEPT = HERE / "results.json"
CHART = HERE / "chart.svg"
BEGIN, END = "<!-- begin: make bench-update -->\n", "<!-- end -->\n"

COLUMNS = [
    ("libevrim", "libevrim"),
    ("libcurl", "libcurl"),
    (None, "libevrim / libcurl"),
    ("reqwest", "reqwest::blocking"),
    ("requests", "Python requests"),
    ("raw", "raw socket"),
]

US, MS, MB, PLAIN = ("µs", 1e3), ("ms", 1e6), ("MB", 1e6), ("", 1)
ASKED = [
    ("get", "1 KB GET", US),
    ("validate", "validate", US),
    ("read", "100 KB report, ten values", US),
    ("body", "10 MB GET", MS),
]


def rows(many):
    """Key, label, unit and scale of each line of the table."""
    for word, label, unit in ASKED:
        for scheme in ("https", "http"):
            yield f"p50 {word} {scheme}", f"{label}, {scheme}: p50", unit
            yield f"p99 {word} {scheme}", f"{label}, {scheme}: p99", unit
            yield f"cpu {word} {scheme}", f"{label}, {scheme}: CPU", unit
            yield f"instructions {word} {scheme}", f"{label}, {scheme}: instructions", ("thousand", 1e3)
            yield f"syscalls {word} {scheme}", f"{label}, {scheme}: system calls", PLAIN
    for threads in (1, 2, 8, 32):
        name = "1 thread" if threads == 1 else f"{threads} threads"
        yield f"rate {threads}", f"1 KB GETs a second, https, {name}", PLAIN
    yield "server 32", "the server's share of its core meanwhile, %", PLAIN
    yield "cold", "from dlopen() to the first answer, https", MS
    yield "resident", "resident memory after 1,000 calls", MB
    yield "peak body 10", "peak memory, body of 10 MB", MB
    yield "peak body 50", "peak memory, body of 50 MB", MB
    yield "more file", f"memory of {many:,} clients beyond one's, CA file", MB
    yield "more system", f"memory of {many:,} clients beyond one's, system's CAs", MB
    yield "threads", "threads of its own, one client", PLAIN
    yield "more threads", f"threads of its own, {many:,} clients more", PLAIN
    yield "size", "shared library", MB
    yield "size all", "shared library and all that it loads", MB


def number(value):
    """To three digits."""
    if value == 0 or value == int(value) and abs(value) < 1000:
        return f"{value:.0f}"
    digits = 2 if abs(value) < 10 else 1 if abs(value) < 100 else 0
    return f"{value:,.{digits}f}"


def cell(spread, scale):
    if spread is None:
        return "–"
    text = number(spread["median"] / scale)
    half = (spread["high"] - spread["low"]) / 2 / scale
    return f"{text} ± {number(half)}" if half else text


def ratio(spread):
    if spread is None:
        return "–"
    low, median, high = (f"{spread[name]:.2f}" for name in ("low", "median", "high"))
    return median if low == high else f"{median} ({low}–{high})"


def table(results):
    figures = {figure["key"]: figure for figure in results["figures"]}
    lines = [["", *(title for _, title in COLUMNS)]]
    for key, label, (unit, scale) in rows(results["settings"]["many_clients"]):
        if key not in figures:
            continue
        values, ratios = figures[key]["values"], figures[key]["ratios"]
        line = [f"{label}, {unit}" if unit else label]
        for name, _ in COLUMNS:
            line.append(cell(values.get(name), scale) if name else ratio(ratios.get("libevrim")))
        lines.append(line)
    widths = [max(len(line[place]) for line in lines) for place in range(len(lines[0]))]
    rule = ["-" * widths[0]] + ["-" * (width - 1) + ":" for width in widths[1:]]
    padded = [
        [line[0].ljust(widths[0]), *(text.rjust(width) for text, width in zip(line[1:], widths[1:]))]
        for line in [lines[0], rule, *lines[1:]]
    ]
    return "".join(f"| {' | '.join(line)} |\n" for line in padded)


def text(results):
    """The part of README.md, and what `make bench` prints."""
    machine, versions, settings = results["machine"], results["versions"], results["settings"]
    used = ", ".join(f"{name} {version}" for name, version in versions.items())
    pinned = results["cores"]
    return (
        f"{results['date']}, {machine['cpu']}, {machine['cores']} cores, {machine['kernel']}, {machine['system']}.\n"
        f"{used}.\n\n"
        f"{table(results)}\n"
        f"Medians of {settings['rounds']} rounds ({settings['thread_rounds']} with threads, "
        f"{settings['cold_rounds']} cold), ± half the distance of their quartiles. A ratio is the median of the "
        f"rounds' own ratios, with quartiles. Instructions and system calls are the difference of two runs of "
        f"different length. One call at a time: client and server on core {pinned['calls'][0]}; with threads: on "
        f"cores {pinned['threads'][0]} and {pinned['threads'][1]}. TLS: {', '.join(results['tls'])}.\n"
    )


# The chart: libevrim's ratio to libcurl, on the line at 1.

BARS = [
    ("p50 get https", "1 KB GET: p50"),
    ("p99 get https", "1 KB GET: p99"),
    ("cpu get https", "1 KB GET: CPU time"),
    ("instructions get https", "1 KB GET: instructions"),
    ("syscalls get https", "1 KB GET: system calls"),
    ("p50 validate https", "validate: p50"),
    ("p50 read https", "100 KB report, ten values: p50"),
    ("p50 body https", "10 MB GET: p50"),
    ("rate 8", "1 KB GETs of 8 threads: time"),
    ("rate 32", "1 KB GETs of 32 threads: time"),
    ("cold", "cold start"),
    ("resident", "memory after 1,000 calls"),
    ("size all", "library and all that it loads"),
]
LEFT, UNIT, MOST = 230, 280, 1.5
STEP, TOP = 26, 66
WIDTH = LEFT + int(UNIT * MOST) + 70

STYLE = """
    text { font: 13px system-ui, sans-serif; fill: #1f2328; }
    .title { font-size: 15px; font-weight: 600; }
    .quiet { fill: #59636e; }
    .bar { fill: #0969da; }
    .other { fill: #9198a1; }
    .line { stroke: #59636e; stroke-dasharray: 3 3; }
    @media (prefers-color-scheme: dark) {
      text { fill: #f0f6fc; }
      .quiet { fill: #9198a1; }
      .bar { fill: #4493f8; }
      .other { fill: #656c76; }
      .line { stroke: #9198a1; }
    }
"""


def chart(results):
    figures = {figure["key"]: figure for figure in results["figures"]}
    parts = []
    y = TOP
    for key, label in BARS:
        ratios = figures[key]["ratios"] if key in figures else {}
        if "libevrim" not in ratios:
            continue
        parts.append(f'<text x="{LEFT - 10}" y="{y + 13}" text-anchor="end">{escape(label)}</text>')
        for name, shape, top, height in (("libevrim", "bar", 3, 9), ("reqwest", "other", 13, 4)):
            if name not in ratios:
                continue
            value = ratios[name]["median"]
            # More calls a second is less time for as many.
            value = 1 / value if key.startswith("rate") else value
            width = UNIT * min(value, MOST)
            parts.append(f'<rect class="{shape}" x="{LEFT}" y="{y + top}" width="{width:.1f}" height="{height}"/>')
            if name == "libevrim":
                parts.append(f'<text x="{WIDTH - 10}" y="{y + 13}" text-anchor="end">{value:.2f}</text>')
        y += STEP
    line = LEFT + UNIT
    height = y + 12
    head = [
        '<text class="title" x="10" y="22">Cost relative to libcurl, over https: less is better</text>',
        '<rect class="bar" x="10" y="36" width="14" height="9"/><text x="30" y="45">libevrim</text>',
        '<rect class="other" x="104" y="39" width="14" height="4"/><text x="124" y="45">reqwest::blocking</text>',
        f'<text class="quiet" x="{WIDTH - 10}" y="{TOP - 8}" text-anchor="end">libevrim</text>',
        f'<text class="quiet" x="{line}" y="{TOP - 8}" text-anchor="middle">libcurl = 1</text>',
        f'<line class="line" x1="{line}" y1="{TOP - 2}" x2="{line}" y2="{y}"/>',
    ]
    body = "\n  ".join(head + parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}"'
        f' role="img" aria-label="Cost of libevrim relative to libcurl">\n  <style>{STYLE}  </style>\n  {body}\n</svg>\n'
    )


def section(results):
    return f"![What libevrim costs, relative to libcurl](benches/chart.svg)\n\n{text(results)}"


def shown():
    """README.md: before its part, the part, and after it."""
    before, _, rest = README.read_text().partition(BEGIN)
    part, _, after = rest.partition(END)
    if not rest or not after:
        sys.exit("bench: README.md has no place for the table")
    return before, part, after


def load(path):
    if not path.exists():
        sys.exit(f"bench: no {path.name} there: run `make bench` first")
    return json.loads(path.read_text())


def update():
    results = load(LAST)
    if results["settings"]["quick"]:
        sys.exit("bench: the last run was a quick one, which shows nothing: run `make bench` first")
    before, _, after = shown()
    KEPT.write_text(LAST.read_text())
    CHART.write_text(chart(results))
    README.write_text(f"{before}{BEGIN}{section(results)}{END}{after}")


def check():
    _, part, _ = shown()
    if not KEPT.exists() and not part:
        print("bench: README.md shows no figures")
        return
    results = load(KEPT)
    if part != section(results) or CHART.read_text() != chart(results):
        sys.exit("bench: README.md or the chart is not what benches/results.json says: run `make bench-update`")


if __name__ == "__main__":
    {"update": update, "check": check}[sys.argv[1]]()

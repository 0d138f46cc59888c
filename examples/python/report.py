"""Prints a report as text, with the marks of Markdown. What it does not have is passed over.

EVRIM_URL=… EVRIM_USERNAME=… EVRIM_PASSWORD=… python3 report.py 1
"""

import sys

from evrim import Evrim, EvrimError


def lines(report):
    """The report, line by line. Any member may be null or missing, and there may be others."""
    report = report.get("report") or {}
    yield f"# {report.get('title') or 'Without a title'}"
    yield report.get("description")
    for section in report.get("sections") or []:
        yield f"## {section.get('title') or 'Without a title'}"
        for paragraph in section.get("paragraphs") or []:
            yield paragraph.get("title") and f"### {paragraph['title']}"
            yield " ".join(filter(None, paragraph.get("sentences") or []))
        yield "\n".join(f"- {source}" for source in section.get("sources") or [])


def main() -> int:
    if len(sys.argv) != 2 or not sys.argv[1].isdecimal():
        print("usage: report.py ID", file=sys.stderr)
        return 1
    try:
        with Evrim.from_env() as client:
            report = client.report(int(sys.argv[1])).json()
    except EvrimError as error:
        print(error, file=sys.stderr)
        return 1
    sys.stdout.reconfigure(encoding="utf-8")
    print("\n\n".join(filter(None, lines(report))))
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Has something looked into, waits for its report, and saves that as a PDF. Ctrl-C ends it at any point.

EVRIM_URL=… EVRIM_USERNAME=… EVRIM_PASSWORD=… python3 research.py https://example.org/ Title "What to find out" .
"""

import sys

from evrim import Evrim, EvrimError


def show(text: str) -> None:
    """On a terminal, in place of what was shown before."""
    if sys.stderr.isatty():
        print(f"\r{text}", end="", file=sys.stderr, flush=True)


def show_time(seconds: float) -> None:
    show(f"research {'|/-'[int(seconds * 4) % 3]} {seconds:.0f} s")


def show_bytes(done: int, total) -> None:
    if total:
        show(f"PDF [{'#' * (40 * done // total):<40}] {100 * done // total:3} %")
    else:
        show(f"PDF {done} bytes")


def report_of(task_id: str, reports: list) -> int:
    """A task does not say which report came of it, but each report names its task."""
    for report in reports:
        if (report.get("report") or {}).get("task") == task_id:
            return report["id"]
    raise LookupError(f"{task_id}: there is no report of this task")


def main() -> int:
    if len(sys.argv) != 5:
        print("usage: research.py URL TITLE DESCRIPTION PLACE", file=sys.stderr)
        return 1
    url, title, description, place = sys.argv[1:]
    try:
        with Evrim.from_env() as client:
            task_id = client.submit_research(url, title, description).require_string("/task_id")
            client.wait_for_task(task_id, timeout=30 * 60, progress=show_time)
            report = report_of(task_id, client.reports().json())
            saved_as = client.download_report(report, place, progress=show_bytes)
    except KeyboardInterrupt:
        return 130
    except (EvrimError, LookupError) as error:
        print(error, file=sys.stderr)
        return 1
    finally:
        if sys.stderr.isatty():
            print(file=sys.stderr)
    print("saved as", saved_as)
    return 0


if __name__ == "__main__":
    sys.exit(main())

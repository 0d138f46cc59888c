"""Writes the man pages and the HTML reference: pages.py XML VERSION EXAMPLES FOLDER."""

import datetime
import os
import re
import sys
import time
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).parent))

import html_page  # noqa: E402
import man  # noqa: E402
import reference  # noqa: E402


class Examples:
    """The C programs that the tests compile and run."""

    def __init__(self, folder):
        self.programs = [(path.name, path.read_text(encoding="utf-8").rstrip()) for path in sorted(folder.glob("*.c"))]

    def all(self):
        return self.programs

    def first(self):
        return dict(self.programs)["quickstart.c"]

    def for_group(self, group):
        """The one that calls most of its functions, the shortest of those; none if none calls any."""

        def calls(text):
            return sum(bool(re.search(rf"\b{item.name}\(", text)) for item in group.items)

        best = max(self.programs, key=lambda program: (calls(program[1]), -len(program[1])))
        return best if calls(best[1]) else (None, None)


def main():
    xml, version, examples, folder = sys.argv[1:]
    # A build that is to be the same on another day says which day it is.
    epoch = int(os.environ.get("SOURCE_DATE_EPOCH") or time.time())
    date = datetime.datetime.fromtimestamp(epoch, datetime.timezone.utc).date().isoformat()
    header = reference.read(xml)
    programs = Examples(Path(examples))
    man.write(header, version, date, programs, Path(folder) / "man3")
    html_page.write(header, version, programs, Path(folder) / "evrim.html")


main()

"""Man pages: libevrim(3), one for the types, one for each group, and a link for every function and type."""

import re
import textwrap

# What holds for all functions, on the page of each group: a section, and the topics of the header's opening.
COMMON = {"OWNERSHIP": ["Handles", "Strings"], "ERRORS": ["Results", "Errors"], "THREADS": ["Threads", "Processes"]}
COMPILE = "cc program.c $(pkg-config --cflags --libs evrim)"


def page_of(group):
    return "libevrim-" + group.title.split(" and ")[0].lower().replace(" ", "-")


def write(header, version, date, examples, folder):
    folder.mkdir(parents=True, exist_ok=True)
    groups = [header.types, *header.groups]
    where = {item.name: page_of(group) for group in groups for item in group.items}
    pages = ["libevrim", *(page_of(group) for group in groups)]

    def head(page):
        # Names are not to be broken, nor lines stretched.
        return [f'.TH "{page}" 3 "{date}" "libevrim {version}" "libevrim manual"', ".nh", ".ad l"]

    def see_also(page):
        others = [f"\\fB{literal(other)}\\fR(3)" for other in pages if other != page]
        return [".SH SEE ALSO", *fill(", ".join(others))]

    for group in groups:
        page = page_of(group)
        is_types = group is header.types
        text = Text(where, page)
        names = ", ".join(literal(item.name) for item in group.items)
        lines = head(page)
        lines += [".SH NAME", *fill(f"{names} \\- {whatis(group)}")]
        lines += [".SH SYNOPSIS", ".nf", "\\fB#include <evrim.h>\\fR"]
        if not is_types:
            for item in group.items:
                lines += [".sp", *synopsis(item)]
        lines += [".fi", ".SH DESCRIPTION", *text.blocks(group.about)]
        for item in group.items:
            title = literal(item.name) + ("()" if item.kind == "function" else "")
            lines += [f".SS {title}"]
            if is_types:
                lines += [".nf", *synopsis(item), ".fi", ".PP"]
            lines += text.blocks(item.text, item.parameters)
            for name, number, meaning in item.values:
                lines += [".TP", f"\\fB{literal(name)}\\fR ({number})", *text.blocks(meaning)]
        if not is_types:
            for title, topics in COMMON.items():
                lines += [f".SH {title}"]
                for at, topic in enumerate(topics):
                    lines += [".PP"] * (at > 0) + text.blocks(header.topics[topic])
            name, program = examples.for_group(group)
            if program:
                lines += [".SH EXAMPLE", *code(program)]
        lines += see_also(page)
        put(folder, page, lines)
        for item in group.items:
            # EVRIM_VERSION.3 and evrim_version.3 are one file where case is of no account.
            if item.kind != "define":
                (folder / f"{item.name}.3").symlink_to(f"{page}.3")

    page = "libevrim"
    text = Text(where, page)
    (_, title), *rest = header.opening
    title = "".join(run for _, run in title).removeprefix("libevrim: ").rstrip(".")
    lines = head(page)
    lines += [".SH NAME", f"libevrim \\- {literal(title)}"]
    lines += [".SH SYNOPSIS", ".nf", "\\fB#include <evrim.h>\\fR", ".sp", f"\\fB{literal(COMPILE)}\\fR", ".fi"]
    lines += [".SH DESCRIPTION", *text.blocks(rest)]
    for topic, about in header.topics.items():
        lines += [f".SH {topic.upper()}", *text.blocks(about)]
    lines += [".SH FUNCTIONS"]
    for group in header.groups:
        lines += [".TP", f"\\fB{literal(page_of(group))}\\fR(3)", *text.blocks(group.about), ".br"]
        lines += fill(", ".join(f"\\fB{literal(item.name)}\\fR(3)" for item in group.items))
    lines += [".SH EXAMPLE", *code(examples.first())]
    lines += see_also(page)
    put(folder, page, lines)


def put(folder, page, lines):
    (folder / f"{page}.3").write_text("\n".join(lines) + "\n", encoding="utf-8")


def whatis(group):
    """The title, not the sentence on the group: a line of whatis(1) is to be short."""
    return f"libevrim: {group.title[0].lower()}{group.title[1:]}"


def literal(text):
    """Shown as it stands: no hyphen, no typographic quotes, no escapes."""
    for plain, escaped in (("\\", "\\e"), ("-", "\\-"), ("'", "\\(aq"), ("`", "\\(ga"), ("~", "\\(ti"), ("^", "\\(ha")):
        text = text.replace(plain, escaped)
    return text


def prose(text):
    for plain, escaped in (("\\", "\\e"), ("~", "\\(ti"), ("^", "\\(ha")):
        text = text.replace(plain, escaped)
    return text


def line_start(line):
    return "\\&" + line if line.startswith((".", "'")) else line


def fill(text):
    lines = textwrap.wrap(text, 78, break_long_words=False, break_on_hyphens=False)
    return [line_start(line) for line in lines]


def code(text):
    lines = [line_start(literal(line)) for line in text.splitlines()]
    # ".EE" lets words be broken again.
    return [".RS 4", ".EX", *lines, ".EE", ".nh", ".RE"]


def synopsis(item):
    """Bold as it is to be written, italics for what the caller names."""
    shown = []
    for line in item.declaration.splitlines():
        text = f"\\fB{literal(line)}\\fR"
        for parameter in item.parameters:
            if parameter:
                text = re.sub(rf"\b{parameter}(?=[,)])", rf"\\fI{parameter}\\fB", text)
        shown.append(text)
    return shown


class Text:
    def __init__(self, where, page):
        self.where, self.page = where, page

    def blocks(self, blocks, parameters=()):
        lines = []
        for at, (kind, content) in enumerate(blocks):
            if kind == "text":
                lines += [".PP"] * (at > 0) + fill("".join(self.run(run, parameters) for run in content))
            elif kind == "code":
                lines += [".PP"] * (at > 0) + code(content)
            else:
                for entry in content:
                    lines += [".IP \\(bu 2", *self.blocks(entry, parameters)]
        return lines

    def run(self, run, parameters):
        kind, text = run
        if kind == "emphasis" or (kind == "code" and text.lstrip("*") in parameters):
            return f"\\fI{literal(text)}\\fR"
        if kind in ("code", "strong"):
            return f"\\fB{literal(text)}\\fR"
        parts = re.split(r"\b(evrim_\w+(?:\(\))?|EVRIM_\w+)", text)
        return "".join(self.name(part) if at % 2 else prose(part) for at, part in enumerate(parts))

    def name(self, text):
        name = text.removesuffix("()")
        call = ""
        if name != text:
            call = "()" if self.where.get(name) == self.page else "(3)"
        return f"\\fB{literal(name)}\\fR{call}"

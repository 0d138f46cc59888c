"""The reference as one page of HTML that needs nothing beside it."""

import re
from html import escape
from pathlib import Path


def write(header, version, examples, path):
    groups = [header.types, *header.groups]
    known = {item.name for group in groups for item in group.items}
    known |= {name for item in header.types.items for name, *_ in item.values}
    page = Page(known)
    (_, title), *opening = header.opening
    contents, sections = [], []

    def section(heading, body, entries=()):
        key = heading.lower().replace(" ", "-")
        listed = "".join(f'<li><a href="#{name}"><code>{name}</code></a></li>' for name in entries)
        contents.append(f'<li><a href="#{key}">{escape(heading)}</a>{f"<ul>{listed}</ul>" if listed else ""}</li>')
        sections.append(f'<section id="{key}"><h2>{escape(heading)}</h2>\n{body}</section>\n')

    topics = "".join(f"<h3>{topic}</h3>\n{page.blocks(about)}" for topic, about in header.topics.items())
    section("Conventions", topics)
    for group in [*header.groups, header.types]:
        body = page.blocks(group.about) + "".join(page.item(item) for item in group.items)
        section(group.title, body, [item.name for item in group.items])
    programs = "".join(
        f'<h3 id="{name}">{name}</h3>\n<pre><code>{page.linked(text)}</code></pre>\n' for name, text in examples.all()
    )
    section("Programs", programs, [name for name, _ in examples.all()])

    template = (Path(__file__).parent / "page.html").read_text(encoding="utf-8")
    filled = {
        "VERSION": escape(version),
        "TITLE": "".join(escape(text) for _, text in title).rstrip("."),
        "OPENING": page.blocks(opening),
        "CONTENTS": "\n".join(contents),
        "SECTIONS": "".join(sections),
    }
    text = re.sub(r"@([A-Z]+)@", lambda match: filled[match[1]], template)
    path.write_text(text, encoding="utf-8")


class Page:
    def __init__(self, known):
        self.known = known

    def linked(self, text):
        parts = re.split(r"\b(evrim_\w+|EVRIM_\w+)", text)
        return "".join(self.name(part) if at % 2 else escape(part, quote=False) for at, part in enumerate(parts))

    def name(self, name):
        return f'<a href="#{name}">{name}</a>' if name in self.known else name

    def run(self, run, parameters):
        kind, text = run
        if kind == "code":
            if text.lstrip("*") in parameters:
                return f"<var>{escape(text)}</var>"
            return f"<code>{self.linked(text)}</code>"
        if kind in ("strong", "emphasis"):
            tag = {"strong": "strong", "emphasis": "em"}[kind]
            return f"<{tag}>{escape(text)}</{tag}>"
        parts = re.split(r"\b(evrim_\w+(?:\(\))?|EVRIM_\w+)", text)
        return "".join(
            f"<code>{self.linked(part)}</code>" if at % 2 else escape(part, quote=False)
            for at, part in enumerate(parts)
        )

    def blocks(self, blocks, parameters=()):
        shown = []
        for kind, content in blocks:
            if kind == "text":
                shown.append("<p>" + "".join(self.run(run, parameters) for run in content) + "</p>\n")
            elif kind == "code":
                shown.append(f"<pre><code>{self.linked(content)}</code></pre>\n")
            else:
                entries = "".join(f"<li>{self.blocks(entry, parameters)}</li>\n" for entry in content)
                shown.append(f"<ul>\n{entries}</ul>\n")
        return "".join(shown)

    def item(self, item):
        declared = escape(item.declaration, quote=False)
        for parameter in item.parameters:
            if parameter:
                declared = re.sub(rf"\b{parameter}(?=[,)])", f"<var>{parameter}</var>", declared)
        parts = re.split(r"\b(evrim_\w+)", declared)
        declared = "".join(
            part if at % 2 == 0 or part == item.name else self.name(part) for at, part in enumerate(parts)
        )
        declared = re.sub(rf"\b{item.name}\b", f"<b>{item.name}</b>", declared)
        values = "".join(
            f'<tr id="{name}"><td><code>{name}</code></td><td>{number}</td><td>{self.blocks(meaning)}</td></tr>\n'
            for name, number, meaning in item.values
        )
        if values:
            values = f"<table>\n<tr><th>name</th><th>number</th><th>meaning</th></tr>\n{values}</table>\n"
        call = "()" if item.kind == "function" else ""
        return (
            f'<article id="{item.name}"><h3><a href="#{item.name}">{item.name}{call}</a></h3>\n'
            f'<pre class="declaration"><code>{declared}</code></pre>\n'
            f"{self.blocks(item.text, item.parameters)}{values}</article>\n"
        )

"""The header as doxygen's XML has it: an opening, types and macros, and groups of functions.

A text is a list of blocks, and a block is one of

    ("text", runs)      a paragraph; a run is (kind, string), its kind "plain", "code", "strong" or "emphasis"
    ("code", string)    an example
    ("list", items)     each item a list of blocks

What doxygen knows and this file does not is an error: nothing is left out in silence.
"""

import re
import sys
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass, field

RUNS = {"computeroutput": "code", "bold": "strong", "emphasis": "emphasis"}
CHARACTERS = {"ndash": "–", "mdash": "—", "sp": " ", "linebreak": " "}


@dataclass
class Item:
    """A function, a type or a macro."""

    kind: str
    name: str
    declaration: str
    text: list
    parameters: list = field(default_factory=list)
    # Of an enum: name, number, text.
    values: list = field(default_factory=list)


@dataclass
class Group:
    title: str
    about: list
    items: list


@dataclass
class Header:
    # Of the first comment: what comes before the topics, and the topics by their titles.
    opening: list
    topics: dict
    types: Group
    groups: list


def fail(message):
    sys.exit(f"reference.py: {message}")


def read(path):
    root = ElementTree.parse(path).getroot().find("compounddef")
    groups, macros, types = [], [], []
    for section in root.findall("sectiondef"):
        members = [item(member) for member in section.findall("memberdef")]
        if section.get("kind") == "user-defined":
            groups.append(Group(section.findtext("header"), blocks(section.find("description")), members))
        elif section.get("kind") == "define":
            macros += members
        elif section.get("kind") in ("enum", "typedef"):
            types += members
        else:
            outside = ", ".join(member.name for member in members)
            fail(f"{outside}: in no group of the header")
    opening, topics = topics_of(blocks(root.find("detaileddescription")))
    about = [("text", [("plain", "What the functions take and give, and what a program can ask while it is compiled.")])]
    return Header(opening, topics, Group("Types and macros", about, types + macros), groups)


def topics_of(text):
    """A paragraph that begins with one word and a full stop, "Threads. A client may...", opens a topic."""
    opening, topics = [], {}
    current = opening
    for block in text:
        if block[0] == "text":
            title = re.match(r"([A-Z][a-z]+)\. (?=.)", block[1][0][1])
            if title:
                (kind, first), *rest = block[1]
                current = topics[title[1]] = []
                block = ("text", [(kind, first[title.end():]), *rest])
        current.append(block)
    return opening, topics


def item(member):
    kind, name = member.get("kind"), member.findtext("name")
    text = blocks(member.find("detaileddescription"))
    if not text:
        fail(f"{name} has no comment")
    values = []
    for value in member.findall("enumvalue"):
        meaning = blocks(value.find("detaileddescription"))
        if not meaning:
            fail(f"{value.findtext('name')} has no comment")
        number = value.findtext("initializer", "").lstrip("= ")
        values.append((value.findtext("name"), number, meaning))
    parameters = [parameter.findtext("declname", "") for parameter in member.findall("param")]
    return Item(kind, name, declaration(member), text, parameters, values)


def declaration(member):
    kind, name = member.get("kind"), member.findtext("name")
    if kind == "enum":
        return f"typedef enum {{ ... }} {name};"
    if kind == "define":
        parameters = [parameter.findtext("defname", "") for parameter in member.findall("param")]
        return f"#define {name}" + (f"({', '.join(parameters)})" if parameters else "")
    line = member.findtext("definition")
    if kind == "function":
        line += member.findtext("argsstring")
    # "(* name) (" and "* name" are doxygen's way.
    line = re.sub(r"\s*\(\s*\*\s*(\w+)\)\s*\(", r" (*\1)(", line)
    line = re.sub(r"\*\s+(?=\w)", "*", line)
    return wrapped(line + ";")


def wrapped(line):
    """One line, or one for each parameter."""
    if len(line) <= 78:
        return line
    match = re.match(r"(.*\(\*?\w+\)\(|[^(]*\()(.*)(\);)$", line)
    if not match:
        return line
    before, parameters, after = match.groups()
    return before + (",\n" + " " * len(before)).join(parameters.split(", ")) + after


def blocks(element):
    found = []
    if element is None:
        return found
    for child in element:
        if child.tag == "para":
            found += paragraph(child)
        else:
            fail(f"a comment has <{child.tag}>, which is not provided for")
    return found


def paragraph(element):
    found, runs = [], []

    def plain(text):
        if text:
            runs.append(("plain", re.sub(r"\s+", " ", text)))

    def end():
        if "".join(text for _, text in runs).strip():
            found.append(("text", trimmed(runs)))
        runs.clear()

    plain(element.text)
    for child in element:
        if child.tag in RUNS:
            runs.append((RUNS[child.tag], "".join(child.itertext())))
        elif child.tag in CHARACTERS:
            plain(CHARACTERS[child.tag])
        elif child.tag in ("ref", "ulink"):
            plain("".join(child.itertext()))
        elif child.tag == "verbatim":
            end()
            found.append(("code", child.text.rstrip()))
        elif child.tag == "programlisting":
            end()
            for space in child.iter("sp"):
                space.text = " "
            lines = ["".join(line.itertext()) for line in child.findall("codeline")]
            found.append(("code", "\n".join(lines).rstrip()))
        elif child.tag in ("itemizedlist", "orderedlist"):
            end()
            found.append(("list", [blocks(entry) for entry in child.findall("listitem")]))
        else:
            fail(f"a comment has <{child.tag}>, which is not provided for")
        plain(child.tail)
    end()
    return found


def trimmed(runs):
    runs = [run for run in runs if run[1]]
    runs[0] = (runs[0][0], runs[0][1].lstrip())
    runs[-1] = (runs[-1][0], runs[-1][1].rstrip())
    return [run for run in runs if run[1]]

"""The front matter is neither the name nor a section, and mistakes in it are warnings."""

import pytest

from runbook.core.authoring.format import formatted
from runbook.core.document import FrontMatter, Severity
from runbook.core.language.parse import parse
from runbook.core.language.summary import summarize

TEXT = """\
# Demo

What it does.

# Environment Requirements

```yaml
```

# File System Requirements

```yaml
Input:
```

# Script

```sh
true
```

# History
"""
FRONT = """\
---
title: Restart
# owner of this page
owner:   sre team
tags: [network, "web  tier", network]
description: >
  Restarts
  it.

other:
- History
---
"""


def read(front, text=TEXT):
    return parse((front + text).encode(), stem="Demo")


@pytest.mark.parametrize("gap", ["", "\n"])
@pytest.mark.parametrize("bom", ["", "\ufeff"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_it_is_read_and_changes_no_line_number(gap, bom, end):
    text = (bom + FRONT + gap + TEXT).replace("\n", end)
    document = parse(text.encode(), stem="Demo")
    assert document.problems == ()
    assert document.name == "Demo"
    assert document.front == FrontMatter(("network", "web tier"), "sre team", "Restarts it.")
    assert document.runbook is not None
    assert document.runbook.description == "What it does."
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    assert lines[document.runbook.steps[0].line - 1] == "true"
    assert text.encode()[: document.head_bytes].endswith(f"```{end}{end}".encode())


@pytest.mark.parametrize(
    ("yaml", "tags"),
    [
        ("tags: network,  web tier ,, network", ("network", "web tier")),
        ("tags: one", ("one",)),
        ("tags: ''", ()),
        (
            "tags: [" + ", ".join(f"t{n}" for n in range(60)) + "]",
            tuple(f"t{n}" for n in range(50)),
        ),
    ],
)
def test_tags_are_a_list_or_text_with_commas(yaml, tags):
    assert read(f"---\n{yaml}\n---\n").front.tags == tags


def test_it_is_not_formatted():
    assert formatted((FRONT + "\n" + TEXT).encode()) == (FRONT + "\n" + TEXT).encode()
    assert formatted((FRONT + TEXT).encode()) == (FRONT + "\n" + TEXT).encode()


@pytest.mark.parametrize(
    ("yaml", "line"),
    [
        ("a: &x 1\nb: *x", 2),
        ("tags: {a: b}", 2),
        ("x: 1\ntags: [[a]]", 3),
        ("owner: [a]", 2),
    ],
)
def test_a_mistake_in_it_is_a_warning(yaml, line):
    document = read(f"---\n{yaml}\n---\n")
    (problem,) = document.problems
    assert (problem.code, problem.severity) == ("bad_front_matter", Severity.WARNING)
    assert problem.line == line
    assert document.runbook is not None


@pytest.mark.parametrize("front", ["---\n---\n", "---\na: b\n...\n", "---\n# a\n\na:\n---\n"])
def test_what_is_front_matter(front):
    assert read(front).problems == ()
    assert read(front).name == "Demo"


@pytest.mark.parametrize(
    "front",
    [
        "---\n\nWords of an introduction.\n\n---\n\n",
        "\n---\nowner: me\n---\n\n",
        "---\nowner: me\n\n",
        "- - -\nowner: me\n\n---\n",
    ],
)
def test_what_is_not(front):
    assert read(front).front == FrontMatter()


@pytest.mark.parametrize("line", ["# Required Claims", "# Required Claim", "# Policy"])
def test_it_never_hides_a_section(line):
    document = read(f"---\na: b\n{line}\n---\n", TEXT)
    assert document.front == FrontMatter()
    assert document.runbook is None or document.name == "Policy"


def test_its_description_is_the_summary():
    assert summarize(read(FRONT)).description == "Restarts it."
    assert summarize(read("")).description == "What it does."
    assert summarize(read(FRONT, "# Demo\n")).description == "Restarts it."

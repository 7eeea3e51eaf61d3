"""The one form of a runbook's text: it is reached in one step and says the same."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook.core.authoring import format as formatting
from runbook.core.authoring.format import formatted
from runbook.core.document import Problem
from runbook.core.language.parse import parse

GOOD = """\
# Demo

What it does.

# Environment Requirements

```yaml
HOST: A name.
```

# File System Requirements

```yaml
```

# Script

```sh
echo $HOST
```

# History
"""


def shape(text):
    result = formatted(text.encode())
    assert isinstance(result, bytes), result
    return result.decode()


def test_what_has_the_form_stays():
    assert shape(GOOD) == GOOD


@pytest.mark.parametrize(
    ("written", "better"),
    [
        ("# Demo\n\n", "\ufeff# Demo\n\n"),
        ("# Demo\n\n", "\n\n# Demo\n\n"),
        ("# Demo\n\nWhat", "# Demo\nWhat"),
        ("# Demo\n\nWhat", "# Demo\n\n\n\nWhat"),
        ("What it does.\n", "What it does. \t\n"),
        ("# Environment Requirements\n", "# environment requirements ##\n"),
        ("# Environment Requirements\n", "#  Environment Requirements  \n"),
        ("# Script\n", "Script\n======\n"),
        ("# Script\n", "  script\n===\n"),
        ("# Script\n\n```sh", "# Script\n```sh"),
        ("```\n\n# Script", "```\n# Script"),
        ("```sh\n", "```sh  \n"),
        ("```\n\n# History", "``` \t\n\n# History"),
        ("\n\n# History", "\n# History"),
        ("\n\n# History", "\n\n\n\n# History"),
        ("\n", "\r\n"),
        ("\n", "\r"),
    ],
)
def test_blanks_line_ends_and_headings_are_put_right(written, better):
    assert written in GOOD
    document = GOOD.replace(written, better, 1) if written != "\n" else GOOD
    head, history = document.split("# History")
    if written == "\n":
        head = head.replace("\n", better)
    assert shape(f"{head}# History{history}") == GOOD


@pytest.mark.parametrize(
    "text",
    [
        "One  \ntwo.",
        "- a\n\n\n  b   \n- c",
        "> quoted  \n> more ",
        "    indented\n\n\n    code   ",
        "<!-- a\n\n\n  comment  -->",
        "~~~text\n  \n\n\n# No heading\n~~~",
        "[link]: https://example.org",
        "Old heading\n===========",
        "## Two\n\n### Three",
        "***",
    ],
)
def test_what_is_right_or_not_ours_stays(text):
    document = GOOD.replace("What it does.", text)
    assert shape(document) == document


def test_hard_breaks_have_two_blanks():
    assert "One  \ntwo.\n" in shape(GOOD.replace("What it does.", "One     \ntwo.   "))


def test_a_paragraph_is_set_apart_from_a_fence():
    document = GOOD.replace("What it does.", "Text\n```text\nx\n```\nmore\n## Sub\nend")
    assert "Text\n\n```text\nx\n```\n\nmore\n\n## Sub\n\nend\n" in shape(document)


def test_definitions_of_links_lose_their_blanks():
    document = GOOD.replace("What it does.", "[link]: https://example.org   ")
    assert "[link]: https://example.org\n" in shape(document)


@pytest.mark.parametrize("below", ["", "\n\n\nold  \r\n# x", "\n### 2026 | Exit Code: 0 \n"])
def test_history_stays_byte_for_byte(below):
    history = f"history   \r\n===\r\n{below}"
    document = GOOD.replace("# History\n", history).replace("What it", "What  \n\n\nit")
    result = formatted(document.encode())
    if isinstance(result, Problem):  # the text isn't a history
        assert parse(document.encode()).errors
    else:
        assert result.endswith(history.encode())


def test_a_runbook_with_errors_is_left_alone():
    problem = formatted(b"# Demo\n")
    assert problem.code == "not_formatted"
    assert "errors" in problem.message


def test_what_would_say_something_else_is_left_alone(monkeypatch):
    def lose(lines):
        yield from [*lines][2:]

    monkeypatch.setattr(formatting, "_spaced", lose)
    problem = formatted(GOOD.encode())
    assert problem.code == "not_formatted"
    assert "change" in problem.message


ODD = [
    *("", "  ", "text", "text  ", "- item", "  more", "1. one", "> quote", "    code", "\tx"),
    *("## sub", "#  Other #", "```text", "```", "~~~", "<!-- c", "-->", "<div>", "***"),
    *("[a]: b", "Line\n===", "Line\n---", "- ```", "\\", "`x  ", "\ufeff", "é\u2028"),
]


@st.composite
def documents(draw):
    """Valid runbooks, more or less, with odd things between their parts."""
    odd = st.lists(st.sampled_from(ODD), max_size=6)
    parts = GOOD.split("\n\n")
    text = "\n\n".join(f"{part}\n" + "\n".join(draw(odd)) for part in parts)
    return text.replace("\n", draw(st.sampled_from(["\n", "\r\n"])))


@given(documents())
def test_formatting_twice_is_formatting_once_and_says_the_same(text):
    data = text.encode()
    result = formatted(data)
    if isinstance(result, Problem):
        return
    assert formatted(result) == result
    before, after = parse(data), parse(result)
    assert data[before.head_bytes :] == result[after.head_bytes :]
    assert [p.code for p in before.problems] == [p.code for p in after.problems]
    assert without_places(before) == without_places(after)


def without_places(document):
    runbook = document.runbook
    return (
        runbook.name,
        runbook.description.split(),
        [(item.name, item.description) for item in runbook.inputs],
        runbook.files_in,
        runbook.claims,
        [dataclasses.replace(step, line=0) for step in runbook.steps if not step.heading_line],
        [(step.name, step.source) for step in runbook.steps],
        runbook.policy,
    )


@given(st.binary(max_size=60), st.integers(0, len(GOOD)))
def test_no_bytes_are_too_odd(extra, place):
    data = GOOD.encode()[:place] + extra + GOOD.encode()[place:]
    result = formatted(data)
    assert isinstance(result, Problem) or formatted(result) == result

"""Which scripts of a document have syntax errors, and on which of its lines."""

import pytest

from runbook.core.authoring.lint import Surroundings, lint
from runbook.core.authoring.script_syntax import (
    Complaint,
    python_complaint,
    script_problems,
    with_script_problems,
)
from runbook.core.document import Language
from runbook.core.language.parse import parse

TEXT = """\
# Demo
# Environment Requirements
```yaml
```
# File System Requirements
```yaml
Input:
```
# Script
## One
```sh
true
fi
```
### Undo
```bash
true
```
## Two
```python
x = 1
y = (
```
"""


class Shells:
    def __init__(self):
        self.asked = []

    def complaint(self, script):
        self.asked.append(script.language)
        return Complaint("near `fi'", 1) if "fi" in script.source else None


@pytest.mark.parametrize("history", ["# History\n", ""])
def test_each_script_is_checked_also_in_an_invalid_runbook(history):
    shells = Shells()
    found = list(script_problems(parse((TEXT + history).encode()), shells))
    assert [(p.code, p.line, p.params["reason"]) for p in found] == [
        ("script_syntax", 13, "near `fi'"),
        ("script_syntax", 22, "'(' was never closed"),
    ]
    assert shells.asked == [Language.ZSH, Language.BASH]


def test_a_script_with_a_syntax_error_makes_the_runbook_invalid():
    document = parse((TEXT + "# History\n").encode())
    assert document.runbook is not None
    problems = tuple(script_problems(document, Shells()))
    assert with_script_problems(document, problems).errors == problems
    assert with_script_problems(document, problems).runbook is None
    assert with_script_problems(document, ()) is document


def test_a_block_that_is_known_to_be_cut_is_reported_once():
    text = TEXT.replace("true\nfi", "cat <<END\nfi")
    document = parse((text + "# History\n").encode())
    lines = [problem.line for problem in script_problems(document, Shells())]
    assert [(p.code, p.line) for p in document.errors] == [("heredoc_not_closed", 12)]
    assert lines == [22]


def test_a_comment_cannot_turn_a_syntax_error_off():
    text = (TEXT + "# History\n").replace(
        "# Script", "<!-- runbook-lint: disable=script_syntax -->\n# Script"
    )
    found = lint(parse(text.encode()), text.encode(), Surroundings(shells=Shells()))
    assert [problem.code for problem in found].count("script_syntax") == 2


@pytest.mark.parametrize("source", ["\0", "(" * 5000])
def test_python_that_cannot_be_read_at_all_is_an_error(source):
    assert python_complaint(source)


def test_an_error_without_a_line_is_on_the_first(monkeypatch):
    def refuse(_source):
        raise MemoryError

    monkeypatch.setattr("ast.parse", refuse)
    assert python_complaint("x") == Complaint("MemoryError", 0)


def test_what_warns_the_compiler_is_no_error():
    assert python_complaint('"\\d"') is None

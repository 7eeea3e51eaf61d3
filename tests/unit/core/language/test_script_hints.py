"""Hints about blocks that are no scripts, and about scripts that were pasted."""

import pytest

from runbook.core.document import Severity
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
{script}
# History
"""
LINE = 10


def problems(script):
    return parse(TEXT.format(script=script).encode(), stem="Demo").problems


@pytest.mark.parametrize(
    ("info", "mark"),
    [
        ("shell", "```sh"),
        ("console", "```sh"),
        ("Shell-Session", "```sh"),
        ("{.bash}", "```bash"),
        ("py", "```python"),
        ("python3 title=x", "```python"),
        ("", "```sh"),
    ],
)
def test_without_a_script_the_block_to_change_is_named(info, mark):
    (problem,) = problems(f"Text.\n\n```{info}\n$ true\n```")
    assert (problem.code, problem.line) == ("no_script", LINE + 2)
    assert problem.hint.startswith(f"Change line {LINE + 2} to {mark}, and remove the prompts")


def test_a_step_whose_block_is_not_executed_is_a_warning():
    found = problems(
        "## One\n```sh\ntrue\n```\n## Two\n```shell\nfalse\n```\n## Text\n```text\n```"
    )
    assert [(p.code, p.line, p.severity) for p in found] == [
        ("script_not_executed", LINE + 5, Severity.WARNING)
    ]
    assert found[0].hint == f"Change line {LINE + 5} to ```sh"


@pytest.mark.parametrize(
    "script",
    [
        "```sh\ntrue\n```\n\nIt prints:\n\n```console\n$ true\n```",
        "## One\n```sh\ntrue\n```\n```console\n$ true\n```",
        "## One\n```sh\ntrue\n```\n## Two\n- ```shell\n  $ true\n  ```",
    ],
)
def test_examples_beside_a_script_are_fine(script):
    assert problems(script) == ()


@pytest.mark.parametrize(
    ("script", "line"),
    [("$ systemctl stop web", 1), ("\n# Stop it.\n  $ systemctl stop web", 3), ("% ls", 1)],
)
def test_a_prompt_is_a_warning_with_its_line(script, line):
    (problem,) = problems(f"```sh\n{script}\n```")
    assert (problem.code, problem.severity) == ("prompt_in_script", Severity.WARNING)
    assert problem.line == LINE + line
    assert str(LINE) in problem.hint


@pytest.mark.parametrize("script", ["$HOME/x", "echo\n$ x", "cat <<X\n$ x\nX", "%1"])
def test_other_lines_are_no_prompt(script):
    assert problems(f"```sh\n{script}\n```") == ()


@pytest.mark.parametrize(
    ("word", "shebang", "mark"),
    [
        ("sh", "#!/bin/bash", "bash"),
        ("sh", "#! /usr/bin/env -S bash -e", "bash"),
        ("zsh", "#!/usr/bin/env python3.11", "python"),
        ("bash", "#!/bin/zsh", "sh"),
        ("python", "#!/bin/sh", "sh"),
        ("sh", "#!/usr/bin/perl -w", None),
    ],
)
def test_a_line_that_asks_for_another_interpreter_is_a_warning(word, shebang, mark):
    (problem,) = problems(f"```{word}\n{shebang}\npass\n```")
    assert (problem.code, problem.line) == ("shebang_ignored", LINE + 1)
    assert problem.severity is Severity.WARNING
    if mark:
        assert problem.hint == f"Mark the block on line {LINE} {mark}"


@pytest.mark.parametrize(
    ("word", "shebang"),
    [
        ("sh", "#!/bin/sh"),
        ("sh", "#!/usr/bin/env zsh"),
        ("bash", "#!/usr/bin/bash -e"),
        ("python", "#!/usr/bin/env python3"),
        ("sh", "#!"),
        ("sh", "# /bin/bash"),
    ],
)
def test_a_line_that_asks_for_the_same_is_fine(word, shebang):
    assert problems(f"```{word}\n{shebang}\npass\n```") == ()

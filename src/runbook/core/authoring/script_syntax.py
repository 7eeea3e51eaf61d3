"""Syntax errors in a runbook's scripts: half a script never runs.

The shells themselves check their scripts. That takes a process, so a `ShellCheck` is given.
"""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterator
from dataclasses import replace
from typing import Protocol

from runbook.core.document import Document, Language, Problem, Script
from runbook.quick_dataclass import dataclass

SHOWN_CHARACTERS = 200
_ALREADY = frozenset({"script_cut", "heredoc_not_closed", "unclosed_fence"})
"""Problems of a block that explain any syntax error in it."""


@dataclass(frozen=True, slots=True)
class Complaint:
    """What is wrong with a script, and its line in it, counted from 0."""

    reason: str
    line: int


class ShellCheck(Protocol):
    def complaint(self, script: Script) -> Complaint | None:
        """What the shell itself says; None if it says nothing or is not installed."""


def script_problems(document: Document, shells: ShellCheck | None) -> Iterator[Problem]:
    """An error for each script with a syntax error, whether or not the runbook is valid.

    Without `shells`, only Python scripts are checked.
    """
    known = {problem.line or 0 for problem in document.errors if problem.code in _ALREADY}
    for script in scripts_of(document):
        lines = range(script.line - 1, script.line + script.source.count("\n") + 1)
        if known.intersection(lines):
            continue
        if (found := _complaint(script, shells)) is not None:
            yield _problem(script, found)


def with_script_problems(document: Document, problems: tuple[Problem, ...]) -> Document:
    """The document with these errors, which make it invalid."""
    if not problems:
        return document
    ordered = sorted((*document.problems, *problems), key=lambda problem: problem.line or 0)
    return replace(document, runbook=None, problems=tuple(ordered))


def scripts_of(document: Document) -> Iterator[Script]:
    """All scripts in document order, also those of an invalid runbook."""
    for step in document.steps:
        yield step.script
        if step.undo is not None:
            yield step.undo


def python_complaint(source: str) -> Complaint | None:
    """The syntax error in a Python script."""
    try:
        with warnings.catch_warnings(action="ignore"):
            ast.parse(source)
    except SyntaxError as error:
        return Complaint(error.msg, max((error.lineno or 1) - 1, 0))
    except (ValueError, RecursionError, MemoryError) as error:
        return Complaint(str(error) or type(error).__name__, 0)
    return None


def _complaint(script: Script, shells: ShellCheck | None) -> Complaint | None:
    if script.language is Language.PYTHON:
        return python_complaint(script.source)
    return shells.complaint(script) if shells else None


def _problem(script: Script, found: Complaint) -> Problem:
    reason = found.reason[:SHOWN_CHARACTERS]
    line = script.line + max(0, min(found.line, script.source.count("\n")))
    name = "Python" if script.language is Language.PYTHON else script.language.value
    text = f"The {name} script has a syntax error: {reason}"
    hint = f"The script's block begins on line {script.line - 1}. Nothing of it is executed"
    return Problem("script_syntax", text, line, hint=hint, params={"reason": reason})

"""Choices from another runbook's output, and the problems if there are none."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from runbook.core.document import ChoicesSource, Input, InputType, LiveChoices, Problem

Choices = tuple[str, ...] | Problem
"""The choices of an input, or why they aren't available."""


def all_inputs(inputs: Iterable[Input]) -> Iterator[Input]:
    """The inputs and, after each list, its fields as `LIST.FIELD`."""
    for item in inputs:
        yield item
        for declared in item.items:
            yield replace(declared, name=f"{item.name}.{declared.name}")


def read_choices(item: Input, source: ChoicesSource, output: object) -> Choices:
    """The choices in an output: a JSON list of strings, or text separated by lines or commas.

    `output` is None if no run has produced it.
    """
    words = _texts(output) if isinstance(output, list) else _words(output)
    found = tuple(dict.fromkeys(word for word in words if _usable(item, word)))
    return found or choices_not_known(item, source)


def choices_not_known(item: Input, source: ChoicesSource) -> Problem:
    what = f"no run of {source.ref} has set the output {source.output}"
    text = f"The choices for {item.name} aren't available yet: {what}"
    return Problem(
        "choices_unknown",
        text,
        item.line,
        hint=f"Run {source.ref} first",
        params={"variable": item.name, "runbook": source.ref, "output": source.output},
    )


def choices_not_allowed(
    item: Input, source: ChoicesSource | LiveChoices, missing: Sequence[str]
) -> Problem:
    text = (
        f"The choices for {item.name} come from {source.ref}, which you aren't allowed to execute"
    )
    hint = f"Missing or invalid claims: {', '.join(missing)}" if missing else None
    return Problem(
        "choices_unknown",
        text,
        item.line,
        hint=hint,
        params={"variable": item.name, "runbook": source.ref},
    )


def choices_not_found(item: Input, source: ChoicesSource | LiveChoices) -> Problem:
    text = f"The choices for {item.name} come from {source.ref}, which does not exist"
    hint = "Set choices_from to a path relative to the runbooks directory or to this runbook"
    return Problem(
        "choices_unknown",
        text,
        item.line,
        hint=hint,
        params={"variable": item.name, "runbook": source.ref},
    )


def _words(output: object) -> Iterable[str]:
    if not isinstance(output, str):
        return ()
    text = output.strip()
    if text.startswith("["):
        try:
            listed = json.loads(text)
        except (ValueError, RecursionError):
            listed = None
        if isinstance(listed, list):
            return _texts(listed)
    return [word.strip() for word in (text.splitlines() if "\n" in text else text.split(","))]


def _texts(output: Sequence[object]) -> Iterable[str]:
    return [word for word in output if isinstance(word, str)]


def _usable(item: Input, word: str) -> bool:
    """Whether a word can be a choice; multiple choices are comma-separated."""
    return bool(word) and not (item.type is InputType.MULTICHOICE and set(word) & set(",\r\n"))

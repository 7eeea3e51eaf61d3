"""Formats the preview of a dry run: the scripts and the values that they would get."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from runbook.cli.terminal.escaping import escaped
from runbook.cli.terminal.render import text_of

Json = Mapping[str, Any]


def preview_lines(preview: Json) -> Iterator[str]:
    """The preview of a run as lines that are safe to print."""
    yield f"dry run of {text_of(preview['runbook'])}"
    yield from _pairs("claim", preview["claims"], text_of)
    yield from _pairs("input", preview["inputs"], _input)
    for path in preview["files"]:
        yield f"  file    {text_of(path)}"
    for lock in preview["locks"]:
        yield f"  lock    {text_of(lock['lock'])}{_held(lock['held_by'])}"
    yield f"  timeout {preview['timeout_seconds']:g} s"
    for number, step in enumerate(preview["steps"], start=1):
        yield f"  step {number}: {text_of(step['name'])} ({step['language']}, line {step['line']})"
        yield from (f"    only if {escaped(text)}" for text in step["conditions"])
        yield from (f"    | {escaped(line)}" for line in step["script"].splitlines())


def _pairs(title: str, values: Json, shown: Callable[[Any], str]) -> Iterator[str]:
    for name, value in values.items():
        yield f"  {title:<7} {text_of(name)} = {shown(value)}"


def _input(value: Json) -> str:
    return "(given, not shown)" if value.get("given") else text_of(value.get("value"))


def _held(holder: Json | None) -> str:
    if holder is None:
        return ": free"
    return f": held by run {text_of(holder['run_id'])}, requested by {text_of(holder['by'])}"

"""The parts of a structured secret: its lines, and the values in JSON, YAML or KEY=value text."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

MIN_DIGITS = 4
"""Minimum number of digits to mask a number."""

_NESTED = ("{", "[", '"')
_FIELD = re.compile(
    r"""\s*(?:-\s+)*(?:(?:export\s+)?["']?[A-Za-z_][\w.-]*["']?(?::\s+|\s*=\s*))?(?P<value>\S.*)"""
)
_FLOW = re.compile(r"[{}\[\],]")
_COMMENT = re.compile(r"\s#.*")
_NO_SECRETS = frozenset({"true", "false", "null", "none"})


class _Number(str):
    """A number as written in JSON."""

    __slots__ = ()


def lines_of(text: str) -> list[str]:
    return re.split(r"\r\n|\r|\n", text)


def leaves_of(secret: str) -> tuple[str, ...]:
    """The values in a structured secret, in order; none if it has no structure.

    A string in JSON may be structured itself. Names are no values, nor are true, false and null.
    """
    found: dict[str, None] = {}
    waiting = [secret]
    while waiting:
        text = waiting.pop()
        leaves = _json_leaves(text)
        if leaves is not None:
            waiting += [leaf for leaf in leaves if not isinstance(leaf, _Number)]
        else:
            leaves = list(_fields(text))
        found |= dict.fromkeys(str(leaf) for leaf in leaves)
    found.pop(secret, None)
    return tuple(found)


def _json_leaves(text: str) -> list[str] | None:
    """All strings in a JSON text, and its longer numbers; None if it is no JSON."""
    if not text.startswith(_NESTED):
        return None
    try:
        waiting = [json.loads(text, parse_int=_Number, parse_float=_Number)]
    except (ValueError, RecursionError):
        return None
    leaves: list[str] = []
    while waiting:
        value = waiting.pop()
        if isinstance(value, _Number):
            leaves += map(_Number, _spellings(value))
        elif isinstance(value, str):
            leaves.append(value)
        elif isinstance(value, dict):
            waiting.extend(value.values())
        elif isinstance(value, list):
            waiting.extend(value)
    return leaves


def _spellings(number: str) -> Iterator[str]:
    """The number as written and as programs print it; none if it is short."""
    if sum(map(str.isdigit, number)) >= MIN_DIGITS:
        yield number
        if not number.lstrip("-").isdigit():
            yield repr(float(number))


def _fields(text: str) -> Iterator[str]:
    """The values in lines such as `name: value`, `- value` or `NAME=value`."""
    for line in lines_of(text):
        field = _FIELD.fullmatch(line)
        if field and field["value"].startswith(("{", "[")):
            yield from _flow(field["value"])
        elif field and field.start("value") > _indent(line):
            yield from _scalar(field["value"].strip())


def _flow(value: str) -> Iterator[str]:
    """The values in a list or mapping on one line, JSON or not."""
    leaves = _json_leaves(value.strip())
    if leaves is not None:
        yield from leaves
        return
    for field in map(_FIELD.fullmatch, _FLOW.split(value)):
        if field:
            yield from _scalar(field["value"].strip())


def _indent(text: str) -> int:
    return len(text) - len(text.lstrip())


def _scalar(value: str) -> Iterator[str]:
    """A value without its quotes or comment."""
    if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'":
        yield value[1:-1]
    elif value.lower() not in _NO_SECRETS:
        yield _COMMENT.sub("", value)
        yield value

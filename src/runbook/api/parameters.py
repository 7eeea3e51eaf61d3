"""Parses query parameters, and describes them for the OpenAPI document."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from enum import StrEnum
from typing import TypeVar

from flask import request

from runbook.api.routing import RoutePolicy
from runbook.api.unknown import unknown_parameter
from runbook.core.document import Problem, texts_of
from runbook.core.times import Millis
from runbook.errors import RequestError

_Word = TypeVar("_Word", bound=StrEnum)
INTEGER: dict[str, object] = {"type": "integer", "minimum": 0}
TEXT: dict[str, object] = {"type": "string", "minLength": 1}
TEXTS: dict[str, object] = {"type": "array", "items": {"type": "string"}}
BOOLEAN: dict[str, object] = {"type": "boolean"}
MAX_PAGE = 200
DEFAULT_PAGE = 50
PAGE: dict[str, object] = {
    "type": "integer",
    "minimum": 1,
    "maximum": MAX_PAGE,
}
PAGE_TEXT = f"Maximum number of results, from 1 to {MAX_PAGE}; {DEFAULT_PAGE} by default"
BEYOND_ALL = 10**15


def check_query(policy: RoutePolicy) -> None:
    """Raises RequestError for parameters that the view would ignore.

    These are unknown ones, and repetitions of one that takes a single value.
    """
    if policy.any_query:
        return
    known = {item.name: item for item in policy.parameters if item.place == "query"}
    problems = []
    for name, values in request.args.lists():
        if name not in known:
            problems.append(unknown_parameter(name, known))
        elif len(values) > 1 and not known[name].repeatable:
            text = f"{name} can be given only once"
            problems.append(Problem("repeated_parameter", text, params={"parameter": name}))
    if problems:
        raise RequestError("; ".join(texts_of(problems)), problems=tuple(problems))


def number(name: str, default: int, *, least: int = 0, most: int | None = None) -> int:
    """A whole number from `least` to `most`. Raises RequestError."""
    text = request.args.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit()):
        raise RequestError(f"{name} must be a whole number, {least} or greater")
    value = _number(text)
    if value < least:
        raise RequestError(f"{name} must be at least {least}")
    if most is not None and value > most:
        raise RequestError(f"{name} must be at most {most}")
    return value


def signed(name: str) -> int | None:
    """A whole number, which may be negative. Raises RequestError."""
    text = request.args.get(name)
    if text is None:
        return None
    if re.fullmatch(r"-?[0-9]+", text) is None:
        raise RequestError(f"{name} must be a whole number")
    return -_number(text[1:]) if text.startswith("-") else _number(text)


def page_size() -> int:
    return number("limit", DEFAULT_PAGE, least=1, most=MAX_PAGE)


def one_of(name: str, known: type[_Word]) -> _Word | None:
    """A member of an enumeration; None if it isn't given. Raises RequestError."""
    word = request.args.get(name)
    if word is None:
        return None
    try:
        return known(word)
    except ValueError:
        raise RequestError(f"{name} {word!r} is not one of {', '.join(known)}") from None


def switch(name: str) -> bool | None:
    """True, false, or None if not given. Raises RequestError for anything else."""
    word = request.args.get(name)
    if word is None:
        return None
    if word not in ("true", "false"):
        raise RequestError(f"{name} must be true or false")
    return word == "true"


def moment(name: str) -> Millis | None:
    """A time in milliseconds since the epoch, UTC if it has no zone. Raises RequestError."""
    text = request.args.get(name)
    if not text:
        return None
    try:
        # An unescaped plus sign arrives as a space.
        found = datetime.fromisoformat(text.replace(" ", "+") if "T" in text else text)
        if found.tzinfo is None:
            found = found.replace(tzinfo=UTC)
        return int(found.timestamp() * 1000)
    except (ValueError, OverflowError):
        raise RequestError(
            f"{name} must be an ISO 8601 time, for example 2026-01-31T08:00:00Z"
        ) from None


def _number(digits: str) -> int:
    return int(digits) if len(digits) <= 15 else BEYOND_ALL

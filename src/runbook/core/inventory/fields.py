"""Checks the fields of devices: from a form, a table, or a script."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from runbook.core.document import Problem
from runbook.core.inventory.device import LISTS, TEXTS, TIMES, Device, Field
from runbook.core.inventory.names import DEVICE_NAME, DEVICE_RULE
from runbook.core.storable import is_storable
from runbook.core.syntax.unknown_keys import did_you_mean
from runbook.core.times import Millis
from runbook.quick_dataclass import dataclass

MAX_TEXT = 200
MAX_LISTED = 50
MAX_FACTS_BYTES = 16 * 1024
NOW = "now"
WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,62}")
"""A tag or a group."""
_HOST = re.compile(r"[\w:][\w.:%-]*")
_LATEST = 253_402_300_799_999

Given = Mapping[str, object]
Changes = Mapping[Field, object]


class _UnfitError(ValueError):
    """Says what a value must be, as the rest of a sentence."""


@dataclass(frozen=True, slots=True)
class Checked:
    """The values that fit, as a Device has them, and everything that is wrong with the others."""

    changes: Changes
    problems: tuple[Problem, ...] = ()


def name_problem(name: str) -> Problem | None:
    if re.fullmatch(DEVICE_NAME, name):
        return None
    return Problem(
        "bad_device_name",
        f"A device can't be named {name[:80]!r}",
        hint=DEVICE_RULE,
        params={"device": name[:80]},
    )


def check_fields(name: str, given: Given, now: Millis) -> Checked:
    """Null and empty text remove a value. `now` stands for the present in times."""
    changes: dict[Field, object] = {}
    problems = []
    for key, value in given.items():
        try:
            known = Field(key)
        except ValueError:
            problems.append(_unknown_field(name, key))
            continue
        try:
            changes[known] = _read(known, value, now)
        except _UnfitError as rule:
            problems.append(unfit(name, known.value, str(rule)))
    return Checked(changes, tuple(problems))


def unfit(device: str, name: str, rule: str, hint: str | None = None) -> Problem:
    return Problem(
        "bad_device_field",
        f"{name} of {device[:80]} {rule}",
        hint=hint,
        params={"device": device[:80], "field": name},
    )


def _unknown_field(device: str, key: str) -> Problem:
    return Problem(
        "unknown_device_field",
        f"A device has no field {key[:80]!r}",
        hint=did_you_mean(key, [name.value for name in Field]),
        params={"device": device[:80], "field": key[:80]},
    )


def changed(device: Device, changes: Changes) -> Device:
    values: dict[str, Any] = {name.value: value for name, value in changes.items()}
    return replace(device, **values)


def differing(before: Device, changes: Changes) -> frozenset[Field]:
    """The fields that these changes change."""
    return frozenset(name for name, value in changes.items() if before.value(name) != value)


def _read(name: Field, value: object, now: Millis) -> object:
    if name in LISTS:
        return _words(value)
    if name in TIMES:
        return _moment(value, now)
    return _READERS[name](value)


def _text(value: object) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise _UnfitError("must be text")
    text = value.strip()
    if len(text) > MAX_TEXT:
        raise _UnfitError(f"must have at most {MAX_TEXT} characters")
    if not (text.isprintable() and is_storable(text)):
        raise _UnfitError("must be one line of text")
    return text


def _address(value: object) -> str:
    text = _text(value).lower()
    if text and not _HOST.fullmatch(text):
        raise _UnfitError("must be a host name or an IP address")
    return text


def _site(value: object) -> str:
    text = _text(value)
    if "," in text:  # it separates the parts of a selection
        raise _UnfitError("must not contain a comma")
    return text


def _connection(value: object) -> str | None:
    return _text(value) or None


def _words(value: object) -> tuple[str, ...]:
    """Sorted, each once; from a list or from text with commas."""
    if isinstance(value, str):
        value = value.replace(";", ",").split(",")
    if not isinstance(value, list | tuple | None):
        raise _UnfitError("must be a list")
    words = {word.strip() for word in value or () if isinstance(word, str) and word.strip()}
    if any(not isinstance(word, str) for word in value or ()):
        raise _UnfitError("must be a list of text")
    if not all(map(WORD.fullmatch, words)):
        raise _UnfitError("must have words of up to 63 letters, digits and ._/-")
    if len(words) > MAX_LISTED:
        raise _UnfitError(f"must have at most {MAX_LISTED} words")
    return tuple(sorted(words))


def _moment(value: object, now: Millis) -> Millis | None:
    if value is None or value == "":
        return None
    if value == NOW:
        return now
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _LATEST:
        return value
    try:
        found = datetime.fromisoformat(value if isinstance(value, str) else "")
    except ValueError:
        raise _UnfitError("must be an ISO 8601 time, such as 2026-01-31T08:00:00Z") from None
    at = found if found.tzinfo else found.replace(tzinfo=UTC)
    millis = int(at.timestamp() * 1000)
    if not 0 <= millis <= _LATEST:
        raise _UnfitError("must be a time since 1970, up to the year 9999")
    return millis


def _facts(value: object) -> dict[str, object]:
    if value is None or value == "":
        return {}
    if not isinstance(value, Mapping):
        raise _UnfitError("must be a JSON object")
    try:
        fits, size = (
            is_storable(value),
            len(json.dumps(value, ensure_ascii=False, allow_nan=False).encode()),
        )
    except (ValueError, TypeError, RecursionError):
        raise _UnfitError("must be a JSON object") from None
    if not fits:
        raise _UnfitError("must not contain NUL or lone surrogates")
    if size > MAX_FACTS_BYTES:
        raise _UnfitError(f"must have at most {MAX_FACTS_BYTES // 1024} KiB")
    return dict(value)


_READERS: Mapping[Field, Callable[[object], object]] = {
    **dict.fromkeys(TEXTS, _text),
    Field.ADDRESS: _address,
    Field.SITE: _site,
    Field.CONNECTION: _connection,
    Field.FACTS: _facts,
}

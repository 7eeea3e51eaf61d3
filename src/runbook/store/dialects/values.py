"""What a database gives for a stored value, also where others have damaged it.

A value that can't be read becomes one of the wrong type, so that the reader of the row decides what
that means: an error here would hide all rows of the same query.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from typing import Any

import sqlalchemy as sa

from runbook.quick_dataclass import dataclass

_DECODER = json.JSONDecoder()

decode_text = partial(str, encoding="utf-8", errors="replace")
"""The text in bytes that need not be UTF-8: SQLite stores any."""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """What stands in a JSON column instead of JSON."""

    stored: object


def read_json(stored: Any) -> Any:
    """The value, without lone surrogates, which earlier versions stored."""
    if isinstance(stored, bytes):  # PostgreSQL's driver gives these
        stored = decode_text(stored).lstrip()
    try:
        # What `json.loads` gives, without its search for spaces around what we wrote ourselves.
        value = _DECODER.raw_decode(stored)[0]
    except (ValueError, TypeError, AttributeError, RecursionError):
        return Unreadable(stored)
    return _without_surrogates(value) if "\\ud" in stored.lower() else value


def _without_surrogates(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, list):
        return [_without_surrogates(item) for item in value]
    if isinstance(value, dict):
        return {_without_surrogates(k): _without_surrogates(v) for k, v in value.items()}
    return value


class Bytes(sa.LargeBinary):
    """Bytes, also of a value that SQLite holds as text or as a number."""

    def result_processor(
        self,
        dialect: sa.Dialect,
        coltype: object,  # noqa: ARG002 - the base class's signature
    ) -> Callable[[Any], Any] | None:
        if dialect.name != "sqlite":
            return None  # its driver gives bytes
        return _bytes_of


def _bytes_of(stored: object) -> bytes | None:
    if stored is None or isinstance(stored, bytes):
        return stored
    return str(stored).encode("utf-8", "replace")

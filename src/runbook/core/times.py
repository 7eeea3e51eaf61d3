"""Timestamps: whole milliseconds since the epoch, UTC (`Millis`)."""

from __future__ import annotations

from datetime import UTC, datetime

Millis = int

_FIRST = -62_135_596_800_000
"""The year 1."""
_LAST = 253_402_300_799_999
"""The end of the year 9999."""


def iso(at: Millis) -> str:
    """ISO 8601 with milliseconds and `Z`, as in history entries and the API.

    A time that no calendar has, which only damage leaves in a database, becomes the nearest one.
    """
    at = min(max(at, _FIRST), _LAST)
    moment = datetime.fromtimestamp(at / 1000, tz=UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at % 1000:03d}Z"

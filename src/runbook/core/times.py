"""Timestamps: whole milliseconds since the epoch, UTC (`Millis`)."""

from __future__ import annotations

from datetime import UTC, datetime

Millis = int


def iso(at: Millis) -> str:
    """ISO 8601 with milliseconds and `Z`, as in history entries and the API."""
    moment = datetime.fromtimestamp(at / 1000, tz=UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at % 1000:03d}Z"

"""Parses times such as `2h`, `30m` and `2026-01-31`."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime

import click

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_SPAN = re.compile(r"(\d{1,9})([smhdw])")


def seconds_of(text: str) -> int | None:
    """`90s`, `30m`, `2h`, `7d`, `1w` in seconds; None for anything else."""
    match = _SPAN.fullmatch(text.strip().lower())
    return int(match[1]) * _SECONDS[match[2]] if match else None


class SinceType(click.ParamType[int]):
    """A span before now, or an ISO 8601 time; milliseconds since the epoch."""

    name = "time"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> int:
        if isinstance(value, int):
            return value
        text = str(value)
        span = seconds_of(text)
        if span is not None:
            return (int(time.time()) - span) * 1000
        try:
            moment = datetime.fromisoformat(text)
            if moment.tzinfo is None:
                moment = moment.replace(tzinfo=UTC)
            return int(moment.timestamp() * 1000)
        except (ValueError, OverflowError):
            self.fail(
                f"{text!r} is neither a time span such as 30m, 2h or 7d nor an ISO 8601 time",
                param,
                ctx,
            )


class SpanType(click.ParamType[int]):
    """A span such as `30m` or `8h`, in seconds."""

    name = "span"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> int:
        if isinstance(value, int):
            return value
        seconds = seconds_of(str(value))
        if not seconds:
            self.fail(f"{str(value)!r} is not a time span such as 90s, 30m, 8h or 7d", param, ctx)
        return seconds

"""Formats tables, times and durations."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from runbook.cli.terminal.escaping import escaped

Json = Mapping[str, object]
GAP = "  "
_SGR = re.compile(r"\x1b\[[0-9;]*m")


def text_of(value: object, default: str = "-") -> str:
    """A JSON value as escaped text for a cell or a line, never empty."""
    if value is None or value == "":
        return default
    if isinstance(value, list | tuple):
        return ", ".join(text_of(item) for item in value) or default
    return escaped(str(value))


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Lines of left-aligned columns. Cells are escaped text and may be colored."""
    cells = [list(headings), *(list(row) for row in rows)]
    widths = [max(width(row[index]) for row in cells) for index in range(len(headings))]
    return [_line(row, widths) for row in cells]


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    padded = [cell + " " * (size - width(cell)) for cell, size in zip(row, widths, strict=True)]
    return GAP.join(padded).rstrip()


def fields(pairs: Iterable[tuple[str, str]]) -> list[str]:
    """`name  value` lines, without those that have no value."""
    shown = [(name, value) for name, value in pairs if value not in ("", "-")]
    longest = max((width(name) for name, _ in shown), default=0)
    return [f"{name}{' ' * (longest - width(name))}{GAP}{value}" for name, value in shown]


def width(text: str) -> int:
    """The width of a text in terminal columns: colors take none, wide characters two."""
    return sum(_columns(character) for character in _SGR.sub("", text))


def _columns(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def moment(value: object) -> str:
    """A time in UTC, to the second."""
    if not isinstance(value, str):
        return "-"
    try:
        return datetime.fromisoformat(value).strftime("%Y-%m-%d %H:%M:%SZ")
    except ValueError:
        return text_of(value)


def duration(milliseconds: object) -> str:
    if not isinstance(milliseconds, int | float):
        return "-"
    seconds = milliseconds / 1000
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def counted(count: int, one: str, many: str = "") -> str:
    """`1 run`, `2 runs`; with `many` for an irregular plural, `2 entries`."""
    return f"{count} {one if count == 1 else many or f'{one}s'}"


def problem_line(file: str, problem: Json) -> str:
    """`FILE:LINE: error: message (hint)`, a format that editors understand."""
    line, hint = problem.get("line"), problem.get("hint")
    place = file if line is None else f"{file}:{line}"
    text = f"{place}: {problem['severity']}: {problem['message']}"
    return escaped(f"{text} ({hint})" if hint else text)

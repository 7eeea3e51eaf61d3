"""The progress bar at the bottom of a terminal."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from typing import TextIO

from runbook.cli.terminal.escaping import escaped
from runbook.cli.terminal.render import width
from runbook.script.narration import progress_line

BAR_COLUMNS = 20
LEAST_COLUMNS = 10
USUAL_COLUMNS = 80
_CLEAR = "\r\x1b[K"


def shows_bars(stream: TextIO, environment: Mapping[str, str]) -> bool:
    """Whether the stream is a terminal that can redraw a line in place."""
    return stream.isatty() and environment.get("TERM", "") not in ("", "dumb")


def columns_of(stream: TextIO) -> int:
    with suppress(OSError, ValueError):
        return os.get_terminal_size(stream.fileno()).columns or USUAL_COLUMNS
    return USUAL_COLUMNS


def bar_line(percent: float | None, text: str, columns: int) -> str:
    """`[########------] 40% Cloning disk`, short enough not to wrap."""
    room = max(LEAST_COLUMNS, columns - 1)
    words = escaped(progress_line(percent, text))
    if percent is None or room < BAR_COLUMNS * 2:
        return _cut(words, room)
    full = round(BAR_COLUMNS * percent / 100)
    return _cut(f"[{'#' * full}{'-' * (BAR_COLUMNS - full)}] {words}", room)


def _cut(text: str, columns: int) -> str:
    if width(text) <= columns:
        return text
    while width(text) > columns - 1:
        text = text[:-1]
    return f"{text}…"


class ProgressBar:
    """A line redrawn in place. Clear it before other output, and draw it again afterwards."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._percent: float | None = None
        self._text = ""
        self._known = False
        self._drawn = False

    def set(self, percent: float | None, text: str) -> None:
        self._percent, self._text, self._known = percent, text, True

    def draw(self) -> None:
        """Draw the bar. The cursor must be at the beginning of a line."""
        if self._known:
            line = bar_line(self._percent, self._text, columns_of(self._stream))
            self._write(f"{_CLEAR}{line}")
            self._drawn = True

    def clear(self) -> None:
        if self._drawn:
            self._write(_CLEAR)
            self._drawn = False

    def _write(self, text: str) -> None:
        with suppress(OSError):  # a terminal that is gone
            self._stream.write(text)
            self._stream.flush()

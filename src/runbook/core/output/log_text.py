"""The log of a run: the text of its output events in order, both streams interleaved.

Lines end only at LF. If an event of the other stream follows an unfinished line, the log has an
extra line break that is in no event. The log is fully determined by the events, and an event's
position in it is known when the event is stored.
"""

from __future__ import annotations

from runbook.core.events import EventType
from runbook.core.output.cap import utf8_size
from runbook.quick_dataclass import dataclass


@dataclass(slots=True)
class LogCursor:
    """The end of a log: its size in bytes, and the state needed to append.

    `line` is the number, counted from 1, of the line that the next character belongs to;
    `open_stream` is the stream of the unfinished last line, if any.
    """

    offset: int = 0
    line: int = 1
    open_stream: EventType | None = None

    @property
    def lines(self) -> int:
        """The number of lines, including an unfinished last one."""
        return self.line if self.open_stream else self.line - 1

    def place(self, stream: EventType, text: str) -> Placed:
        """Append an event's text, and return its position."""
        if not text:
            return Placed(self.line, self.offset)
        separated = self.open_stream not in (None, stream)
        placed = Placed(self.line + separated, self.offset + separated)
        self.offset = placed.offset + utf8_size(text)
        self.line = placed.line + text.count("\n")
        self.open_stream = None if text.endswith("\n") else stream
        return placed


@dataclass(frozen=True, slots=True)
class Placed:
    """The position of an output event's first character in the log, as in `RunEvent`."""

    line: int
    offset: int

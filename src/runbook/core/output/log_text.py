"""The log of a run: the text of its output events in order, both streams interleaved.

Lines end only at LF. If an event of the other stream follows an unfinished line, the log has an
extra line break that is in no event. The log is fully determined by the events, and an event's
position in it is known when the event is stored.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from runbook.core.events import EventType, RunEvent
from runbook.core.output.cap import PIECE_BYTES, utf8_size
from runbook.core.times import Millis

LINE_CHARACTERS = PIECE_BYTES
"""Longer lines are split into parts."""


def separator_needed(
    previous_stream: EventType | None, previous_text_ended_line: bool, stream: EventType
) -> bool:
    """Whether the log has an extra line break before an event of `stream`."""
    return (
        previous_stream is not None
        and previous_stream is not stream
        and not previous_text_ended_line
    )


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
            return Placed("", self.line, self.offset)
        separated = separator_needed(self.open_stream, self.open_stream is None, stream)
        placed = Placed(
            "\n" + text if separated else text, self.line + separated, self.offset + separated
        )
        self.offset = placed.offset + utf8_size(text)
        self.line = placed.line + text.count("\n")
        self.open_stream = None if text.endswith("\n") else stream
        return placed


@dataclass(frozen=True, slots=True)
class Placed:
    """The position of an output event in the log.

    `text` is the text appended to the log, including the separating line break, if any; `line` and
    `offset` are those of the event's first character, as in `RunEvent`.
    """

    text: str
    line: int
    offset: int


def log_text(events: Iterable[RunEvent]) -> str:
    """The log text of consecutive events; only output events count."""
    cursor, texts = LogCursor(), []
    for stream, event in _output(events):
        texts.append(cursor.place(stream, event.text or "").text)
    return "".join(texts)


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line of the log, without line break; `at` and `step` are those of its start.

    A line over 64 Ki characters is split into parts of at most that length. All but the first part
    are `continued` and have the same number.
    """

    number: int
    at: Millis
    step: int | None
    stream: EventType
    text: str
    continued: bool = False


def lines_of(events: Iterable[RunEvent]) -> Iterator[LogLine]:
    """The lines of consecutive events, numbered from the first event's `line`, if set.

    If that event starts inside a line, the first line is the rest of it.
    """
    line: _OpenLine | None = None
    number = 0
    for stream, event in _output(events):
        number = number or event.line or 1
        if line is not None and separator_needed(line.stream, False, stream):
            yield from line.close()
            line, number = None, number + 1
        *ended, rest = (event.text or "").split("\n")
        for text in ended:
            line = line or _OpenLine(number, event, stream)
            yield from line.add(text)
            yield from line.close()
            line, number = None, number + 1
        if rest:
            line = line or _OpenLine(number, event, stream)
            yield from line.add(rest)
    if line is not None:
        yield from line.close()


class _OpenLine:
    """A possibly unfinished line; holds less than one part of it."""

    def __init__(self, number: int, event: RunEvent, stream: EventType) -> None:
        self.stream = stream
        self._number = number
        self._event = event
        self._texts: list[str] = []
        self._size = 0
        self._continued = False

    def add(self, text: str) -> Iterator[LogLine]:
        self._texts.append(text)
        self._size += len(text)
        if self._size > LINE_CHARACTERS:
            whole = "".join(self._texts)
            last = (self._size - 1) // LINE_CHARACTERS * LINE_CHARACTERS
            for at in range(0, last, LINE_CHARACTERS):
                yield self._part(whole[at : at + LINE_CHARACTERS])
            self._texts, self._size = [whole[last:]], len(whole) - last

    def close(self) -> Iterator[LogLine]:
        yield self._part("".join(self._texts))

    def _part(self, text: str) -> LogLine:
        event, continued = self._event, self._continued
        self._continued = True
        return LogLine(self._number, event.at, event.step, self.stream, text, continued)


def _output(events: Iterable[RunEvent]) -> Iterator[tuple[EventType, RunEvent]]:
    return ((event.type, event) for event in events if event.type.is_output and event.text)

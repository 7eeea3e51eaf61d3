"""Splits the pieces of a log into lines, without reading the database.

The log's text is the concatenated text of the output events. If an event's stored offset is beyond
the end of the previous one, there is a newline between them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import field

from runbook.core.events import EventType
from runbook.core.times import Millis
from runbook.quick_dataclass import dataclass
from runbook.store.models import LogLine

# Maximum number of bytes of one line to return.
MAX_LINE_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Piece:
    """The text of one output event, and its position."""

    at: Millis
    step: int | None
    stream: EventType
    line: int
    offset: int
    text: bytes


@dataclass(slots=True)
class _OpenLine:
    """An unfinished line."""

    number: int
    piece: Piece
    parts: list[bytes] = field(default_factory=list)
    size: int = 0

    def add(self, part: bytes) -> None:
        kept = part[: max(0, MAX_LINE_BYTES - self.size)]
        self.parts.append(kept)
        self.size += len(part)

    def closed(self) -> LogLine:
        # A cut may fall inside a character; its rest is dropped with the rest of the line.
        text = b"".join(self.parts).decode("utf-8", "ignore")
        piece, cut = self.piece, self.size > MAX_LINE_BYTES
        return LogLine(self.number, piece.at, piece.step, piece.stream, text, cut)


def lines_of(pieces: Iterable[Piece]) -> Iterator[LogLine]:
    """The lines of consecutive pieces; the first and last may be partial."""
    line: _OpenLine | None = None
    end = 0
    for piece in pieces:
        if line is not None and piece.offset > end:
            yield line.closed()
            line = None
        *finished, rest = piece.text.split(b"\n")
        for index, part in enumerate(finished):
            line = line or _OpenLine(piece.line + index, piece)
            line.add(part)
            yield line.closed()
            line = None
        if rest:
            line = line or _OpenLine(piece.line + len(finished), piece)
            line.add(rest)
        end = piece.offset + len(piece.text)
    if line is not None:
        yield line.closed()

"""From the pieces of a log to its lines. Nothing here reads the database.

The log's text is the texts of the output events, one after the other; where an event's stored
offset is beyond the end of the one before it, a newline stands between them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from runbook.core.events import EventType
from runbook.core.times import Millis
from runbook.store.models import LogLine

# Of one line, a reader is given at most so many bytes.
MAX_LINE_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Piece:
    """The text of one output event, and the place of its beginning."""

    at: Millis
    step: int | None
    stream: EventType
    line: int
    offset: int
    text: bytes


@dataclass(slots=True)
class _OpenLine:
    """A line whose end has not been seen."""

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
    """The lines of consecutive pieces; the first may lack its beginning, the last its end."""
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

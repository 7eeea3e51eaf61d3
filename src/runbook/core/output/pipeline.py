"""From the bytes that a script prints to masked pieces of text, within a limit.

Each stream passes a tolerant UTF-8 decoder, the masker, the cap, and then the coalescer.
Past the first half of its limit a stream is only kept as bytes, the last of them; they are
decoded and masked at the end, so that a script may print gigabytes at no cost.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from dataclasses import dataclass

from runbook.core.events import EventType
from runbook.core.output.cap import (
    PIECE_BYTES,
    ByteRing,
    HeadTail,
    Tail,
    cut_utf8,
    omission,
    split_utf8,
    utf8_size,
)
from runbook.core.output.coalesce import Coalescer, Piece
from runbook.core.output.mask import Masker

__all__ = ["HeadTail", "OutputPipeline", "Piece"]

LIMIT_NAME = "MAX_OUTPUT_SIZE_BYTES"

_decoder = codecs.getincrementaldecoder("utf-8")


class OutputPipeline:
    """The output of one run. Times are monotonic seconds.

    Feed it what is read, send what is `due`, and what `finish` returns once both streams have
    ended. Bytes that are no UTF-8 become U+FFFD; control characters stay as they are.
    """

    def __init__(self, masker: Masker, limit_bytes: int) -> None:
        self._coalescer = Coalescer()
        self._streams = {
            stream: _Stream(stream, masker.fork(), limit_bytes)
            for stream in (EventType.STDOUT, EventType.STDERR)
        }

    def feed(self, stream: EventType, data: bytes, now: float) -> None:
        source = self._streams[stream]
        if source.swallowing:
            source.swallow(data)
            return
        for at in range(0, len(data), PIECE_BYTES):
            self._coalescer.add(stream, source.read(data[at : at + PIECE_BYTES]), now)
            if source.swallowing:
                self._coalescer.end_live(source.notice())
                source.swallow(data[at + PIECE_BYTES :])
                return

    def due(self, now: float, *, everything: bool = False) -> list[Piece]:
        """What is to be sent now, in order; `everything` waits for no line or interval.

        A tail that may begin a secret stays back all the same.
        """
        return self._coalescer.due(now, everything=everything)

    def next_due(self) -> float | None:
        """When to ask `due` again, maybe in the past; None while nothing waits."""
        return self._coalescer.next_due()

    def end_step(self, now: float) -> list[Piece]:
        """All that may be sent live, held tails included: both streams ended for now."""
        for stream, source in self._streams.items():
            if not source.swallowing:
                self._coalescer.add(stream, source.rest(), now)
                if source.swallowing:
                    self._coalescer.end_live(source.notice())
        return self._coalescer.due(now, everything=True)

    def finish(self) -> list[Piece]:
        """All that is left: the waiting lines, then what a full stream kept of its end."""
        pieces = self.end_step(0.0)
        for stream, source in self._streams.items():
            pieces.extend(Piece(stream, piece) for piece in split_utf8(source.kept_end()))
        return pieces


@dataclass(slots=True)
class _Overflow:
    """What a stream brought after its first half: masked text, then raw bytes."""

    masked: str
    ring: ByteRing


class _Stream:
    """One stream up to its cap."""

    def __init__(self, stream: EventType, masker: Masker, limit: int) -> None:
        self._stream = stream
        self._masker = masker
        self._decoder = _decoder("replace")
        self._limit = limit
        self._room = limit // 2
        self._total = 0
        self._ends_line = True
        self._overflow: _Overflow | None = None

    @property
    def swallowing(self) -> bool:
        return self._overflow is not None

    def read(self, data: bytes) -> str:
        """The text to be sent live."""
        self._total += len(data)
        return self._within_room(self._masker.feed(self._decoder.decode(data)))

    def rest(self) -> str:
        """What decoder and masker held back of a stream that is still live."""
        return self._within_room(self._last_text())

    def swallow(self, data: bytes) -> None:
        if self._overflow is not None and data:
            self._total += len(data)
            self._overflow.ring.add(data, self._tail_limit + self._margin)

    def notice(self) -> Piece:
        text = (
            f"Output limit reached: {LIMIT_NAME} is {self._limit}. {self._stream.value} is no "
            f"longer shown live; its last {self._tail_limit} bytes follow at the end."
        )
        return Piece(self._stream, text, notice=True)

    def kept_end(self) -> str:
        """The end of a stream that became full, with the notice of what was left out."""
        overflow = self._overflow
        if overflow is None:
            return ""
        dropped = overflow.ring.dropped
        tail = Tail(self._tail_limit)
        for text in self._restarted(overflow.ring) if dropped else self._continued(overflow):
            tail.add(text)
        end = tail.text()
        if not dropped and tail.total == utf8_size(end):
            return end
        omitted = max(1, self._total - self._limit // 2 + self._room - utf8_size(end))
        line_break = "" if self._ends_line else "\n"
        return line_break + omission(omitted, self._limit, LIMIT_NAME) + end

    @property
    def _tail_limit(self) -> int:
        return self._limit - self._limit // 2

    @property
    def _margin(self) -> int:
        """Bytes kept before the kept end and never sent.

        A secret of which only the rest was kept lies wholly in them, even where the masker
        takes that rest for the beginning of another secret and holds it back.
        """
        return 2 * self._masker.longest_bytes + 4

    def _within_room(self, text: str) -> str:
        head = cut_utf8(text, self._room)
        self._room -= utf8_size(head)
        if head:
            self._ends_line = head.endswith("\n")
        if len(head) < len(text):
            self._overflow = _Overflow(text[len(head) :], ByteRing())
        return head

    def _last_text(self) -> str:
        last = self._masker.feed(self._decoder.decode(b"", final=True))
        return last + self._masker.finish()

    def _continued(self, overflow: _Overflow) -> Iterator[str]:
        """Nothing was dropped: go on where the live text ended."""
        yield overflow.masked
        for block in overflow.ring.blocks():
            yield self._masker.feed(self._decoder.decode(block))
        yield self._last_text()

    def _restarted(self, ring: ByteRing) -> Iterator[str]:
        """Something was dropped: begin anew, and send nothing of the margin."""
        self._decoder, self._masker = _decoder("replace"), self._masker.fork()
        margin = self._margin
        for block in ring.blocks():
            self._masker.feed(self._decoder.decode(block[:margin]))
            yield self._masker.feed(self._decoder.decode(block[margin:]))
            margin = max(0, margin - len(block))
        yield self._last_text()

"""Turns the bytes that a script prints into masked pieces of text, within a limit.

Each stream passes through a tolerant UTF-8 decoder, the masker, the cap, and the coalescer. After
the first half of its limit, only the last bytes of a stream are stored; they are decoded and masked
at the end, so a script can print gigabytes at no cost.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator

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
from runbook.quick_dataclass import dataclass

__all__ = ["HeadTail", "OutputPipeline", "Piece"]

LIMIT_NAME = "MAX_OUTPUT_SIZE_BYTES"
OUTPUT_PAUSED = "output_paused"
"""Code of the notice that a stream's live output ends; its end follows later."""
OUTPUT_TRUNCATED = "output_truncated"
"""Code of the notice that a part of a stream was omitted."""

_decoder = codecs.getincrementaldecoder("utf-8")


class OutputPipeline:
    """The output of one run. Times are monotonic seconds.

    Feed it the bytes read, send what is `due`, and send what `finish` returns after both streams
    end. Invalid UTF-8 becomes U+FFFD; control characters are preserved.
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
            text = source.read(data[at : at + PIECE_BYTES])
            self._coalescer.add(stream, text, now, held=source.holds)
            if source.swallowing:
                self._coalescer.end_live(source.notice())
                source.swallow(data[at + PIECE_BYTES :])
                return

    def due(self, now: float, *, everything: bool = False) -> list[Piece]:
        """The pieces to send now, in order; `everything` ignores line ends and intervals.

        A tail that may be the start of a secret is still held back.
        """
        return self._coalescer.due(now, everything=everything)

    def next_due(self) -> float | None:
        """When to call `due` again, possibly in the past; None if nothing is pending."""
        return self._coalescer.next_due()

    def end_step(self, now: float) -> list[Piece]:
        """Everything that can be sent live, including held tails: both streams paused."""
        for stream, source in self._streams.items():
            if not source.swallowing:
                self._coalescer.add(stream, source.rest(), now)
                if source.swallowing:
                    self._coalescer.end_live(source.notice())
        return self._coalescer.due(now, everything=True)

    def finish(self, now: float = 0.0) -> list[Piece]:
        """The remaining output: pending lines, then the stored end of a full stream."""
        pieces = self.end_step(now)
        for stream, source in self._streams.items():
            pieces.extend(Piece(stream, piece) for piece in split_utf8(source.kept_end()))
            pieces.extend(source.truncation())
        return pieces


@dataclass(slots=True)
class _Overflow:
    """Output after a stream's first half: masked text, then raw bytes."""

    masked: str
    ring: ByteRing


class _Stream:
    """One stream up to its limit."""

    def __init__(self, stream: EventType, masker: Masker, limit: int) -> None:
        self._stream = stream
        self._masker = masker
        self._decoder = _decoder("replace")
        self._limit = limit
        self._room = limit // 2
        self._total = 0
        self._ends_line = True
        self._overflow: _Overflow | None = None
        self._omitted = 0

    @property
    def swallowing(self) -> bool:
        return self._overflow is not None

    @property
    def holds(self) -> bool:
        """Whether text is held back that may be the start of a secret."""
        return self._masker.holds

    def read(self, data: bytes) -> str:
        """The text to send live."""
        self._total += len(data)
        return self._within_room(self._masker.feed(self._decoder.decode(data)))

    def rest(self) -> str:
        """The text held back by the decoder and masker of a live stream."""
        return self._within_room(self._last_text())

    def swallow(self, data: bytes) -> None:
        if self._overflow is not None and data:
            self._total += len(data)
            self._overflow.ring.add(data, self._tail_limit + self._margin)

    def notice(self) -> Piece:
        text = (
            f"{self._stream.value} is no longer shown live: it exceeds half of {LIMIT_NAME}, which "
            f"is {self._limit}. Its last {self._tail_limit} bytes follow at the end."
        )
        return Piece(self._stream, text, notice=OUTPUT_PAUSED)

    def truncation(self) -> Iterator[Piece]:
        """A notice, if `kept_end` omitted something."""
        if self._omitted:
            text = (
                f"Output limit reached: {LIMIT_NAME} is {self._limit}. "
                f"{self._omitted} bytes of {self._stream.value} were omitted."
            )
            yield Piece(self._stream, text, notice=OUTPUT_TRUNCATED)

    def kept_end(self) -> str:
        """The end of a full stream, with a notice about the omitted part."""
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
        self._omitted = max(1, self._total - self._limit // 2 + self._room - utf8_size(end))
        line_break = "" if self._ends_line else "\n"
        return line_break + omission(self._omitted, self._limit, LIMIT_NAME) + end

    @property
    def _tail_limit(self) -> int:
        return self._limit - self._limit // 2

    @property
    def _margin(self) -> int:
        """Number of bytes stored before the sent end, and never sent.

        They fully contain a truncated secret, even if the masker takes its rest for the start of
        another secret and holds it back.
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
        """Nothing was dropped: continue after the live text."""
        yield overflow.masked
        for block in overflow.ring.blocks():
            yield self._masker.feed(self._decoder.decode(block))
        yield self._last_text()

    def _restarted(self, ring: ByteRing) -> Iterator[str]:
        """Bytes were dropped: start over, and send nothing of the margin."""
        self._decoder, self._masker = _decoder("replace"), self._masker.fork()
        margin = self._margin
        for block in ring.blocks():
            self._masker.feed(self._decoder.decode(block[:margin]))
            yield self._masker.feed(self._decoder.decode(block[margin:]))
            margin = max(0, margin - len(block))
        yield self._last_text()

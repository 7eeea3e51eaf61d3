"""Merges output into few pieces without a noticeable delay.

Lines of a quiet stream are sent at once, those of a busy stream every 25 ms, and an unfinished line
after 200 ms. Lines stay in order of arrival, across both streams. Times are monotonic seconds,
passed in.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from runbook.core.events import EventType
from runbook.core.output.cap import PIECE_BYTES, split_utf8

FLUSH_SECONDS = 0.025
LINE_SECONDS = 0.2
MAX_SEGMENTS = 64
"""Maximum number of stream changes per flush that stay in order; more are merged."""

_NEVER = float("-inf")


@dataclass(frozen=True, slots=True)
class Piece:
    """Masked text of one stream, at most 64 KiB of UTF-8.

    A `notice` is not output: it says that the stream's live output ends here.
    """

    stream: EventType
    text: str
    notice: bool = False


@dataclass(slots=True)
class _Segment:
    """Consecutive text of one stream."""

    stream: EventType
    texts: list[str]


@dataclass(slots=True)
class _Lane:
    """The unfinished line of one stream."""

    texts: list[str] = field(default_factory=list)
    size: int = 0
    since: float = _NEVER
    flushed: float = _NEVER

    def take(self) -> str:
        text = "".join(self.texts)
        self.texts.clear()
        self.size = 0
        return text

    def hold(self, text: str, now: float) -> None:
        if text:
            self.since = self.since if self.texts else now
            self.texts.append(text)
            self.size += len(text)


class Coalescer:
    """The pending output of a run's two streams."""

    def __init__(self) -> None:
        self._lanes = {EventType.STDOUT: _Lane(), EventType.STDERR: _Lane()}
        self._queue: list[_Segment | Piece] = []
        self._queued = 0

    def add(self, stream: EventType, text: str, now: float) -> None:
        lane = self._lanes[stream]
        cut = text.rfind("\n") + 1
        if cut:
            self._enqueue(stream, lane.take() + text[:cut])
        lane.hold(text[cut:], now)
        if lane.size >= PIECE_BYTES:
            self._enqueue(stream, lane.take())

    def end_live(self, notice: Piece) -> None:
        """End the notice's stream: send its pending text, then the notice."""
        self._enqueue(notice.stream, self._lanes[notice.stream].take())
        self._queue.append(notice)

    def due(self, now: float, *, everything: bool = False) -> list[Piece]:
        """The output that is due, or all pending output, in order."""
        for stream, lane in self._lanes.items():
            if lane.texts and (everything or now >= lane.since + LINE_SECONDS):
                self._enqueue(stream, lane.take())
        if not self._queue or not (everything or now >= self._queue_due()):
            return []
        return self._flush(now)

    def next_due(self) -> float | None:
        """When the next output is due; None if nothing is pending."""
        waiting = [lane.since + LINE_SECONDS for lane in self._lanes.values() if lane.texts]
        if self._queue:
            waiting.append(self._queue_due())
        return min(waiting, default=None)

    def _flush(self, now: float) -> list[Piece]:
        pieces: list[Piece] = []
        for segment in self._queue:
            if isinstance(segment, Piece):
                pieces.append(segment)
                continue
            self._lanes[segment.stream].flushed = now
            text = "".join(segment.texts)
            pieces.extend(Piece(segment.stream, piece) for piece in split_utf8(text))
        self._queue.clear()
        self._queued = 0
        return pieces

    def _queue_due(self) -> float:
        if self._queued >= PIECE_BYTES:
            return _NEVER
        segments = self._queue
        if any(isinstance(segment, Piece) for segment in segments):
            return _NEVER
        return min(self._lanes[item.stream].flushed for item in segments) + FLUSH_SECONDS

    def _enqueue(self, stream: EventType, text: str) -> None:
        if not text:
            return
        self._queued += len(text)
        segment = self._open_segment(stream)
        if segment is None:
            self._queue.append(_Segment(stream, [text]))
        else:
            segment.texts.append(text)

    def _open_segment(self, stream: EventType) -> _Segment | None:
        """The segment that text of this stream can be added to."""
        reach = len(self._queue) if len(self._queue) >= MAX_SEGMENTS else 1
        for segment in reversed(self._queue[-reach:]):
            if isinstance(segment, _Segment) and segment.stream is stream:
                return segment
        return None

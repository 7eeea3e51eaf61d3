"""Merges output into few pieces without a noticeable delay.

Lines of a quiet stream are sent after 4 ms, those of a busy stream every 25 ms, and an unfinished
line after 200 ms. Many scripts end right after their last line, which is then stored with the end
of the run instead of on its own. Text stays in order of arrival, across both streams: what one
stream still holds back is sent before later text of the other. Times are monotonic seconds, passed
in.
"""

from __future__ import annotations

from dataclasses import field

from runbook.core.events import EventType
from runbook.core.output.cap import PIECE_BYTES, split_utf8
from runbook.quick_dataclass import dataclass

QUIET_SECONDS = 0.004
FLUSH_SECONDS = 0.025
LINE_SECONDS = 0.2
ORDERED_CHANGES = 20_000
"""Number of stream changes of a run that stay in order, however fast they come."""
MAX_SEGMENTS = 64
"""Number of pending stream changes that wait no longer. After ORDERED_CHANGES, more are merged."""

_NEVER = float("-inf")


@dataclass(frozen=True, slots=True)
class Piece:
    """Masked text of one stream, at most 64 KiB of UTF-8.

    With the code of a `notice`, it is not output but says something about the stream. `at` is when
    its first character was read; None if that doesn't matter.
    """

    stream: EventType
    text: str
    notice: str = ""
    at: float | None = field(default=None, compare=False)


@dataclass(slots=True)
class _Segment:
    """Consecutive text of one stream. `at` is when its first character was read."""

    stream: EventType
    texts: list[str]
    at: float


@dataclass(slots=True)
class _Gap:
    """The place of text that the masker holds back, since it may be the start of a secret.

    Later text of the other stream waits for it, up to LINE_SECONDS.
    """

    stream: EventType
    since: float


@dataclass(slots=True)
class _Lane:
    """The unfinished line of one stream. `held` says whether its masker holds text back."""

    texts: list[str] = field(default_factory=list)
    size: int = 0
    since: float = _NEVER
    flushed: float = _NEVER
    held: bool = False

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
        self._queue: list[_Segment | Piece | _Gap] = []
        self._queued = 0
        self._changes = 0

    def add(self, stream: EventType, text: str, now: float, *, held: bool = False) -> None:
        """Add text that was read now. `held` says whether the masker holds back what follows."""
        lane = self._lanes[stream]
        text = self._fill_gap(stream, text, held=held)
        if text or held:
            self._release_others(stream, now)
        lane.held = held
        cut = text.rfind("\n") + 1
        if cut:
            since = lane.since if lane.texts else now
            self._enqueue(stream, lane.take() + text[:cut], since)
        lane.hold(text[cut:], now)
        if lane.size >= PIECE_BYTES:
            self._release(stream)

    def end_live(self, notice: Piece) -> None:
        """End the notice's stream: send its pending text, then the notice."""
        self._release(notice.stream)
        self._queue.append(notice)

    def due(self, now: float, *, everything: bool = False) -> list[Piece]:
        """The output that is due, or all pending output, in order."""
        for stream, lane in self._lanes.items():
            if lane.texts and (everything or now >= lane.since + LINE_SECONDS):
                self._release(stream)
        self._drop_gaps(now, everything=everything or self._is_full())
        if not self._ready() or not (everything or now >= self._queue_due()):
            return []
        return self._flush(now)

    def next_due(self) -> float | None:
        """When the next output is due; None if nothing is pending."""
        waiting = [lane.since + LINE_SECONDS for lane in self._lanes.values() if lane.texts]
        if self._ready():
            waiting.append(self._queue_due())
        waiting += [item.since + LINE_SECONDS for item in self._queue if isinstance(item, _Gap)]
        return min(waiting, default=None)

    def _fill_gap(self, stream: EventType, text: str, *, held: bool) -> str:
        """Put the line that the masker has released in its place. Returns the remaining text."""
        for number, item in enumerate(self._queue):
            if isinstance(item, _Gap) and item.stream is stream and (text or not held):
                line, end, rest = text.partition("\n")
                self._queue[number] = _Segment(stream, [line + end], item.since)
                self._queued += len(line + end)
                return rest
        return text

    def _release_others(self, stream: EventType, now: float) -> None:
        """Before text of this stream, queue what the other one holds back."""
        for other, lane in self._lanes.items():
            if other is not stream:
                self._release(other)
                if lane.held and not self._has_gap(other):
                    self._queue.append(_Gap(other, now))

    def _has_gap(self, stream: EventType) -> bool:
        return any(isinstance(item, _Gap) and item.stream is stream for item in self._queue)

    def _drop_gaps(self, now: float, *, everything: bool) -> None:
        """Give up the place of text that was held back for too long."""
        self._queue = [
            item
            for item in self._queue
            if not isinstance(item, _Gap) or (not everything and now < item.since + LINE_SECONDS)
        ]

    def _ready(self) -> list[_Segment | Piece]:
        """What doesn't wait for a gap."""
        ready: list[_Segment | Piece] = []
        for item in self._queue:
            if isinstance(item, _Gap):
                break
            ready.append(item)
        return ready

    def _flush(self, now: float) -> list[Piece]:
        pieces: list[Piece] = []
        ready = self._ready()
        for segment in ready:
            if isinstance(segment, Piece):
                pieces.append(segment)
                continue
            self._lanes[segment.stream].flushed = now
            text = "".join(segment.texts)
            self._queued -= len(text)
            pieces.extend(Piece(segment.stream, piece, at=segment.at) for piece in split_utf8(text))
        del self._queue[: len(ready)]
        return pieces

    def _queue_due(self) -> float:
        if self._is_full() and not self._merges():
            return _NEVER
        ready = self._ready()
        segments = [item for item in ready if isinstance(item, _Segment)]
        if len(segments) < len(ready):
            return _NEVER
        flushed = min(self._lanes[segment.stream].flushed for segment in segments)
        return max(flushed + FLUSH_SECONDS, segments[0].at + QUIET_SECONDS)

    def _is_full(self) -> bool:
        """Whether to wait no longer, so that neither memory nor work grows with what is pending."""
        return self._queued >= PIECE_BYTES or len(self._queue) >= MAX_SEGMENTS

    def _merges(self) -> bool:
        """Whether many pending changes are merged instead of sent at once."""
        return self._changes >= ORDERED_CHANGES and self._queued < PIECE_BYTES

    def _release(self, stream: EventType) -> None:
        """Queue a stream's unfinished line."""
        lane = self._lanes[stream]
        self._enqueue(stream, lane.take(), lane.since)

    def _enqueue(self, stream: EventType, text: str, at: float) -> None:
        if not text:
            return
        self._queued += len(text)
        segment = self._open_segment(stream)
        if segment is None:
            self._changes += 1
            self._queue.append(_Segment(stream, [text], at))
        else:
            segment.texts.append(text)

    def _open_segment(self, stream: EventType) -> _Segment | None:
        """The segment that text of this stream can be added to."""
        merges = self._merges() and len(self._queue) >= MAX_SEGMENTS
        for item in reversed(self._queue if merges else self._queue[-1:]):
            if isinstance(item, _Segment) and item.stream is stream:
                return item
        return None

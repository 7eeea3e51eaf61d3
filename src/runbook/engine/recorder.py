"""Turns what a script prints, and what the engine does, into stored events."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

from runbook import log
from runbook.core.cap import utf8_size
from runbook.core.log import LogCursor
from runbook.core.output import HeadTail, OutputPipeline, Piece
from runbook.core.run import EventType, Millis
from runbook.errors import StoreBusyError, StoreUnavailableError
from runbook.store.records import NewEvent
from runbook.store.store import Store

ANNOUNCE_AFTER_S = 0.05
"""When followers hear of the start, in seconds: most runs have ended or printed by then."""

MAX_UNSAVED_BYTES = 8 * 1024 * 1024


class Recorder:
    """The sink of one run's output. Used by the thread that executes the run, and only by it.

    While the database is locked or full, events are held (up to 8 MiB) and the script goes on;
    beyond that the error is raised, which ends the run.
    """

    def __init__(
        self,
        store: Store,
        run_id: str,
        worker_id: str,
        pipeline: Callable[[], OutputPipeline],
        *,
        entry_bytes: int,
        clock: Callable[[], Millis],
        wake: Callable[[str], None],
    ) -> None:
        self._store = store
        self._run_id = run_id
        self._worker_id = worker_id
        self._make_pipeline = pipeline
        self._made: OutputPipeline | None = None
        self._clock = clock
        self._wake = wake
        self._cursor = LogCursor()
        self._excerpts = {
            EventType.STDOUT: HeadTail(entry_bytes),
            EventType.STDERR: HeadTail(entry_bytes),
        }
        self._unsaved: list[NewEvent] = []
        self._announce_at: float | None = time.monotonic() + ANNOUNCE_AFTER_S
        self.step: int | None = None

    @property
    def _pipeline(self) -> OutputPipeline:
        """Made at the first output: by then the script runs, and many never print anything."""
        if self._made is None:
            self._made = self._make_pipeline()
        return self._made

    def write(self, stream: EventType, data: bytes) -> None:
        self._pipeline.feed(stream, data, time.monotonic())

    def due_at(self) -> float | None:
        due = None if self._made is None else self._made.next_due()
        if self._announce_at is None:
            return due
        return self._announce_at if due is None else min(due, self._announce_at)

    def flush(self) -> None:
        """Store what is due. Raises StoreUnavailableError when too much waits for the store."""
        now = time.monotonic()
        self._place([] if self._made is None else self._made.due(now))
        self._save()
        if self._announce_at is not None and now >= self._announce_at:
            self._wake_followers()

    def add(self, type_: EventType, data: Mapping[str, object]) -> None:
        """Store an event of the engine's own, after the output that came before it."""
        if self._made is not None:
            self._place(self._made.due(time.monotonic(), everything=True))
        self._unsaved.append(NewEvent(self._clock(), type_, data=dict(data), step=self.step))
        self._save()

    def end_step(self) -> None:
        """Both streams have ended, for now: nothing is held back for what might follow."""
        self._place([] if self._made is None else self._made.end_step(time.monotonic()))

    def message(self, text: str) -> None:
        """A line of the engine's own on standard error, as old clients expect."""
        self._place([Piece(EventType.STDERR, text)])

    def finish(self) -> list[NewEvent]:
        """The events that are left when the script has ended; the caller stores them."""
        self._place([] if self._made is None else self._made.finish())
        events, self._unsaved = self._unsaved, []
        return events

    def excerpt(self, stream: EventType) -> str:
        """The stream's output for the history entry: whole, or its head and tail."""
        return self._excerpts[stream].text()

    def _place(self, pieces: Sequence[Piece]) -> None:
        now = self._clock()
        for piece in pieces:
            if piece.notice:
                data = {"message": piece.text}
                self._unsaved.append(NewEvent(now, EventType.NOTICE, data=data, step=self.step))
                continue
            self._excerpts[piece.stream].feed(piece.text)
            placed = self._cursor.place(piece.stream, piece.text)
            self._unsaved.append(
                NewEvent(
                    now,
                    piece.stream,
                    text=piece.text,
                    step=self.step,
                    line=placed.line,
                    offset=placed.offset,
                )
            )

    def _save(self) -> None:
        if not self._unsaved:
            return
        try:
            self._store.append_events(self._run_id, self._unsaved, worker_id=self._worker_id)
        except (StoreBusyError, StoreUnavailableError) as error:
            if sum(utf8_size(event.text or "") for event in self._unsaved) > MAX_UNSAVED_BYTES:
                raise
            log.warning("run.events_held", run_id=self._run_id, error=error.message)
            return
        self._unsaved = []
        self._wake_followers()

    def _wake_followers(self) -> None:
        self._announce_at = None
        self._wake(self._run_id)

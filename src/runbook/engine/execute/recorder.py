"""Stores a script's output and the engine's actions as events."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

from runbook import log
from runbook.core.events import EventType
from runbook.core.outcome import PlanLabel, StepRun
from runbook.core.output.cap import utf8_size
from runbook.core.output.handover import Planned, Progress
from runbook.core.output.log_text import LogCursor
from runbook.core.output.mask import MASK, Masker
from runbook.core.output.pipeline import HeadTail, OutputPipeline, Piece
from runbook.core.times import Millis
from runbook.errors import StoreBusyError, StoreDamagedError, StoreUnavailableError
from runbook.host.proctable import ProcessEntry
from runbook.script.limits import LINE_BYTES
from runbook.store.models import NewEvent
from runbook.store.store import Store

ANNOUNCE_AFTER_S = 0.05
"""Delay before followers are woken at the start, in seconds: most scripts print or end by then."""

PROGRESS_PAUSE_S = 0.05
"""Minimum interval between two progress events, in seconds; the latest wins."""

MOST_PLANS = 10_000
"""Maximum number of lines in the plan of a dry run."""

MOST_PROCESSES = 20
"""Maximum number of background processes that are named."""

PROCESS_NAME_BYTES = 15

BACKGROUND_KILLED = "background_killed"

MAX_UNSAVED_BYTES = 8 * 1024 * 1024


class Recorder:
    """The sink of one run's output. Only the thread that executes the run uses it.

    While the database is locked or full, up to 8 MiB of events are buffered and the script runs;
    beyond that, the error is raised and ends the run.
    """

    def __init__(
        self,
        store: Store,
        run_id: str,
        worker_id: str,
        pipeline: Callable[[Masker], OutputPipeline],
        *,
        secrets: Callable[[], Sequence[str]],
        entry_bytes: int,
        clock: Callable[[], Millis],
        wake: Callable[[str], None],
    ) -> None:
        self._store = store
        self._run_id = run_id
        self._worker_id = worker_id
        self._make_pipeline = pipeline
        self._made: OutputPipeline | None = None
        self._secrets = secrets
        self._masker: Masker | None = None
        self._clock = clock
        self._wake = wake
        self._cursor = LogCursor()
        self._excerpts = {
            EventType.STDOUT: HeadTail(entry_bytes),
            EventType.STDERR: HeadTail(entry_bytes),
        }
        self._unsaved: list[NewEvent] = []
        self._unsaved_steps: dict[int, StepRun] = {}
        self._announce_at: float | None = time.monotonic() + ANNOUNCE_AFTER_S
        self._progress: Progress | None = None
        self._progress_at = 0.0
        self._plan_due: float | None = None
        self._plans = 0
        self.labels: set[PlanLabel] = set()
        self.before_output: Callable[[], None] = lambda: None
        """Called before any output is handled, to read the values to mask."""
        self.step: int | None = None

    @property
    def masker(self) -> Masker:
        """Created when the script runs: many never print anything."""
        if self._masker is None:
            self._masker = Masker(self._secrets())
        return self._masker

    def may_keep(self, value: str) -> bool:
        """Whether a value contains no secret, not even one that is too short to mask."""
        return value not in self._secrets() and self.masker.mask_text(value) == value

    def masked(self, text: str) -> str:
        """A name or a message, masked."""
        return self.masker.mask_text(text)

    def shown(self, value: str) -> str:
        """A value, masked."""
        if self.may_keep(value):
            return value
        masked = self.masker.mask_text(value)
        return MASK if masked == value else masked

    @property
    def _pipeline(self) -> OutputPipeline:
        if self._made is None:
            self._made = self._make_pipeline(self.masker)
        return self._made

    @property
    def log_line(self) -> int:
        """The line number of the next output."""
        return self._cursor.line

    @property
    def log_lines(self) -> int:
        return self._cursor.lines

    def prepare(self) -> None:
        """Build the masks while the script starts, which takes longer."""
        self.masker.prepare()

    def write(self, stream: EventType, data: bytes) -> None:
        self.before_output()
        self._pipeline.feed(stream, data, time.monotonic())

    def due_at(self) -> float | None:
        waiting = [
            None if self._made is None else self._made.next_due(),
            self._announce_at,
            None if self._progress is None else self._progress_at + PROGRESS_PAUSE_S,
            self._plan_due,
        ]
        return min((due for due in waiting if due is not None), default=None)

    def flush(self) -> None:
        """Store what is due. Raises StoreUnavailableError if the buffer is full."""
        now = time.monotonic()
        if self._progress is not None and now >= self._progress_at + PROGRESS_PAUSE_S:
            self._place_progress(now)
        self._place([] if self._made is None else self._made.due(now))
        self.save()
        if self._announce_at is not None and now >= self._announce_at:
            self._wake_followers()

    def add(self, type_: EventType, data: Mapping[str, object]) -> None:
        """Store an event of the engine, after the output before it."""
        self.note(type_, data)
        self.save()

    def note(self, type_: EventType, data: Mapping[str, object]) -> None:
        """Like `add`, but stored together with the next events."""
        if self._made is not None:
            self._place(self._made.due(time.monotonic(), everything=True))
        self._unsaved.append(NewEvent(self._clock(), type_, data=dict(data), step=self.step))

    def keep_step(self, step: StepRun) -> None:
        """Record a step's state, together with the next events."""
        self._unsaved_steps[step.n] = step

    def progress(self, progress: Progress) -> None:
        """Record the progress: at once, or with a delay if it comes often."""
        self._progress = progress
        now = time.monotonic()
        if now >= self._progress_at + PROGRESS_PAUSE_S:
            self._place_progress(now)
            self.save()

    def plan(self, planned: Planned) -> None:
        """A change that a dry run would make."""
        self.labels.add(planned.label)
        self._plans += 1
        if self._plans <= MOST_PLANS:
            text = self._masked_line(planned.text)
            self.note(EventType.PLAN, {"text": text, "label": planned.label.value})
        elif self._plans == MOST_PLANS + 1:
            self.note(EventType.NOTICE, {"message": f"A plan has at most {MOST_PLANS} lines"})
        else:
            return
        if self._plan_due is None:
            self._plan_due = time.monotonic() + PROGRESS_PAUSE_S

    def background_killed(self, processes: Sequence[ProcessEntry]) -> None:
        """Say which processes the script left running. Their arguments may have secrets."""
        named = [
            {"pid": process.pid, "name": self._process_name(process.name)}
            for process in processes[:MOST_PROCESSES]
        ]
        listed = ", ".join(f"{item['name']} ({item['pid']})" for item in named)
        more = len(processes) - len(named)
        text = f"Background processes were still running and were killed: {listed}"
        data = {
            "code": BACKGROUND_KILLED,
            "params": {"processes": named, "count": len(processes)},
            "message": f"{text} and {more} more" if more else text,
        }
        self.note(EventType.NOTICE, data)

    def _process_name(self, name: str) -> str:
        """A program's name, masked. The system cuts it, perhaps in the middle of a secret."""
        is_cut = utf8_size(name) >= PROCESS_NAME_BYTES
        shown = self.masker.mask_cut(name) if is_cut else self.masker.mask_text(name)
        return "".join(letter if letter.isprintable() else "?" for letter in shown)

    def end_step(self) -> None:
        """Both streams have ended for now: release all buffered text."""
        if self._progress is not None:
            self._place_progress(time.monotonic())
        self._place([] if self._made is None else self._made.end_step(time.monotonic()))

    def message(self, text: str) -> None:
        """A line from the engine on standard error, as old clients expect."""
        self._place([Piece(EventType.STDERR, text)])

    def finish(self) -> list[NewEvent]:
        """The remaining events after the script's end; the caller stores them."""
        self._place([] if self._made is None else self._made.finish(time.monotonic()))
        events, self._unsaved = self._unsaved, []
        return events

    def unsaved_steps(self) -> tuple[StepRun, ...]:
        """The steps whose state is not stored yet; the caller stores them."""
        steps, self._unsaved_steps = tuple(self._unsaved_steps.values()), {}
        return steps

    def save_outputs(self) -> None:
        """Store what ended steps have handed over, if that isn't done.

        Before the history says how the run ended: if the worker dies then, the rest follows from
        what is stored.
        """
        if any(step.outputs for step in self._unsaved_steps.values()):
            self.save()

    def excerpt(self, stream: EventType) -> str:
        """The stream's output for the history entry: all of it, or head and tail."""
        return self._excerpts[stream].text()

    def save(self, *, wake: bool = True) -> None:
        """Store the noted events and wake followers; without `wake`, with a delay.

        Short steps come faster than anyone can read, and each wake-up costs time.
        """
        self._plan_due = None
        if not self._unsaved and not self._unsaved_steps:
            return
        try:
            self._store.events.append(
                self._run_id,
                self._unsaved,
                worker_id=self._worker_id,
                steps=tuple(self._unsaved_steps.values()),
            )
        except StoreDamagedError:
            raise  # it won't come back while the script runs
        except (StoreBusyError, StoreUnavailableError) as error:
            if sum(utf8_size(event.text or "") for event in self._unsaved) > MAX_UNSAVED_BYTES:
                raise
            log.warning("run.events_held", run_id=self._run_id, error=error.message)
            return
        self._unsaved, self._unsaved_steps = [], {}
        if wake:
            self._wake_followers()
        elif self._announce_at is None:
            self._announce_at = time.monotonic() + ANNOUNCE_AFTER_S

    def _place_progress(self, now: float) -> None:
        progress, self._progress, self._progress_at = self._progress, None, now
        if progress is not None:
            text = self._masked_line(progress.text)
            self.note(EventType.PROGRESS, {"percent": progress.percent, "text": text})

    def _masked_line(self, text: str) -> str:
        # A long line may have been cut in the middle of a secret.
        cut = utf8_size(text) > LINE_BYTES // 2
        return self.masker.mask_cut(text) if cut else self.masker.mask_text(text)

    def _place(self, pieces: Sequence[Piece]) -> None:
        clock, monotonic = self._clock(), time.monotonic()
        for piece in pieces:
            # The time of reading, which may be a moment ago.
            ago = 0.0 if piece.at is None else monotonic - piece.at
            now = clock - round(max(0.0, ago) * 1000)
            if piece.notice:
                data = {"code": piece.notice, "message": piece.text}
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

    def _wake_followers(self) -> None:
        self._announce_at = None
        self._wake(self._run_id)

"""The end of a run, the same for every way to end: history first, then the row, then `done`."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Sequence

from runbook import log
from runbook.core import return_codes
from runbook.core.document import Problem, warning
from runbook.core.events import EventType
from runbook.core.outcome import Outcome
from runbook.core.run import Run, RunResult
from runbook.core.status import RunStatus
from runbook.engine.options import Observer
from runbook.engine.record.history_entry import RecordedOutput, Records
from runbook.engine.record.recoverable import planned, recovery_of
from runbook.engine.wakeups import CANCEL, Wakeups
from runbook.errors import (
    ConflictError,
    HistoryError,
    RunbookError,
    StoreBusyError,
    StoreUnavailableError,
)
from runbook.resources.event import done_json
from runbook.store.models import HistoryHead, NewEvent, NewRun
from runbook.store.store import Store

PARENT_ENDED = "the end of its parent"


class Ending:
    """Ends runs. The entry and the row are on disk before the `done` event is visible."""

    def __init__(
        self,
        store: Store,
        records: Records,
        wakeups: Wakeups,
        observer: Observer,
        clock: Callable[[], int],
    ) -> None:
        self._store = store
        self._records = records
        self._wakeups = wakeups
        self._observer = observer
        self._clock = clock

    def end(  # noqa: PLR0913 - callers name the few that they need
        self,
        run: Run,
        outcome: Outcome,
        output: RecordedOutput,
        events: Sequence[NewEvent] = (),
        *,
        worker_id: str | None,
        once: bool = False,
        took_ms: int | None = None,
        known: HistoryHead | None = None,
        began: bool = True,
    ) -> Run | None:
        """The ended run, or None if another process ended it before.

        `once`: its worker died, so the run may have a history entry already. `took_ms` is the
        duration by a clock that can't jump; without it, the duration follows from the times.
        `known` is an entry that the history had; without it, the database is asked. A run that
        never `began` is not recovered.
        """
        outcome, failure = self._with_recovery(run, outcome) if began else (outcome, None)
        begun = run.times.started_at or run.times.created_at
        now = max(self._clock(), begun + (took_ms or 0))  # the clock may have been set back
        took_ms = run.elapsed_ms(now) if took_ms is None else took_ms
        ended = dataclasses.replace(
            run,
            status=outcome.status,
            times=dataclasses.replace(run.times, finished_at=now, duration_ms=took_ms),
            result=RunResult.of(outcome),
        )
        head, problem = self._write_history(ended, output, once=once, known=known)
        if failure:
            raise failure
        if problem:
            outcome = dataclasses.replace(outcome, warnings=(*outcome.warnings, problem))
        return self._finish(ended, outcome, output, events, head, worker_id)

    def _with_recovery(
        self, run: Run, outcome: Outcome
    ) -> tuple[Outcome, StoreBusyError | StoreUnavailableError | None]:
        """With the recovery, if one is needed; or what keeps us from knowing.

        The history is written even if the database is gone.
        """
        try:
            recovery = recovery_of(self._store, run, outcome)
        except (StoreBusyError, StoreUnavailableError) as error:
            return outcome, error
        if recovery is None:
            return outcome, None
        warnings = (*outcome.warnings, planned(recovery))
        return dataclasses.replace(outcome, warnings=warnings, recovery=recovery), None

    def _write_history(
        self, run: Run, output: RecordedOutput, *, once: bool, known: HistoryHead | None = None
    ) -> tuple[HistoryHead | None, Problem | None]:
        """Whatever keeps the entry from being written, the run ends."""
        try:
            return self._records.write_history(run, output, once=once, known=known)
        except RunbookError:
            raise
        except Exception as error:  # noqa: BLE001 - a damaged record, or a fault of ours
            log.failure("history.failed", runbook=run.ref, run_id=run.id)
            text = f"History was not written: {error!r}. The store has it."
            return None, warning(HistoryError.code, text, reason=repr(error))

    def _finish(
        self,
        run: Run,
        outcome: Outcome,
        output: RecordedOutput,
        events: Sequence[NewEvent],
        head: HistoryHead | None,
        worker_id: str | None,
    ) -> Run | None:
        done = NewEvent(run.times.finished_at or 0, EventType.DONE, data=done_data(run, outcome))
        try:
            finished = self._store.runs.finish(
                run.id,
                outcome,
                [*events, done],
                worker_id=worker_id,
                history=head,
                finished_at=run.times.finished_at,
                duration_ms=run.times.duration_ms,
            )
        except ConflictError:
            log.warning("run.ended_before", run_id=run.id, status=outcome.status.value)
            # Perhaps by us, and the database failed before the children were cancelled.
            self._cancel(self._store.runs.active_children(run.id))
            return None
        self._wakeups.wake_followers(run.id)
        if run.tree.parent_id is not None:
            self._wakeups.wake_followers(run.tree.parent_id)
        for _ in range(finished.going_on):
            self._wakeups.wake_workers()
        self._records.log_run(finished.run, output)
        self._observer.run_ended(finished.run)
        self._cancel(finished.children)  # last: it can fail, and is then done with the next attempt
        return finished.run

    def quarantine(self, run: Run, reason: str) -> None:
        """End a run as `lost` that can't be ended otherwise, because a record of it is damaged.

        Raises StoreBusyError and StoreUnavailableError only: all other runs must go on.
        """
        columns = ", ".join(run.damage) or None
        log.warning("run.quarantined", run_id=run.id, columns=columns, error=reason)
        text = f"The run couldn't go on, because its record in the database is damaged: {reason}"
        problem = Problem("run_damaged", text, params={"columns": columns, "reason": reason})
        outcome = Outcome(RunStatus.LOST, return_codes.UNKNOWN, errors=(problem,))
        try:
            ended = self._store.quarantine.put(run.seq, problem, done_data(run, outcome))
            if ended is None:
                return
            # Its entry comes second here: nothing about it must keep the run from ending.
            self._write_history(ended, RecordedOutput(error=text), once=True)
            self._observer.run_quarantined(ended)
            self._wakeups.wake_followers(run.id)
            self._wakeups.wake_workers()
            self._cancel(self._store.runs.active_children(run.id))
            self._records.log_run(ended, RecordedOutput(error=text))
        except (StoreBusyError, StoreUnavailableError):
            raise
        except Exception:  # noqa: BLE001 - whatever else is damaged, the others go on
            log.failure("run.quarantine_failed", run_id=run.id)

    def _cancel(self, children: Iterable[str]) -> None:
        """Cancel the runs that an ended run started: they use its slot."""
        for child_id in children:
            self._store.runs.request_cancel(child_id, PARENT_ENDED)
            self._wakeups.wake_workers(CANCEL)


def done_data(run: Run | NewRun, outcome: Outcome) -> dict[str, object]:
    """The data of the `done` event, without the output."""
    return {**done_json(run.id, run.ref, outcome, dry_run=run.request.dry_run)}

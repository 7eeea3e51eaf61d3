"""Ends runs whose worker process is gone."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from time import sleep

from runbook import log
from runbook.core import return_codes
from runbook.core.document import Problem
from runbook.core.events import EventType
from runbook.core.outcome import Outcome
from runbook.core.output.mask import MASK
from runbook.core.run import Run
from runbook.core.status import RunStatus
from runbook.core.times import Millis
from runbook.engine.process.leftovers import remove_stale
from runbook.engine.process.script_user import ScriptUser
from runbook.engine.process.survivors import Survivors, end_survivors
from runbook.engine.process.workspace import directory_of
from runbook.engine.record.ending import Ending
from runbook.engine.record.history_entry import Records
from runbook.engine.record.side_by_side import SideBySide
from runbook.errors import (
    ConflictError,
    RunbookError,
    StoreBusyError,
    StoreUnavailableError,
)
from runbook.host.identity import boot_id, host_name, process_start
from runbook.host.proctable import ProcessEntry
from runbook.store.models import NewEvent, Worker
from runbook.store.store import Store
from runbook.store.workers import FRESH_BEAT_MS

LOST_TEXT = "The worker died; how far the script came is not known"
WORKER_DIED = "worker_died"
SURVIVORS_LEFT = "survivors_left"
WATCH_SECONDS = 5.0
"""How long a worker of another host that seems silent is watched: several heartbeats."""


def is_dead(worker: Worker, now: Millis) -> bool:
    """On this host and boot the process itself tells; elsewhere, only its silence does.

    A process that is merely stopped or starved is alive: it keeps its runs.
    """
    if _is_here(worker) and worker.boot_id == boot_id():
        return process_start(worker.pid) != worker.process_start
    return now - worker.beat_at > FRESH_BEAT_MS


def _is_here(worker: Worker) -> bool:
    return worker.host == host_name()


def _seems_silent(worker: Worker, now: Millis) -> bool:
    """By this host's clock, which may be wrong: a heartbeat in its future tells nothing."""
    return not 0 <= now - worker.beat_at <= FRESH_BEAT_MS


class Reaper:
    """Finds dead workers and ends their runs as `lost`, after the processes of their scripts."""

    def __init__(
        self,
        store: Store,
        records: Records,
        ending: Ending,
        clock: Callable[[], Millis],
        side_by_side: SideBySide,
        execution_dir: Path,
        user: ScriptUser | None = None,
    ) -> None:
        """`user` owns the runs' directories; None is the engine's."""
        self._store = store
        self._records = records
        self._ending = ending
        self._clock = clock
        self._side_by_side = side_by_side
        self._execution_dir = execution_dir
        self._user = user

    def reap(self, *, everywhere: bool = False) -> int:
        """End the runs of this host's dead workers, never of living ones. Returns how many.

        With `everywhere`, of other hosts' too, which takes WATCH_SECONDS if one of them seems dead.

        A run keeps its locks as long as a process of its script, or of a run that it called, is
        alive and can't be killed. Returns after a while even if not all have ended; see SideBySide.
        """
        now, workers = self._clock(), self._store.workers.all()
        ended = self._reap(one for one in workers if _is_here(one) and is_dead(one, now))
        if everywhere:
            away = [one for one in workers if not _is_here(one) and _seems_silent(one, now)]
            if silent := self._still_silent(away):
                ended += self._reap(silent)
        return ended

    def _still_silent(self, workers: Sequence[Worker]) -> list[Worker]:
        """Those of other hosts that send no heartbeat while they are watched.

        The time of the last one is not enough: clocks differ and jump, and when the database
        comes back after a while, no worker could send any.
        """
        if not workers:
            return []
        sleep(WATCH_SECONDS)
        beats = {worker.id: worker.beat_at for worker in self._store.workers.all()}
        return [worker for worker in workers if beats.get(worker.id) == worker.beat_at]

    def _reap(self, dead: Iterable[Worker]) -> int:
        for worker in dead:
            log.warning("worker.dead", worker_id=worker.id, pid=worker.pid, host=worker.host)
            self._store.workers.remove(worker.id)
        self._clean()
        lost = self._store.workers.runs_of_missing()
        survivors = {run.id: self._end_survivors(run) for run in lost}
        held = {run.tree_id for run in lost if survivors[run.id].left}
        for run in lost:
            if run.tree_id in held:
                self._tell_survivors(run, survivors[run.id].left)
        free = [run for run in lost if run.tree_id not in held]
        self._side_by_side.each(free, lambda run: self.end(run, survivors[run.id].killed))
        return len(free)

    def _clean(self) -> None:
        """Set aside what only damage leaves, and what would hold others up."""
        if gone := self._store.workers.remove_damaged():
            log.warning("worker.damaged", count=gone)
        for run in self._store.quarantine.unknown_status():
            if not self._end_survivors(run).left:
                self._ending.quarantine(run, "its status says nothing")
        if freed := self._store.locks.release_orphans():
            log.warning("lock.damaged", count=freed)

    def end(self, run: Run, killed: Sequence[ProcessEntry] = ()) -> None:
        """End a run that nobody executes anymore. One that can't be ended doesn't stop the others.

        Raises StoreBusyError and StoreUnavailableError.
        """
        try:
            if not run.damage:
                self._end(run, killed)
                return
            reason = f"it can't be read: {', '.join(run.damage)}"
        except (StoreBusyError, StoreUnavailableError):
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, the run must end
            log.failure("run.not_ended", run_id=run.id)
            reason = error.message if isinstance(error, RunbookError) else repr(error)
        self._ending.quarantine(run, reason)

    def _end(self, run: Run, killed: Sequence[ProcessEntry]) -> None:
        """If the worker wrote the history entry before it died, the run ends with its status."""
        outcome = self._recorded_end(run) or Outcome(
            RunStatus.LOST, return_codes.UNKNOWN, errors=(Problem(WORKER_DIED, LOST_TEXT),)
        )
        log.warning(
            "run.lost",
            run_id=run.id,
            runbook=run.ref,
            status=outcome.status.value,
            killed=[entry.pid for entry in killed],
        )
        directory = directory_of(self._execution_dir, run.id)
        for problem in remove_stale([directory], active=(), user=self._user):
            log.warning("workspace.left", run_id=run.id, problem=problem)
        output = self._records.stored_output(run)
        self._ending.end(run, outcome, output, worker_id=run.worker_id, once=True)

    def _recorded_end(self, run: Run) -> Outcome | None:
        """The history has no outputs, but the steps had stored theirs before."""
        outcome = self._records.recorded_end(run)
        if outcome is None:
            return None
        handed = [step.outputs for step in self._store.steps.of(run.id)]
        outputs = {
            name: MASK if value is None else value for one in handed for name, value in one.items()
        }
        return dataclasses.replace(outcome, outputs=outputs)

    def _end_survivors(self, run: Run) -> Survivors:
        if run.status is not RunStatus.RUNNING:
            return Survivors()
        return end_survivors(run.id, directory_of(self._execution_dir, run.id))

    def _tell_survivors(self, run: Run, left: Sequence[ProcessEntry]) -> None:
        """Say once why the run has not ended."""
        pids = sorted(entry.pid for entry in left)
        last = self._store.events.after(run.id, n=run.log.last_event - 1)
        if not pids or ((last and last[-1].data) or {}).get("code") == SURVIVORS_LEFT:
            return
        log.warning("run.survivors_left", run_id=run.id, runbook=run.ref, pids=pids)
        named = ", ".join(map(str, pids))
        data = {
            "code": SURVIVORS_LEFT,
            "params": {"pids": pids},
            "message": f"The worker died, and processes of the script can't be killed: {named}. "
            "The run keeps its locks until they end",
        }
        event = NewEvent(self._clock(), EventType.NOTICE, data=data)
        with suppress(ConflictError):  # another process has just ended the run
            self._store.events.append(run.id, [event], worker_id=run.worker_id)

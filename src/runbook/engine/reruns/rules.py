"""Which runs can be retried, resumed or undone, and with which steps."""

from __future__ import annotations

from collections.abc import Sequence

from runbook.core.document import Problem, Runbook
from runbook.core.events import EventType
from runbook.core.outcome import StepRun
from runbook.core.reruns import (
    Numbered,
    diff_above,
    find_step,
    irreversible,
    numbered,
    resume_point,
    undo_steps,
)
from runbook.core.run import Relation, Run
from runbook.core.status import RunStatus
from runbook.engine.parts import Parts
from runbook.engine.problems import already_rerun, conflict
from runbook.engine.requests import UndoPlan
from runbook.engine.reruns.steps import steps_of_all, touched_by, undone_steps
from runbook.errors import DocumentChangedError, NotFoundError
from runbook.library.catalog import Entry
from runbook.store.models import RerunClaim, StoredDocument

_NEVER_STARTED = (RunStatus.REFUSED, RunStatus.INVALID)


class RerunRules:
    """Reads the run's steps, its document and its reruns. Asks for no permission."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._store = parts.store

    def claim(self, run: Run, *, ended: bool = True) -> RerunClaim:
        """The reruns so far. Take it before checking: the store refuses when others came after."""
        seen = frozenset(rerun.id for rerun in self._store.runs.reruns(run.id))
        return RerunClaim(run.id, seen, ended)

    def check_source(self, run: Run) -> None:
        """Raises ConflictError if the runbook with the run's ref is here a different one.

        It is the same if the run's came from the same folder, however it has been edited since, or
        has the same text: other hosts and containers may mount that folder elsewhere. Raises
        NotFoundError if there is none.
        """
        catalog = self._parts.catalog
        entry = catalog.get(run.ref)
        if entry.document.digest == run.runbook.digest:
            return
        if self._source(run) not in (None, catalog.source_id(run.ref)):
            text = (
                f"The run executed {run.ref} from another folder of runbooks. The runbook with "
                "this name here is a different one."
            )
            raise conflict("other_source", text)

    def _source(self, run: Run) -> str | None:
        """Identifies the folder of the run's runbook; earlier versions didn't record it."""
        for event in self._store.events.after(run.id, n=0):
            if event.type is EventType.QUEUED:
                found = (event.data or {}).get("source")
                return found if isinstance(found, str) else None
        return None

    def check_retry(self, run: Run) -> None:
        """Raises ConflictError if the run cannot be retried."""
        _check_ended(run)

    def resume_step(self, run: Run, wanted: str | None = None) -> int:
        """The number, from 1, of the step to resume from: `wanted`, else the first not completed.

        Raises ConflictError, and NotFoundError if the document is no longer stored.
        """
        _check_ended(run)
        runbook = self.runbook(run)
        if not runbook.stepped:
            raise conflict("no_steps", "The script has no steps: retry the run instead.")
        self._check_latest(run)
        if undone_steps(self._store, run.id):
            raise conflict("steps_undone", "The run's steps were undone: retry the run instead.")
        last = resume_point(runbook, self._store.steps.of(run.id))
        if wanted is None and (run.status is RunStatus.SUCCEEDED or last > len(runbook.steps)):
            raise conflict("all_completed", "All steps are completed: nothing is left to resume.")
        number = last if wanted is None else find_step(runbook, wanted)
        if number is None:
            names = ", ".join(repr(item.step.name) for item in numbered(runbook))
            text = f"The runbook has no such step. Its steps: {names}."
            raise conflict("no_such_step", text, step=wanted)
        if number > last:
            name = runbook.steps[last - 1].name
            text = f"Step {last} '{name}' is not completed: resume from it or from an earlier one."
            raise conflict("step_not_completed", text, step=name, n=last)
        return number

    def check_unchanged(self, run: Run, entry: Entry, number: int) -> None:
        """Raises DocumentChangedError if the runbook has changed above step `number`."""
        stored = self.document(run)
        start = self._parts.documents.runbook(stored).steps[number - 1]
        steps = entry.document.runbook.steps if entry.document.runbook else ()
        again = next((step for step in steps if step.name == start.name), None)
        texts = (stored.content.decode("utf-8", "replace"), entry.head.decode("utf-8", "replace"))
        diff = diff_above(*texts, start, again)
        if diff is not None:
            text = (
                f"The runbook has changed above step {number} '{start.name}', so the results of "
                "the completed steps may no longer fit. Retry the run, or revert the change."
            )
            problem = Problem(
                DocumentChangedError.code, text, params={"step": start.name, "n": number}
            )
            raise DocumentChangedError(text, diff=diff, problems=(problem,))

    def undo_plan(self, run: Run) -> UndoPlan:
        """What an undo of the run would do. Raises ConflictError and NotFoundError."""
        _check_ended(run)
        runbook = self.runbook(run)
        rows = steps_of_all(self._store, run, runbook)
        self._check_undo(run, runbook, rows)
        touched = touched_by(self._store, run, runbook)
        found = undo_steps(runbook, rows, undone_steps(self._store, run.id), touched)
        steps = tuple(Numbered(item.n, runbook.steps[item.n - 1]) for item in found)
        return UndoPlan(steps, irreversible(runbook, rows))

    def document(self, run: Run) -> StoredDocument:
        """The document that was executed. Raises NotFoundError if it is no longer stored."""
        document = self._store.documents.get(run.runbook.digest)
        if document is None:
            raise NotFoundError("The document that was executed is no longer stored.")
        return document

    def runbook(self, run: Run) -> Runbook:
        """Raises NotFoundError and InvalidRunbookError."""
        return self._parts.documents.runbook(self.document(run))

    def _check_latest(self, run: Run) -> None:
        """Raises ConflictError if another run has resumed this one or is undoing it."""
        if run.relation is Relation.RESUME and not self._store.steps.of(run.id):
            text = f"The run ended before its first step: use run {run.related_id} instead."
            raise conflict("began_no_step", text, run_id=run.related_id)
        for rerun in self._store.runs.reruns(run.id):
            if rerun.request.dry_run and not run.request.dry_run:
                continue
            if rerun.relation is Relation.UNDO and not rerun.status.terminal:
                raise already_rerun(rerun.id)
            if rerun.relation is Relation.RESUME and self._may_have_begun(rerun):
                raise already_rerun(rerun.id)

    def _may_have_begun(self, run: Run) -> bool:
        """Whether a resuming run has executed anything, or still may."""
        return not run.status.terminal or bool(self._store.steps.of(run.id))

    def _check_undo(self, run: Run, runbook: Runbook, rows: Sequence[StepRun]) -> None:
        if run.request.dry_run:
            raise conflict("was_dry_run", "The run was a dry run: there is nothing to undo.")
        self._check_latest(run)
        undone = undone_steps(self._store, run.id)
        if undo_steps(runbook, rows, undone, touched_by(self._store, run, runbook)):
            return
        if undone:
            text = "All steps were undone before: there is nothing left to undo."
            raise conflict("all_undone", text)
        text = "No completed step has an Undo: there is nothing to undo."
        raise conflict("no_step_to_undo", text)


def _check_ended(run: Run) -> None:
    """Raises ConflictError if the run is active, was never started, or is itself an undo."""
    if not run.status.terminal:
        text = f"The run is {run.status}: wait until it has ended."
        raise conflict("run_active", text, status=run.status.value)
    if run.status in _NEVER_STARTED:
        text = f"The run was {run.status} and never started: execute the runbook again."
        raise conflict("never_started", text, status=run.status.value)
    if run.relation is Relation.UNDO:
        text = "The run undoes another run: undo that one again instead."
        raise conflict("is_undo", text, run_id=run.related_id)

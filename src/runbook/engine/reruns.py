"""Runs that follow from an earlier one: retry, resume and undo."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from runbook.core.access import Principal
from runbook.core.document import Problem, Runbook, Severity, warning
from runbook.core.language.parse import parse_stored
from runbook.core.outcome import StepRun
from runbook.core.reruns import (
    Numbered,
    diff_above,
    find_step,
    irreversible,
    joined,
    numbered,
    restored,
    resume_point,
    undo_steps,
)
from runbook.core.run import Relation, Run
from runbook.core.status import RunStatus, StepStatus
from runbook.engine.parts import Parts
from runbook.engine.problems import conflict
from runbook.engine.process.run import Stop
from runbook.engine.record.ending import PARENT_ENDED
from runbook.engine.requests import ExecuteRequest, Follows, Submitted, Undoing
from runbook.engine.sealing import GivenInputs
from runbook.engine.submit.submission import Submission
from runbook.engine.wakeups import CANCEL
from runbook.errors import DocumentChangedError, NotFoundError
from runbook.library.catalog import Entry
from runbook.store.models import StoredDocument
from runbook.store.store import Store

WATCH_S = 1.0
_NEVER_STARTED = (RunStatus.REFUSED, RunStatus.INVALID)


def undone_steps(store: Store, run_id: str, *, but: str = "") -> frozenset[int]:
    """The numbers of the steps of a run that undo runs have reversed; dry runs reverse nothing."""
    return frozenset(
        step.n
        for follower in store.runs.reruns(run_id)
        if follower.relation is Relation.UNDO
        and follower.id != but
        and not follower.request.dry_run
        for step in store.steps.of(follower.id)
        if step.status is StepStatus.SUCCEEDED
    )


def steps_of_all(store: Store, run: Run, runbook: Runbook) -> tuple[StepRun, ...]:
    """What became of the steps of a run, and of those that the runs it resumed have completed.

    Of those only the ones that the run's own document still has.
    """
    line = [run]
    while line[-1].relation is Relation.RESUME:
        earlier = store.runs.get(line[-1].related_id or "")
        if earlier is None:  # forgotten by now
            break
        line.append(earlier)
    names = {item.n: item.step.name for item in numbered(runbook)}
    rows: tuple[StepRun, ...] = ()
    for each in reversed(line):
        rows = joined(
            store.steps.of(each.id), [row for row in rows if names.get(row.n) == row.name]
        )
    return rows


class Following:
    """Makes the requests of runs that follow from another one."""

    def __init__(self, parts: Parts, submission: Submission) -> None:
        self._parts = parts
        self._store = parts.store
        self._submission = submission

    def retry(self, run: Run, principal: Principal, request: ExecuteRequest) -> Submitted:
        """The same inputs from the start, with the runbook as it is now.

        Raises ConflictError, and what Submission.submit raises.
        """
        self._check_ended(run)
        return self._submit(run, principal, request, Follows(Relation.RETRY, run))

    def resume(
        self, run: Run, principal: Principal, request: ExecuteRequest, start: str | None
    ) -> Submitted:
        """Go on behind the completed steps, or at the step named or numbered `start`.

        Raises ConflictError, DocumentChangedError, and what Submission.submit raises.
        """
        self._check_ended(run)
        stored = self._document(run)
        old = self._runbook(stored)
        rows = self._store.steps.of(run.id)
        number = self._start(run, old, rows, start)
        entry = self._parts.catalog.get(run.ref)
        self._check_unchanged(entry, stored, old, number)
        before = [row for row in rows if row.n < number]
        follows = Follows(Relation.RESUME, run, start_step=number, rows=tuple(before))
        return self._submit(run, principal, request, follows)

    def undo(self, run: Run, principal: Principal, request: ExecuteRequest) -> Submitted:
        """Reverse what the run completed, by the document that it was executed by.

        Raises ConflictError, and what Submission.submit raises.
        """
        self._check_ended(run)
        stored = self._document(run)
        runbook = self._runbook(stored)
        rows = steps_of_all(self._store, run, runbook)
        self._check_undo(run, runbook, rows)
        follows = Follows(
            Relation.UNDO,
            run,
            rows=rows,
            entry=self._as_it_ran(run, stored),
            problems=_left_as_they_are(runbook, rows),
        )
        return self._submit(run, principal, request, follows)

    def check_retry(self, run: Run) -> None:
        """Raises ConflictError where the run cannot be retried, whoever asks."""
        self._check_ended(run)

    def resume_step(self, run: Run) -> int:
        """The step, from 1, that a resume goes on with by itself, whatever the runbook is now.

        Raises ConflictError, and NotFoundError where the document is no longer kept.
        """
        self._check_ended(run)
        runbook = self._runbook(self._document(run))
        return self._start(run, runbook, self._store.steps.of(run.id), None)

    def undoing(self, run: Run) -> Undoing:
        """What an undo of the run would do. Raises ConflictError, and NotFoundError."""
        self._check_ended(run)
        runbook = self._runbook(self._document(run))
        rows = steps_of_all(self._store, run, runbook)
        self._check_undo(run, runbook, rows)
        found = undo_steps(runbook, rows, undone_steps(self._store, run.id))
        steps = tuple(Numbered(item.n, runbook.steps[item.n - 1]) for item in found)
        return Undoing(steps, irreversible(runbook, rows))

    def undo_failed(
        self, run: Run, runbook: Runbook, inputs: GivenInputs, stop: Stop
    ) -> Problem | None:
        """Reverse what a run has completed before it fails; it holds its locks meanwhile.

        Returns once the run that does it has ended, with a warning about it; None where there
        was nothing to do.
        """
        rows = steps_of_all(self._store, run, runbook)
        if not undo_steps(runbook, rows):
            return None
        follows = Follows(
            Relation.UNDO,
            run,
            parent=run,
            inputs=inputs,
            entry=self._as_it_ran(run, self._document(run)),
            problems=_left_as_they_are(runbook, rows),
        )
        who = run.requester
        principal = Principal(who.subject, who.origin, who.claims, who.address)
        undoing = self._submission.submit_following(principal, ExecuteRequest(), follows).run
        ended = self._wait(undoing, stop)
        text = f"The completed steps were undone by run {ended.id}"
        if ended.status is RunStatus.SUCCEEDED:
            return warning("undone", text, run_id=ended.id)
        text = f"The completed steps were NOT all undone: run {ended.id} {ended.status}"
        return warning("not_all_undone", text, run_id=ended.id, status=ended.status.value)

    def _wait(self, run: Run, stop: Stop) -> Run:
        """Until a child run has ended. A request to stop is passed on."""
        asked = False
        with self._parts.wakeups.following(run.id) as news:
            while True:
                news.clear()
                current = self._store.runs.get(run.id) or run
                if current.status.terminal:
                    return current
                if stop.reason is not None and not asked:
                    asked = True
                    self._store.runs.request_cancel(run.id, PARENT_ENDED)
                    self._parts.wakeups.wake_workers(CANCEL)
                news.wait(WATCH_S)

    def _submit(
        self, run: Run, principal: Principal, request: ExecuteRequest, follows: Follows
    ) -> Submitted:
        """Put together what was kept of the earlier run and what is given again."""
        entry = follows.entry or self._parts.catalog.get(run.ref)
        declared = {item.name for item in entry.document.inputs}
        again = dict(request.env_vars) if isinstance(request.env_vars, Mapping) else {}
        asked = _not_kept(follows.rows)
        texts = {name: again[name] for name in asked if isinstance(again.get(name), str)}
        handed = restored(follows.rows, texts)
        kept = {n: v for n, v in run.request.inputs.items() if v is not None and n in declared}
        new = {n: v for n, v in again.items() if n not in asked or n in declared}
        lost = [
            n
            for n in run.request.given
            if run.request.inputs.get(n) is None and n in declared - again.keys()
        ]
        needed = [_needed_again(name) for name in sorted({*handed.missing, *lost})]
        request = dataclasses.replace(
            request, env_vars={**kept, **new}, dry_run=run.request.dry_run or request.dry_run
        )
        follows = dataclasses.replace(
            follows,
            handed=handed,
            masks=tuple(texts.values()),
            problems=(*follows.problems, *needed),
        )
        return self._submission.submit_following(principal, request, follows)

    def _check_ended(self, run: Run) -> None:
        if not run.status.terminal:
            raise conflict(
                "run_active",
                f"The run is {run.status}; it has to end first.",
                status=run.status.value,
            )
        if run.status in _NEVER_STARTED:
            text = f"The run was {run.status}: nothing was started; execute it anew."
            raise conflict("never_started", text, status=run.status.value)
        if run.relation is Relation.UNDO:
            raise conflict(
                "is_undo",
                "The run reverses another one; undo that one again instead.",
                run_id=run.related_id,
            )

    def _start(
        self, run: Run, runbook: Runbook, rows: Sequence[StepRun], wanted: str | None
    ) -> int:
        """The number of the step to go on with. Raises ConflictError where there is none."""
        if not runbook.stepped:
            raise conflict("no_steps", "The script has no steps: retry the run instead.")
        self._check_latest(run)
        if undone_steps(self._store, run.id):
            raise conflict("steps_undone", "The run's steps were undone: retry the run instead.")
        last = resume_point(runbook, rows)
        if wanted is None and (run.status is RunStatus.SUCCEEDED or last > len(runbook.steps)):
            text = "All steps were completed: there is nothing to go on with."
            raise conflict("all_completed", text)
        number = last if wanted is None else find_step(runbook, wanted)
        if number is None:
            names = ", ".join(repr(item.step.name) for item in numbered(runbook))
            text = f"There is no such step to go on with (steps: {names})."
            raise conflict("no_such_step", text, step=wanted)
        if number > last:
            name = runbook.steps[last - 1].name
            text = f"Step {last} '{name}' was not completed: go on there, or before it."
            raise conflict("step_not_completed", text, step=name, n=last)
        return number

    def _check_latest(self, run: Run) -> None:
        """Raises ConflictError where another run has gone on from where this one ended."""
        if run.relation is Relation.RESUME and not self._store.steps.of(run.id):
            text = f"The run ended before it began a step: name run {run.related_id} instead."
            raise conflict("began_no_step", text, run_id=run.related_id)
        for follower in self._store.runs.reruns(run.id):
            if follower.request.dry_run and not run.request.dry_run:
                continue
            if follower.relation is Relation.UNDO and not follower.status.terminal:
                raise conflict(
                    "being_undone",
                    f"Run {follower.id} is about to undo it; it has to end first.",
                    run_id=follower.id,
                )
            if follower.relation is Relation.RESUME and self._may_have_begun(follower):
                text = f"The run was resumed by run {follower.id}: name that one instead."
                raise conflict("resumed", text, run_id=follower.id)

    def _may_have_begun(self, run: Run) -> bool:
        """Whether a resumed run has done anything, or still may. One without steps has not."""
        return not run.status.terminal or bool(self._store.steps.of(run.id))

    def _check_unchanged(
        self, entry: Entry, stored: StoredDocument, old: Runbook, number: int
    ) -> None:
        """Raises DocumentChangedError where something above the step is not as it was."""
        start = old.steps[number - 1]
        steps = entry.document.runbook.steps if entry.document.runbook else ()
        again = next((step for step in steps if step.name == start.name), None)
        texts = (stored.content.decode("utf-8", "replace"), entry.head.decode("utf-8", "replace"))
        diff = diff_above(*texts, start, again)
        if diff is not None:
            text = (
                f"The runbook was changed above step {number} '{start.name}': what the completed "
                f"steps did may no longer fit. Retry the run, or take the change back."
            )
            problem = Problem(
                DocumentChangedError.code, text, params={"step": start.name, "n": number}
            )
            raise DocumentChangedError(text, diff=diff, problems=(problem,))

    def _check_undo(self, run: Run, runbook: Runbook, rows: Sequence[StepRun]) -> None:
        if run.request.dry_run:
            raise conflict("was_dry_run", "The run was a dry run: there is nothing to undo.")
        self._check_latest(run)
        undone = undone_steps(self._store, run.id)
        if not undo_steps(runbook, rows, undone):
            text = "were undone before" if undone else "were completed that have an Undo"
            text = f"There is nothing to undo: {'all' if undone else 'no'} steps {text}."
            raise conflict("all_undone" if undone else "no_step_to_undo", text)

    def _document(self, run: Run) -> StoredDocument:
        document = self._store.documents.get(run.runbook.digest)
        if document is None:
            raise NotFoundError("The document that was executed is no longer kept.")
        return document

    def _runbook(self, stored: StoredDocument) -> Runbook:
        return self._parts.documents.runbook(stored)

    def _as_it_ran(self, run: Run, stored: StoredDocument) -> Entry:
        """The runbook's entry with the document that was executed."""
        entry = self._parts.catalog.get(run.ref)
        return dataclasses.replace(
            entry, document=parse_stored(stored.content), head=stored.content
        )


def _not_kept(rows: Sequence[StepRun]) -> frozenset[str]:
    """The names of handed over values in which a secret stood."""
    values = [item for row in rows for item in (*row.env.items(), *row.outputs.items())]
    return frozenset(name for name, value in values if value is None)


def _needed_again(name: str) -> Problem:
    text = f"The value of {name} was not kept: it has to be given again"
    hint = f"Give it in env_vars, or with --env {name}=... or --secret {name}=@FILE"
    return Problem("value_not_kept", text, hint=hint, params={"variable": name})


def _left_as_they_are(runbook: Runbook, rows: Sequence[StepRun]) -> tuple[Problem, ...]:
    return tuple(
        Problem(
            "not_reversible",
            f"Step '{item.step.name}' has no Undo: what it did stays",
            severity=Severity.WARNING,
            params={"step": item.step.name, "n": item.n},
        )
        for item in irreversible(runbook, rows)
    )

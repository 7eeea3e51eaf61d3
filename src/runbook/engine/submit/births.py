"""The last stage: record the run, be it queued, refused or invalid."""

from __future__ import annotations

import dataclasses
from typing import NoReturn

from runbook import log
from runbook.core import return_codes
from runbook.core.access import Decision
from runbook.core.audit import NewAuditEvent, Target, TargetKind, refusal_event
from runbook.core.document import Problem, texts_of
from runbook.core.events import EventType
from runbook.core.history.entry import refusal_text
from runbook.core.outcome import Outcome
from runbook.core.run import Run, RunTimes
from runbook.core.status import RunStatus
from runbook.engine.parts import Parts
from runbook.engine.problems import already_rerun, problem_of
from runbook.engine.record.ending import done_data
from runbook.engine.record.history_entry import RecordedOutput
from runbook.engine.requests import Submitted
from runbook.engine.submit.attempt import Attempt, document_of, version_of
from runbook.engine.submit.audit import rerun_event
from runbook.engine.submit.concealment import concealed
from runbook.engine.submit.idempotency import idempotency_of
from runbook.engine.wakeups import QUEUED, ROOT_QUEUED
from runbook.errors import AlreadyRerunError, QueueFullError
from runbook.library.catalog import Entry
from runbook.store.models import NewEvent, NewRun

MOST_QUEUED_FOR_FORMS = 32
"""Runs for the choices of forms, which take a few seconds at most."""


class Births:
    """Creates the rows of new runs. A refused or invalid run ends as it is created."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._store = parts.store

    def queue(self, attempt: Attempt) -> Submitted:
        """Queue the run, or answer the one that an earlier request with its key created.

        Raises QueueFullError, after recording the refused run, ConflictError if another rerun came
        first, and what else `Runs.create` raises.
        """
        new = concealed(attempt.new, attempt.concealer)
        # For RerunRules.check_source.
        data = {"run_id": new.id, "source": self._parts.catalog.source_id(new.ref)}
        event = NewEvent(self._parts.clock(), EventType.QUEUED, data=data)
        try:
            created = self._store.runs.create(
                new,
                [event],
                document_of(attempt.entry),
                max_queued=self._most_queued(new),
                idempotency=idempotency_of(attempt, self._parts.sealer),
                files=attempt.files,
                audit=rerun_event(new),
            )
        except AlreadyRerunError as error:
            run_id = str(error.details["run_id"])
            raise already_rerun(run_id) from None
        except QueueFullError as error:
            errors = (problem_of(error),)
            self._record_ended(attempt, RunStatus.REFUSED, return_codes.QUEUE_FULL, errors)
            raise
        if not created.replayed:
            self._announce(new)
        return Submitted(created.run, created.replayed, attempt.request.correlation_id)

    def _most_queued(self, new: NewRun) -> int | None:
        if new.request.purpose is not None:
            return MOST_QUEUED_FOR_FORMS
        return self._parts.options.max_queued_runs

    def _announce(self, new: NewRun) -> None:
        wakeups = self._parts.wakeups
        needs_slot = new.tree.parent_id is None and new.request.purpose is None
        wakeups.wake_workers(ROOT_QUEUED if needs_slot else QUEUED)
        wakeups.wake_followers(new.id)
        if new.tree.parent_id is not None:
            wakeups.wake_followers(new.tree.parent_id)
        log.event("run.queued", run_id=new.id, runbook=new.ref, by=new.requester.subject)

    def invalid(self, attempt: Attempt) -> Submitted:
        """Record a run that has errors."""
        run = self._record_ended(attempt, RunStatus.INVALID, return_codes.INVALID, attempt.errors)
        self._parts.observer.run_ended(run)
        return Submitted(run, correlation_id=attempt.request.correlation_id)

    def refuse(
        self, attempt: Attempt, entry: Entry, decision: Decision, *, in_file: bool = False
    ) -> NoReturn:
        """Record the refusal, with `in_file` in the history too, then raise AccessDeniedError.

        `entry` is the version of the runbook that does not allow it: for an undo, not always the
        one to be executed.
        """
        principal = attempt.principal
        text = refusal_text(attempt.new.requester.subject, decision.text)
        error = self._parts.authorizer.refusal(principal, decision, entry)
        run = self._record_ended(
            dataclasses.replace(attempt, entry=entry).recording(
                runbook=version_of(entry, self._parts.catalog)
            ),
            RunStatus.REFUSED,
            return_codes.REFUSED,
            (problem_of(error, decision.text),),
            entry_text=text if in_file else "",
            audit=refusal_event(principal, decision, Target(TargetKind.RUNBOOK, entry.ref)),
        )
        self._parts.observer.run_refused(run)
        log.warning("run.refused", run_id=run.id, runbook=run.ref, by=run.requester.subject)
        raise error

    def _record_ended(
        self,
        attempt: Attempt,
        status: RunStatus,
        code: int,
        errors: tuple[Problem, ...],
        *,
        entry_text: str = "",
        audit: NewAuditEvent | None = None,
    ) -> Run:
        """One row for a run that never starts, with its error as output, and `done`.

        With `entry_text`, an entry is appended to the history before that.
        """
        now = self._parts.clock()
        result = dataclasses.replace(attempt.new.result, return_code=code, errors=errors)
        new = dataclasses.replace(attempt.new, status=status, result=result, finished_at=now)
        new = concealed(new, attempt.concealer)
        result = new.result
        text = "\n".join(texts_of(result.errors))
        outcome = Outcome(status, code, result.errors, result.warnings)
        stderr = NewEvent(now, EventType.STDERR, text=text, line=1, offset=0)
        done = NewEvent(now, EventType.DONE, data=done_data(new, outcome))
        head, _ = (
            self._parts.records.write_history(_run_of(new), RecordedOutput(error=entry_text))
            if entry_text
            else (None, None)
        )
        created = self._store.runs.create(
            new, [stderr, done], document_of(attempt.entry), history=head, audit=audit
        )
        self._parts.wakeups.wake_followers(new.id)
        self._parts.records.log_run(created.run, RecordedOutput(stderr=text))
        return created.run


def _run_of(new: NewRun) -> Run:
    """A run that never starts, as its history entry needs it."""
    return Run(
        id=new.id,
        runbook=new.runbook,
        status=new.status,
        requester=new.requester,
        correlation_id=new.correlation_id,
        tree=new.tree,
        times=RunTimes(new.created_at or 0, finished_at=new.finished_at),
        request=new.request,
        result=new.result,
        rerun_of=new.rerun_of,
    )

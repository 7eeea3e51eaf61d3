"""The engine: the one pipeline that HTTP API, command line and worker all use.

parse -> authorize -> preflight -> submit -> execute -> record, and follow.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from urllib.parse import quote

from runbook import log
from runbook.core import return_codes
from runbook.core.access import Principal
from runbook.core.audit import AuditAction, NewAuditEvent, Target, TargetKind, actor_of, run_event
from runbook.core.document import Problem
from runbook.core.events import EventType, RunEvent
from runbook.core.inputs.preflight import RequiredEnv, required_env
from runbook.core.inputs.schema import input_schema
from runbook.core.outcome import Outcome
from runbook.core.permissions import Permission
from runbook.core.run import Run
from runbook.core.run_details import RunDetails
from runbook.core.status import RunStatus
from runbook.core.waiting import Holder
from runbook.engine.actions import ActionRules
from runbook.engine.activity import Live
from runbook.engine.authorization import Authorizer
from runbook.engine.execute.execution import Execution
from runbook.engine.parts import Parts
from runbook.engine.problems import problem_of
from runbook.engine.process.run import Stop
from runbook.engine.record.history_entry import RecordedOutput
from runbook.engine.record.reaper import Reaper
from runbook.engine.requests import (
    Executed,
    ExecuteRequest,
    Listed,
    Report,
    RunbookText,
    Submitted,
    UndoPlan,
)
from runbook.engine.reruns.automatic import AutomaticUndo
from runbook.engine.reruns.reruns import Reruns
from runbook.engine.reruns.rules import RerunRules
from runbook.engine.submit.input_facts import InputKnowledge
from runbook.engine.submit.submission import Submission
from runbook.engine.wakeups import CANCEL
from runbook.errors import NotFoundError, RunbookError
from runbook.host.identity import host_name
from runbook.library.catalog import Entry, Found
from runbook.library.history_pages import HistoryPage, PagedEntry, read_entry, read_page
from runbook.store.locks import held_text, holder_params
from runbook.store.models import (
    AuditFilter,
    AuditPage,
    Claimed,
    LastRun,
    NewEvent,
    RunFilter,
    RunPage,
)
from runbook.store.store import Store

POLL_SECONDS = 1.0
HEARTBEAT_SECONDS = 15.0
SHOWN_FOLLOWERS = 100


class Engine:
    """Everything a shell may ask for. Thread-safe; survives a fork before its first use."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        self._knowledge = InputKnowledge(parts)
        self._submission = Submission(parts, self._knowledge)
        self._rules = RerunRules(parts)
        self._reruns = Reruns(parts, self._submission, self._rules)
        self._automatic_undo = AutomaticUndo(parts, self._submission, self._rules)
        self._actions = ActionRules(parts, self._rules)
        self.live = Live(parts)
        self._last_runs: dict[str, LastRun] = {}
        self._last_revision = 0

    @property
    def store(self) -> Store:
        return self.parts.store

    @property
    def authorizer(self) -> Authorizer:
        return self.parts.authorizer

    # -- the library -------------------------------------------------------------------------

    def entry(self, ref: str) -> Entry:
        """Raises NotFoundError."""
        return self.parts.catalog.get(ref)

    def readable_entry(self, ref: str, principal: Principal) -> Entry:
        """Raises NotFoundError, and AccessDeniedError for who may not read it."""
        entry = self.entry(ref)
        self.authorizer.require(principal, Permission.RUNBOOK_READ, entry)
        return entry

    def text_for(self, ref: str, principal: Principal) -> RunbookText:
        """A runbook's text, its history for those who may read that. Raises as readable_entry."""
        entry = self.readable_entry(ref, principal)
        can = self.authorizer.can
        with_history = can(principal, Permission.RUNBOOK_HISTORY, entry).allowed
        content = self.parts.catalog.content(ref) if with_history else entry.head
        return RunbookText(entry, can(principal, Permission.RUNBOOK_EXECUTE, entry), content)

    def listing(self, principal: Principal, text: str = "") -> list[Listed]:
        """The runbooks that this principal may list, by ref, with what it may do and see of each.

        With `text`, only those that hold it: see Catalog.search.
        """
        catalog = self.parts.catalog
        found = catalog.search(text) if text else map(Found, catalog.list().entries)
        last_runs = self.last_runs()
        can = self.authorizer.can
        return [
            self._listed(one, principal, last_runs)
            for one in found
            if can(principal, Permission.RUNBOOK_LIST, one.entry).allowed
        ]

    def _listed(
        self, found: Found, principal: Principal, last_runs: Mapping[str, LastRun]
    ) -> Listed:
        """The last run is told to who may read the runs of others."""
        entry, can = found.entry, self.authorizer.can
        last_run = last_runs.get(entry.ref)
        shown = last_run and can(principal, Permission.RUN_READ, entry).allowed
        decision = can(principal, Permission.RUNBOOK_EXECUTE, entry)
        return Listed(entry, decision, last_run if shown else None, found.match)

    def last_runs(self) -> Mapping[str, LastRun]:
        """The last run of each runbook; only what changed since is read from the store."""
        changed = self.store.runbooks.last_runs(self._last_revision)
        self._last_runs.update((row.ref, row) for row in changed.rows)
        self._last_revision = changed.revision
        return self._last_runs

    def listing_version(self) -> tuple[int, int]:
        """Changes whenever what `listing` says may have changed."""
        self.last_runs()
        return self.parts.catalog.list().generation, self._last_revision

    def history(
        self, ref: str, principal: Principal, *, before: int | None, limit: int
    ) -> HistoryPage:
        """A page of the runbook's history: see library.history_pages.read_page.

        Raises NotFoundError, HistoryError, and AccessDeniedError for who may not execute it.
        """
        entry, path = self._history_of(ref, principal)
        return read_page(path, entry, before=before, limit=limit)

    def history_entry(self, ref: str, principal: Principal, n: int) -> PagedEntry:
        """One entry of the history. Raises as `history` does."""
        entry, path = self._history_of(ref, principal)
        found = read_entry(path, entry, n)
        if found is None:
            raise NotFoundError(f"The history has no entry {n}.")
        return found

    def _history_of(self, ref: str, principal: Principal) -> tuple[Entry, Path]:
        entry = self.entry(ref)
        self.authorizer.require(principal, Permission.RUNBOOK_HISTORY, entry)
        return entry, self.parts.catalog.path(ref)

    def required_env(self, ref: str, principal: Principal) -> RequiredEnv:
        """What the runbook asks for, and what of it the server has. Raises as readable_entry."""
        entry = self.readable_entry(ref, principal)
        return required_env(entry.document, self._knowledge.facts(entry, None))

    def input_schema(self, ref: str, principal: Principal) -> Mapping[str, object]:
        """The runbook's inputs as a JSON Schema, with the choices that are known by now.

        Raises as readable_entry.
        """
        entry = self.readable_entry(ref, principal)
        choices = self._knowledge.known_choices(entry, principal)
        schema_id = f"{self.parts.options.api_url}/{quote(ref)}/inputs"
        return input_schema(entry.document, schema_id=schema_id, choices=choices)

    # -- asking for runs -----------------------------------------------------------------------

    def calling_run(self, principal: Principal) -> Run | None:
        """See Authorizer.calling_run."""
        return self.authorizer.calling_run(principal)

    def validate(self, ref: str, principal: Principal, request: ExecuteRequest) -> Report:
        """Raises NotFoundError, and AccessDeniedError, which is recorded in the store."""
        return self._submission.validate(ref, principal, request)

    def submit(self, ref: str, principal: Principal, request: ExecuteRequest) -> Submitted:
        """Record an attempt to execute, queued for a worker if nothing speaks against it.

        The answered run may have ended already (`invalid`, or an idempotent replay).
        Raises AccessDeniedError and QueueFullError, both recorded; NotFoundError,
        IdempotencyKeyReusedError, StoreBusyError and StoreUnavailableError.
        """
        return self._submission.submit(ref, principal, request)

    def retry(self, run: Run, principal: Principal, request: ExecuteRequest) -> Submitted:
        """See Reruns.retry. Raises AccessDeniedError too."""
        self.authorizer.require(principal, Permission.RUN_RERUN, run)
        return self._reruns.retry(run, principal, request)

    def resume(
        self, run: Run, principal: Principal, request: ExecuteRequest, start: str | None = None
    ) -> Submitted:
        """See Reruns.resume. Raises AccessDeniedError too."""
        self.authorizer.require(principal, Permission.RUN_RERUN, run)
        return self._reruns.resume(run, principal, request, start)

    def undo(self, run: Run, principal: Principal, request: ExecuteRequest) -> Submitted:
        """See Reruns.undo. Raises AccessDeniedError too."""
        self.authorizer.require(principal, Permission.RUN_RERUN, run)
        return self._reruns.undo(run, principal, request)

    def undo_plan(self, run: Run) -> UndoPlan:
        """See RerunRules.undo_plan."""
        return self._rules.undo_plan(run)

    def cancel(self, run: Run, principal: Principal) -> Run:
        """Ask for the end of a run and of the runs it called. An ended run is left as it is.

        Raises AccessDeniedError.
        """
        self.authorizer.require(principal, Permission.RUN_CANCEL, run)
        audit = run_event(AuditAction.RUN_CANCEL, run, principal)
        return self.request_cancel(run, principal.subject, audit)

    def request_cancel(self, run: Run, by: str, audit: NewAuditEvent | None = None) -> Run:
        """Cancel for the process that executes the run, whose end asks for it."""
        cancelled = self.store.runs.request_cancel(run.id, by, audit)
        if not cancelled.status.terminal:
            log.event("run.cancel_requested", run_id=run.id, by=by)
            self.parts.wakeups.wake_workers(CANCEL)
        return cancelled

    # -- seeing runs ---------------------------------------------------------------------------

    def run(self, run_id: str, principal: Principal) -> Run:
        """Raises NotFoundError also for a run that this principal may not see."""
        run = self.store.runs.get(run_id)
        if run is None or not self.may_read(run, principal):
            raise NotFoundError("There is no such run, or it is not yours to see.")
        return run

    def details(self, run: Run, principal: Principal) -> RunDetails:
        """The run with its steps, artifacts, relatives, and what may be done with it."""
        store = self.store
        return RunDetails(
            run,
            steps=tuple(store.steps.of(run.id)),
            summary=store.runs.summary(run.id),
            artifacts=tuple(store.artifacts.of(run.id)),
            parent=self._seen(run.tree.parent_id, principal),
            related=self._seen(run.related_id, principal),
            followers=tuple(store.runs.reruns(run.id)[-SHOWN_FOLLOWERS:]),
            tree=tuple(store.runs.tree(run.tree_id)),
            actions=self._actions.of(run, principal),
        )

    def _seen(self, run_id: str | None, principal: Principal) -> Run | None:
        """None also for one that is no longer kept, or that this principal may not see."""
        run = None if run_id is None else self.store.runs.get(run_id)
        return run if run is not None and self.may_read(run, principal) else None

    def executed(self, run: Run) -> Executed:
        """What the run executed, and what the runbook is now.

        Raises NotFoundError where the document is no longer kept.
        """
        document = self.store.documents.get(run.runbook.digest)
        if document is None:
            raise NotFoundError("The document that was executed is no longer kept.")
        try:
            current = self.entry(run.ref).document.digest
        except NotFoundError:
            current = None
        return Executed(run.runbook.digest, document.content, current)

    def runs(
        self, principal: Principal, wanted: RunFilter, *, cursor: str | None, limit: int
    ) -> RunPage:
        """A page of runs, newest first. A script sees those of its own tree only.

        Raises AccessDeniedError for who may read no runs.
        """
        self.authorizer.require(principal, Permission.RUN_READ)
        wanted = self.authorizer.narrowed(principal, wanted)
        return self.store.runs.page(wanted, cursor=cursor, limit=limit)

    def audit_events(
        self, principal: Principal, wanted: AuditFilter, *, cursor: int | None, limit: int
    ) -> AuditPage:
        """A page of the audit trail, newest first. Raises AccessDeniedError."""
        self.authorizer.require(principal, Permission.AUDIT_READ)
        return self.store.audit.page(wanted, cursor=cursor, limit=limit)

    def record_shutdown(self, principal: Principal) -> None:
        """Record who shuts the server down. Raises AccessDeniedError, and what the store raises."""
        self.authorizer.require(principal, Permission.SERVER_SHUTDOWN)
        target = Target(TargetKind.SERVER, host_name())
        event = NewAuditEvent(actor_of(principal), AuditAction.SERVER_SHUTDOWN, target)
        self.store.audit.record(event)

    def follow(
        self, run_id: str, *, after: int = 0, heartbeat_s: float = HEARTBEAT_SECONDS
    ) -> Iterator[RunEvent | None]:
        """The run's events after number `after`, up to and including `done`.

        Yields None where `heartbeat_s` passed without an event. Ends early only if the run is
        deleted meanwhile, or had ended before `after`.
        """
        quiet_since = time.monotonic()
        patience = 0.0  # who asks for what follows the end shall not wait for it
        with self.parts.wakeups.following(run_id) as news:
            while True:
                news.clear()
                events = self.store.events.after(run_id, n=after)
                for event in events:
                    yield event
                    after = event.n
                    if event.type is EventType.DONE:
                        return
                if events:
                    quiet_since = time.monotonic()
                elif not news.wait(patience) and self._is_gone(run_id, after):
                    return
                patience = min(POLL_SECONDS, heartbeat_s)
                if time.monotonic() - quiet_since >= heartbeat_s:
                    quiet_since = time.monotonic()
                    yield None

    def _is_gone(self, run_id: str, after: int) -> bool:
        """Deleted, or ended with every event read: nothing more will come."""
        run = self.store.runs.get(run_id)
        return run is None or (run.status.terminal and after >= run.log.last_event)

    def may_read(self, run: Run, principal: Principal) -> bool:
        return self.authorizer.can(principal, Permission.RUN_READ, run).allowed

    # -- executing -----------------------------------------------------------------------------

    def execute(self, claimed: Claimed, worker_id: str, stop: Stop) -> None:
        """Execute a claimed run in this thread, to its recorded end."""
        if claimed.busy is not None:
            stop.close()
            self._end_unstarted(claimed.run, worker_id, _busy(claimed.run, claimed.busy))
            return
        try:
            execution = Execution(self.parts, claimed, worker_id, stop, self._automatic_undo)
        except RunbookError as error:  # its document or its inputs cannot be had back
            stop.close()
            self._end_unstarted(claimed.run, worker_id, problem_of(error))
        else:
            execution.execute()

    def _end_unstarted(self, run: Run, worker_id: str, problem: Problem) -> None:
        text = problem.message
        log.warning("run.not_started", run_id=run.id, runbook=run.ref, error=text)
        event = NewEvent(self.parts.clock(), EventType.STDERR, text=text, line=1, offset=0)
        outcome = Outcome(RunStatus.FAILED, return_codes.FAILED, errors=(problem,))
        output = RecordedOutput(stderr=text)
        self.parts.ending.end(run, outcome, output, [event], worker_id=worker_id)

    def end_forgotten(self, worker_id: str, executing: Collection[str]) -> None:
        """End what a worker owns but no longer executes, since its store failed at the end."""
        reaper = self._reaper()
        for run in self.store.workers.unfinished(worker_id):
            if run.status is RunStatus.RUNNING and run.id not in executing:
                reaper.end(run)

    def _reaper(self) -> Reaper:
        parts = self.parts
        return Reaper(parts.store, parts.records, parts.ending, parts.clock)

    def reap(self) -> int:
        """End the runs whose worker is gone; see Reaper."""
        return self._reaper().reap()


def _busy(run: Run, holder: Holder) -> Problem:
    """Why a run fails that does not get a lock. One that waits for locks would do so for ever."""
    text = f"Lock {holder.lock} is {held_text(holder)}"
    params = holder_params(holder)
    if run.request.locks is None or not run.request.locks.waits:
        return Problem("lock_held", text, params=params)
    text += "; it waits in turn for a lock of this run's callers: both would wait for ever"
    return Problem("deadlock", text, params=params)

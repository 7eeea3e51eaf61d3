"""The engine: the one pipeline behind HTTP API, command line and workers.

submit (see Submission) -> claim, execute, record (see WorkerDesk) -> read, follow (see RunReader).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from functools import cached_property
from typing import TYPE_CHECKING

from runbook import log
from runbook.core.access import Principal
from runbook.core.audit import AuditAction, NewAuditEvent, Target, TargetKind, actor_of, run_event
from runbook.core.events import RunEvent
from runbook.core.permissions import Permission
from runbook.core.run import Run
from runbook.engine.actions import ActionRules
from runbook.engine.activity import Live
from runbook.engine.authorization import Authorizer
from runbook.engine.form_choices import FormChoices
from runbook.engine.options import EngineOptions
from runbook.engine.parts import Parts
from runbook.engine.process.run import Stop
from runbook.engine.record.configuration import Configuration, record_configuration
from runbook.engine.requests import ExecuteRequest, Report, Submitted, UndoPlan
from runbook.engine.reruns.automatic import AutomaticUndo
from runbook.engine.reruns.recovery import Recovering
from runbook.engine.reruns.reruns import Reruns
from runbook.engine.reruns.rules import RerunRules
from runbook.engine.runbooks import RunbookReader
from runbook.engine.runs import HEARTBEAT_SECONDS, RunReader
from runbook.engine.status import Health
from runbook.engine.submit.inheritance import masked_for
from runbook.engine.submit.input_facts import InputKnowledge
from runbook.engine.submit.submission import Submission
from runbook.engine.upkeep import Upkeep
from runbook.engine.wakeups import CANCEL, Role, Wakeups
from runbook.engine.workers import WorkerDesk
from runbook.host.identity import host_name
from runbook.store.models import AuditFilter, AuditPage, Claimed
from runbook.store.store import Store

if TYPE_CHECKING:
    from runbook.engine.adopting import HistoryAdoption
    from runbook.engine.connections.connections import Connections
    from runbook.engine.fanout.fanouts import Fanouts
    from runbook.engine.inventory.inventory import Inventory

FORM_HEARTBEAT_SECONDS = 0.5


class Engine:
    """Requests to run, rerun and cancel, and access to everything else. Thread-safe.

    May be built before a fork and used after it. `parts` and `store` are for this package and
    for tests: other packages use the methods and the components below.
    """

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        self.choices = FormChoices(parts, self.submit, self._follow_form)
        knowledge = InputKnowledge(parts, self.choices)
        self._submission = Submission(parts, knowledge)
        self._rules = RerunRules(parts)
        self._reruns = Reruns(parts, self._submission, self._rules)
        self.runbooks = RunbookReader(parts, knowledge)
        self.runs = RunReader(parts, ActionRules(parts, self._rules))
        self.live = Live(parts)
        self.health = Health(parts)
        self.workers = WorkerDesk(parts, AutomaticUndo(parts, self._submission, self._rules))
        self.upkeep = Upkeep(parts)
        self._recovering = Recovering(parts, self._submission, self._rules)

    @property
    def store(self) -> Store:
        return self.parts.store

    @property
    def authorizer(self) -> Authorizer:
        return self.parts.authorizer

    @property
    def options(self) -> EngineOptions:
        return self.parts.options

    @cached_property
    def connections(self) -> Connections:
        # Imported late, as few commands use it.
        from runbook.engine.connections.connections import Connections

        parts = self.parts
        return Connections(
            parts.store,
            parts.authorizer,
            parts.connections,
            parts.clock,
            parts.options.search_path,
        )

    @cached_property
    def inventory(self) -> Inventory:
        from runbook.engine.inventory.inventory import Inventory

        parts = self.parts
        return Inventory(parts.store, parts.authorizer, parts.connections, parts.clock)

    @cached_property
    def fanouts(self) -> Fanouts:
        from runbook.engine.fanout.fanouts import Fanouts

        return Fanouts(self.parts, self.submit)

    @property
    def wakeups(self) -> Wakeups:
        """The wake-ups of this process in its role."""
        return self.parts.wakeups

    def open(self) -> None:
        """Migrate the database. Call once per start, before anything else.

        Raises StoreBusyError and StoreUnavailableError.
        """
        self.store.maintenance.migrate()

    def close(self) -> None:
        """Release files and connections."""
        self.wakeups.close()
        self.store.close()

    def worker_wakeups(self) -> Wakeups:
        """Wake-ups for a worker inside a process that has another role."""
        return Wakeups(self.options.data_dir / "wake", Role.WORKER)

    # -- requesting runs -----------------------------------------------------------------------

    def calling_run(self, principal: Principal) -> Run | None:
        """See Authorizer.calling_run."""
        return self.authorizer.calling_run(principal)

    def masked_for(self, principal: Principal, text: str) -> str:
        """A text that a script sent, without the secrets of its run."""
        return masked_for(self.parts, principal, text)

    def validate(self, ref: str, principal: Principal, request: ExecuteRequest) -> Report:
        """Check a request without starting a run.

        Raises NotFoundError, DocumentChangedError, and AccessDeniedError, which is recorded.
        """
        return self._submission.validate(ref, principal, request)

    def submit(self, ref: str, principal: Principal, request: ExecuteRequest) -> Submitted:
        """Record an attempt to execute, and queue it for a worker unless it has errors.

        The returned run may have ended already: if it is `invalid`, or an idempotent replay.
        Raises AccessDeniedError and QueueFullError, both recorded; NotFoundError,
        DocumentChangedError, IdempotencyKeyReusedError, StoreBusyError, StoreUnavailableError.
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
        """Cancel a run and the runs that it called. Does nothing to a run that has ended.

        Raises AccessDeniedError.
        """
        self.authorizer.require(principal, Permission.RUN_CANCEL, run)
        audit = run_event(AuditAction.RUN_CANCEL, run, principal)
        return self.request_cancel(run, principal.subject, audit)

    def request_cancel(self, run: Run, by: str, audit: NewAuditEvent | None = None) -> Run:
        """Cancel a run that this process executes itself, without asking for permission."""
        cancelled = self.store.runs.request_cancel(run.id, by, audit)
        if not cancelled.status.terminal:
            log.event("run.cancel_requested", run_id=run.id, by=by)
            self.wakeups.wake_workers(CANCEL)
        return cancelled

    # -- following and executing runs ----------------------------------------------------------

    def follow(
        self, run_id: str, *, after: int = 0, heartbeat_s: float = HEARTBEAT_SECONDS
    ) -> Iterator[RunEvent | None]:
        """See RunReader.follow."""
        return self.runs.follow(run_id, after=after, heartbeat_s=heartbeat_s)

    def _follow_form(self, run_id: str) -> Iterator[RunEvent | None]:
        """With short pauses, since somebody who fills in a form waits."""
        return self.runs.follow(run_id, heartbeat_s=FORM_HEARTBEAT_SECONDS)

    def execute(self, claimed: Claimed, worker_id: str, stop: Stop) -> None:
        """See WorkerDesk.execute."""
        self.workers.execute(claimed, worker_id, stop)

    def end_forgotten(self, worker_id: str, executing: Collection[str]) -> None:
        """End runs of a worker that it no longer executes; see WorkerDesk.forgotten."""
        self.workers.end_lost(self.workers.forgotten(worker_id, executing))

    def reap(self, *, everywhere: bool = False) -> int:
        """See WorkerDesk.reap."""
        return self.workers.reap(everywhere=everywhere)

    def start_recoveries(self) -> None:
        """See Recovering.start_due."""
        self._recovering.start_due()

    def adopt_history(self, ref: str, principal: Principal, reason: str) -> HistoryAdoption:
        """See adopting.adopt_history."""
        from runbook.engine.adopting import adopt_history

        return adopt_history(self.parts, ref, principal, reason)

    # -- the server ----------------------------------------------------------------------------

    def audit_events(
        self, principal: Principal, wanted: AuditFilter, *, cursor: int | None, limit: int
    ) -> AuditPage:
        """A page of the audit trail, newest first. Raises AccessDeniedError."""
        self.authorizer.require(principal, Permission.AUDIT_READ)
        return self.store.audit.page(wanted, cursor=cursor, limit=limit)

    def record_start(self, started: Configuration) -> None:
        """Record which settings and keys have changed since this host's last start."""
        record_configuration(self.store.audit, started)

    def record_shutdown(self, principal: Principal) -> None:
        """Record who shuts the server down. Raises AccessDeniedError, and what the store raises."""
        self.authorizer.require(principal, Permission.SERVER_SHUTDOWN)
        target = Target(TargetKind.SERVER, host_name())
        event = NewAuditEvent(actor_of(principal), AuditAction.SERVER_SHUTDOWN, target)
        self.store.audit.record(event)

"""Reading runs on behalf of a principal: lists, details, events, logs, artifacts."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from runbook.core.access import Principal
from runbook.core.events import EventType, RunEvent
from runbook.core.outcome import Artifact
from runbook.core.permissions import Permission
from runbook.core.run import Run
from runbook.core.run_details import RunDetails
from runbook.engine.actions import ActionRules
from runbook.engine.parts import Parts
from runbook.engine.requests import Executed
from runbook.errors import NotFoundError
from runbook.store.log.logs import Logs
from runbook.store.models import RunFilter, RunPage

POLL_SECONDS = 1.0
HEARTBEAT_SECONDS = 15.0
SHOWN_RERUNS = 100
SHOWN_BELOW = 200


class RunReader:
    """`Engine.runs`. Methods that take a `Run` don't check access: `get` has. Thread-safe."""

    def __init__(self, parts: Parts, actions: ActionRules) -> None:
        self._parts = parts
        self._store = parts.store
        self._authorizer = parts.authorizer
        self._actions = actions

    @property
    def logs(self) -> Logs:
        """Logs by run id: their size, byte ranges, lines, matches."""
        return self._store.logs

    def get(self, run_id: str, principal: Principal) -> Run:
        """Raises NotFoundError, also if the principal may not read the run."""
        run = self._store.runs.get(run_id)
        if run is None or not self.may_read(run, principal):
            raise NotFoundError("There is no such run, or you may not see it.")
        return run

    def history_entry(self, run: Run) -> bytes:
        """The history entry of an ended run, for output rather than for its runbook."""
        return self._parts.records.printable_entry(run)

    def may_read(self, run: Run, principal: Principal) -> bool:
        return self._authorizer.can(principal, Permission.RUN_READ, run).allowed

    def page(
        self, principal: Principal, wanted: RunFilter, *, cursor: str | None, limit: int
    ) -> RunPage:
        """A page of runs, newest first. Scripts see the runs of their own tree only.

        Raises AccessDeniedError without run.read.
        """
        self._authorizer.require(principal, Permission.RUN_READ)
        wanted = self._authorizer.narrowed(principal, wanted)
        return self._store.runs.page(wanted, cursor=cursor, limit=limit)

    def details(self, run: Run, principal: Principal) -> RunDetails:
        """The run with its steps, artifacts, available actions and visible relatives."""
        store = self._store
        readable = self._authorizer.readable
        below = store.runs.below(run.id, SHOWN_BELOW + 1)
        return RunDetails(
            run,
            steps=tuple(store.steps.of(run.id)),
            summary=store.runs.summary(run.id),
            artifacts=tuple(store.artifacts.of(run.id)),
            effects=tuple(store.effects.of(run.id)),
            connections=store.connections.used_by(run.id),
            devices=store.devices.of_run(run.id),
            fanouts=store.devices.fanouts_of(run),
            parent=self._visible(run.tree.parent_id, principal),
            related=self._visible(run.related_id, principal),
            reruns=readable(principal, store.runs.reruns(run.id))[-SHOWN_RERUNS:],
            below=readable(principal, below[-SHOWN_BELOW:]),
            more_below=len(below) > SHOWN_BELOW,
            actions=self._actions.of(run, principal),
        )

    def _visible(self, run_id: str | None, principal: Principal) -> Run | None:
        """None if the run was deleted or the principal may not see it."""
        run = None if run_id is None else self._store.runs.get(run_id)
        return run if run is not None and self.may_read(run, principal) else None

    def current(self, run: Run) -> Run | None:
        """The run as it is now; None if it was deleted."""
        return self._store.runs.get(run.id)

    def executed(self, run: Run) -> Executed:
        """The document that the run executed, and the digest of the runbook as it is now.

        Raises NotFoundError if the document is no longer stored.
        """
        document = self._store.documents.get(run.runbook.digest)
        if document is None:
            raise NotFoundError("The document that was executed is no longer stored.")
        try:
            current = self._parts.catalog.get(run.ref).document.digest
        except NotFoundError:
            current = None
        return Executed(run.runbook.digest, document.content, current)

    def artifacts(self, run: Run) -> Sequence[Artifact]:
        return self._store.artifacts.of(run.id)

    def artifact_path(self, run: Run, name: str) -> Path:
        """The file of one of the run's artifacts."""
        return self._parts.artifacts.path(run.id, name)

    def events(self, run_id: str, *, after: int = 0) -> Sequence[RunEvent]:
        """The next stored events after number `after`; empty if there are none yet."""
        return self._store.events.after(run_id, n=after)

    def follow(
        self, run_id: str, *, after: int = 0, heartbeat_s: float = HEARTBEAT_SECONDS
    ) -> Iterator[RunEvent | None]:
        """Stream the run's events after number `after`, up to and including `done`.

        Yields None whenever `heartbeat_s` has passed without an event. Ends early only if the run
        is deleted meanwhile, or ended before `after`.
        """
        quiet_since = time.monotonic()
        patience = 0.0  # a run that has ended already is not waited for
        with self._parts.wakeups.following(run_id) as news:
            while True:
                news.clear()
                events = self.events(run_id, after=after)
                for event in events:
                    yield event
                    after = event.n
                    if event.type is EventType.DONE:
                        return
                if events:
                    quiet_since = time.monotonic()
                elif not news.wait(patience) and self._is_over(run_id, after):
                    return
                patience = min(POLL_SECONDS, heartbeat_s)
                if time.monotonic() - quiet_since >= heartbeat_s:
                    quiet_since = time.monotonic()
                    yield None

    def _is_over(self, run_id: str, after: int) -> bool:
        """Whether no more events will come: the run was deleted, or all have been read.

        The run's own number of its last event doesn't count: a damaged run may lack events.
        """
        run = self._store.runs.get(run_id)
        return run is None or (run.status.terminal and not self.events(run_id, after=after))

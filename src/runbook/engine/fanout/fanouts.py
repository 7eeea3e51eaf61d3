"""Fan-outs: one child run per device, as many at once as allowed.

A script plans a fan-out, then advances it until it is over. Nothing is kept between two such
requests but what the store has, so any process can answer the next one, also after a restart.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from dataclasses import replace

from runbook import log
from runbook.core.access import Principal
from runbook.core.audit import AuditAction, run_event
from runbook.core.fanout.device_locks import device_lock
from runbook.core.fanout.limits import WhenBusy
from runbook.core.fanout.progress import BUSY, DeviceState, next_starts
from runbook.core.fanout.views import (
    Advanced,
    CountedFanout,
    Fanout,
    FanoutDevice,
    FanoutPage,
    FanoutPlace,
)
from runbook.core.permissions import Permission
from runbook.core.run import Run
from runbook.core.status import StepStatus
from runbook.engine.fanout.planning import checked_devices, checked_limits, device_input
from runbook.engine.fanout.requests import ChildInputs, FanoutPlan
from runbook.engine.parts import Parts
from runbook.engine.requests import ExecuteRequest, Submitted
from runbook.errors import (
    ConflictError,
    NotFoundError,
    RequestError,
    RunbookError,
    StoreBusyError,
    StoreUnavailableError,
)

Submit = Callable[[str, Principal, ExecuteRequest], Submitted]

WAIT_SECONDS = 5.0
"""How long a request waits for the next change."""
POLL_SECONDS = 1.0


class Fanouts:
    """`Engine.fanouts`. Thread-safe."""

    def __init__(self, parts: Parts, submit: Submit) -> None:
        self._parts = parts
        self._store = parts.store
        self._submit = submit

    def plan(self, run: Run, principal: Principal, asked: FanoutPlan) -> CountedFanout:
        """Record what is to be done. Raises RequestError, NotFoundError and AccessDeniedError."""
        self._check_own(run, principal)
        entry = self._parts.runbooks.get(asked.ref)
        self._parts.authorizer.require(principal, Permission.RUNBOOK_READ, entry)
        devices = checked_devices(asked.devices)
        limits = checked_limits(asked, len(devices))
        given = device_input(entry.document.inputs, asked.input, asked.ref)
        place = FanoutPlace(self._step(run), asked.session, 1)
        now = self._parts.clock()

        def made(n: int) -> Fanout:
            return Fanout(run.seq, n, place, entry.ref, given, limits, asked.when_busy, now)

        fanout = self._store.fanouts.create(run, made, devices)
        self._parts.wakeups.wake_followers(run.id)
        log.event("fanout.planned", run_id=run.id, runbook=entry.ref, devices=len(devices))
        return CountedFanout(fanout, self._store.fanouts.counts(fanout))

    def advance(
        self,
        run: Run,
        n: int,
        principal: Principal,
        inputs: ChildInputs,
        *,
        wait_s: float = WAIT_SECONDS,
    ) -> Advanced:
        """Settle what has ended, and start what comes next. Waits a while for the next change.

        Raises what starting a run raises, unless it is about one device only.
        """
        self._check_own(run, principal)
        until = time.monotonic() + wait_s
        with self._parts.wakeups.following(run.id) as news:
            while True:
                news.clear()
                turn = _Turn(self._parts, self._submit, run, self._get(run, n), principal, inputs)
                done = turn.take()
                left = until - time.monotonic()
                if done.changes or done.over or left <= 0:
                    return done
                news.wait(min(POLL_SECONDS, left))

    def pause(self, run: Run, principal: Principal, *, paused: bool) -> None:
        """Start no more devices, or go on. What is running isn't affected.

        Raises AccessDeniedError, and ConflictError if the run has no fan-out that is going on.
        """
        self._parts.authorizer.require(principal, Permission.RUN_CANCEL, run)
        action = AuditAction.RUN_PAUSE if paused else AuditAction.RUN_CONTINUE
        audit = run_event(action, run, principal)
        if run.status.terminal or not self._store.fanouts.pause(run, paused=paused, audit=audit):
            raise ConflictError("The run has no fan-out that is going on.")
        log.event(action.value, run_id=run.id, by=principal.subject)
        self._parts.wakeups.wake_followers(run.id)

    def page(
        self,
        run: Run,
        *,
        states: Collection[DeviceState] = (),
        cursor: str | None = None,
        limit: int = 50,
    ) -> FanoutPage:
        """Who may see the run may see its devices. Raises RequestError for another cursor."""
        return self._store.fanouts.page(run, states=states, after=_after(cursor), limit=limit)

    def _get(self, run: Run, n: int) -> Fanout:
        fanout = self._store.fanouts.get(run, n)
        if fanout is None:
            raise NotFoundError("The run has no such fan-out.")
        return fanout

    def _check_own(self, run: Run, principal: Principal) -> None:
        """Only the script of a run fans out for it."""
        self._parts.authorizer.calling_run(principal)
        if principal.run_id != run.id:
            raise NotFoundError("Only the script of a run can fan out for it.")

    def _step(self, run: Run) -> int:
        """The number of the running step; 0 for a script without steps."""
        running = (
            step.n for step in self._store.steps.of(run.id) if step.status is StepStatus.RUNNING
        )
        return next(running, 0)


class _Turn:
    """One look at a fan-out, by a request of its script."""

    def __init__(
        self,
        parts: Parts,
        submit: Submit,
        run: Run,
        fanout: Fanout,
        principal: Principal,
        inputs: ChildInputs,
    ) -> None:
        self._parts = parts
        self._fanouts = parts.store.fanouts
        self._submit = submit
        self._run = run
        self._fanout = fanout
        self._principal = principal
        self._inputs = inputs

    def take(self) -> Advanced:
        fanout = self._fanout
        changes = list(self._fanouts.settle(fanout))
        changes += self._start_all(self._fanouts.unstarted(fanout))
        while True:
            counts = self._fanouts.counts(fanout)
            coming = next_starts(fanout.limits, counts, paused=fanout.paused)
            if not coming.start:
                break
            turn = self._fanouts.take(fanout, coming.start)
            if not turn.starting and not turn.skipped:
                break  # another request was faster
            changes += [*turn.skipped, *self._start_all(turn.starting)]
        if coming.over:
            self._fanouts.finish(fanout, coming.stopped)
        return Advanced(CountedFanout(fanout, counts), changes, coming.stopped, coming.over)

    def _start_all(self, devices: Collection[FanoutDevice]) -> list[FanoutDevice]:
        return [self._start(device) for device in devices]

    def _start(self, device: FanoutDevice) -> FanoutDevice:
        """Submit the device's child run. Submitting it again leads to the same run."""
        fanout, busy = self._fanout, self._skipped_as_busy(device)
        if busy is not None:
            self._fanouts.change(fanout, busy)
            return busy
        request = ExecuteRequest(
            env_vars={**self._inputs.env_vars, fanout.input: device.device},
            confirm=self._inputs.confirm,
            recursion_stack=self._inputs.recursion_stack,
            idempotency_key=f"fanout:{fanout.n}:{device.place}",
            locks=device_lock(device.device, fanout.when_busy),
        )
        try:
            child = self._submit(fanout.ref, self._principal, request).run
        except (StoreBusyError, StoreUnavailableError):
            raise  # it is submitted by the next request
        except RunbookError:
            self._fanouts.change(fanout, replace(device, state=DeviceState.PENDING))
            raise
        self._fanouts.attach(fanout, device, child.id)
        return replace(device, run_id=child.id)

    def _skipped_as_busy(self, device: FanoutDevice) -> FanoutDevice | None:
        """The device as skipped if another run works on it, and nobody is to wait for that.

        Only saves a run: if it begins a moment later, the child run fails for this reason.
        """
        if self._fanout.when_busy is WhenBusy.WAIT or self._run.request.dry_run:
            return None
        (want,) = device_lock(device.device, WhenBusy.SKIP).wants
        held = self._parts.store.locks.holder(want)
        holder = None if held is None else self._parts.store.runs.get(held.run_id)
        if held is None or holder is None or holder.tree_id == self._run.tree_id:
            return None
        now = self._parts.clock()
        return replace(
            device, state=DeviceState.SKIPPED, code=BUSY, message=held.text, finished_at=now
        )


def _after(cursor: str | None) -> tuple[int, int]:
    if cursor is None:
        return 0, 0
    n, _, place = cursor.partition(".")
    if (
        not (n.isascii() and n.isdigit() and place.isascii() and place.isdigit())
        or len(cursor) > 20
    ):
        raise RequestError("cursor must be the next_cursor of an earlier page")
    return int(n), int(place)

"""Choices for the inputs of a form, from runbooks that are run for them.

They run like any other, as the caller, and are recorded; but the workers have separate slots
for them, no history gets an entry, and lists of runs leave them out.
"""

from __future__ import annotations

import posixpath
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from runbook.core.access import Principal
from runbook.core.document import Input, LiveChoices, Runbook
from runbook.core.events import EventType, RunEvent
from runbook.core.inputs.choices import Choices, choices_not_allowed, choices_not_found
from runbook.core.inputs.live_choices import (
    Offered,
    asked_values,
    choices_failed,
    choices_lacking,
    lacking_inputs,
    read_output,
)
from runbook.core.permissions import Permission
from runbook.core.run import Purpose, Run
from runbook.core.status import RunStatus
from runbook.engine.parts import Parts
from runbook.engine.requests import ExecuteRequest, Submitted
from runbook.engine.wakeups import CANCEL
from runbook.errors import NotFoundError, QueueFullError
from runbook.library.catalog import Entry
from runbook.quick_dataclass import dataclass

RUN_SECONDS = 10.0
WAIT_SECONDS = 15.0
"""For a slot and the run."""
OUTPUT_LIMIT = 256 * 1024
REMEMBERED = 256
GAVE_UP = "nobody waiting for its choices"

Submit = Callable[[str, Principal, ExecuteRequest], Submitted]
Follow = Callable[[str], Iterator[RunEvent | None]]
Executing = Callable[[Callable[[str | None], Run]], Run]
"""Calls the given function, which submits a run for a worker or any, and has the run executed."""


@dataclass(frozen=True, slots=True)
class _Kept:
    offered: Offered
    at: float


class _Question:
    """One that is being asked, for others with the same one."""

    def __init__(self, item: Input, ref: str) -> None:
        self.answered = threading.Event()
        self.offered = Offered(problem=choices_failed(item, ref, "the engine failed"))


def _by_any_worker(submit: Callable[[str | None], Run]) -> Run:
    return submit(None)


class FormChoices:
    """Runs runbooks for their choices, and remembers those for a while. Thread-safe.

    The same choices are never asked for twice at a time. `executing` is set by processes that
    execute runs themselves.
    """

    def __init__(self, parts: Parts, submit: Submit, follow: Follow) -> None:
        self._parts = parts
        self._submit = submit
        self._follow = follow
        self._lock = threading.Lock()
        self._kept: OrderedDict[object, _Kept] = OrderedDict()
        self._asking: dict[object, _Question] = {}
        self.executing: Executing = _by_any_worker

    def valid(
        self,
        ref: str,
        principal: Principal,
        item: Input,
        live: LiveChoices,
        above: Mapping[str, str],
    ) -> Choices:
        """The only valid values of an input of runbook `ref`, or why they are unknown."""
        offered = self.offered(ref, principal, item, live, above)
        if offered.problem is not None:
            return offered.problem
        if not offered.choices:
            return choices_failed(item, live.ref, f"{live.ref} found none")
        return tuple(choice.value for choice in offered.choices)

    def offered(
        self,
        ref: str,
        principal: Principal,
        item: Input,
        live: LiveChoices,
        above: Mapping[str, str],
        *,
        anew: bool = False,
    ) -> Offered:
        """The choices, given the values of the inputs above; `anew` ignores remembered ones."""
        source = self._find(ref, live.ref)
        if source is None:
            return Offered(problem=choices_not_found(item, live))
        decision = self._parts.authorizer.can(principal, Permission.RUNBOOK_EXECUTE, source)
        if not decision.allowed:
            missing = tuple(map(str, decision.missing))
            return Offered(problem=choices_not_allowed(item, live, missing))
        runbook = source.document.runbook
        if runbook is None or not runbook.policy.provides_choices:
            reason = f"{source.ref} doesn't provide choices"
            hint = f"Correct it: `runbook lint {source.ref}` says what is wrong"
            return Offered(problem=choices_failed(item, live.ref, reason, hint))
        lacking = lacking_inputs(live, above, runbook.inputs)
        if lacking:
            return Offered(problem=choices_lacking(item, live.ref, lacking))
        values = asked_values(live, above)
        key = _key(source, values, principal, item)
        kept = None if anew else self._remembered(key, live.ttl_s)
        return kept or self._asked(key, source, runbook, values, principal, item)

    def _find(self, ref: str, wanted: str) -> Entry | None:
        """The runbook at a path below the folder of `ref`, else below the runbooks directory."""
        beside = posixpath.normpath(posixpath.join(posixpath.dirname(ref), wanted))
        for candidate in (beside, wanted):
            try:
                return self._parts.runbooks.get(candidate)
            except NotFoundError:
                continue
        return None

    def _remembered(self, key: object, ttl_s: float) -> Offered | None:
        with self._lock:
            kept = self._kept.get(key)
            if kept is None or time.monotonic() - kept.at >= ttl_s:
                return None
            self._kept.move_to_end(key)
            return replace(kept.offered, cached=True)

    def _asked(
        self,
        key: object,
        source: Entry,
        runbook: Runbook,
        values: Mapping[str, str],
        principal: Principal,
        item: Input,
    ) -> Offered:
        """Ask, or wait for the answer to another thread that is asking."""
        with self._lock:
            other = self._asking.get(key)
            if other is None:
                mine = self._asking[key] = _Question(item, source.ref)
        if other is not None:
            other.answered.wait()
            return other.offered
        try:
            mine.offered = self._run(source, runbook, values, principal, item)
        finally:
            with self._lock:
                del self._asking[key]
                if mine.offered.run_id is not None and mine.offered.problem is None:
                    self._kept[key] = _Kept(mine.offered, time.monotonic())
                    self._kept.move_to_end(key)
                    while len(self._kept) > REMEMBERED:
                        self._kept.popitem(last=False)
            mine.answered.set()
        return mine.offered

    def _run(
        self,
        source: Entry,
        runbook: Runbook,
        values: Mapping[str, str],
        principal: Principal,
        item: Input,
    ) -> Offered:
        request = ExecuteRequest(
            env_vars=dict(values),
            timeout_s=min(runbook.policy.timeout_s or RUN_SECONDS, RUN_SECONDS),
            digest=source.document.digest,
            purpose=Purpose.CHOICES,
        )

        def submit(worker_id: str | None) -> Run:
            asked = replace(request, assigned_to=worker_id)
            return self._submit(source.ref, principal, asked).run

        try:
            run = self.executing(submit)
        except QueueFullError:
            reason = "too many forms are waiting for choices"
            return Offered(problem=choices_failed(item, source.ref, reason, "Try again"))
        stdout, stderr = self._output(run)
        ended = self._parts.store.runs.get(run.id)
        if ended is None or not ended.status.terminal:
            self._cancel(run)
            reason = f"{source.ref} took longer than {WAIT_SECONDS:.0f} s, or no worker was free"
            return Offered(problem=choices_failed(item, source.ref, reason), run_id=run.id)
        if ended.status is not RunStatus.SUCCEEDED:
            reason = f"{source.ref} {_why(ended, stderr)}"
            return Offered(problem=choices_failed(item, source.ref, reason), run_id=run.id)
        choices = None if len(stdout) > OUTPUT_LIMIT else read_output(item, stdout)
        if choices is None:
            reason = f"{source.ref} printed something else than a list of choices"
            return Offered(problem=choices_failed(item, source.ref, reason), run_id=run.id)
        return Offered(choices, run_id=run.id, read_at=ended.times.finished_at)

    def _output(self, run: Run) -> tuple[str, str]:
        """What the run prints until it ends or `WAIT_SECONDS` have passed."""
        texts: dict[EventType, list[str]] = {EventType.STDOUT: [], EventType.STDERR: []}
        size = 0
        until = time.monotonic() + WAIT_SECONDS
        for event in self._follow(run.id):
            if event is not None and event.type in texts and size <= OUTPUT_LIMIT:
                texts[event.type].append(event.text or "")
                size += len(event.text or "")
            if time.monotonic() >= until:
                break
        return "".join(texts[EventType.STDOUT]), "".join(texts[EventType.STDERR])

    def _cancel(self, run: Run) -> None:
        self._parts.store.runs.request_cancel(run.id, GAVE_UP)
        self._parts.wakeups.wake_workers(CANCEL)


def _key(source: Entry, values: Mapping[str, str], principal: Principal, item: Input) -> object:
    """Everything that the choices depend on."""
    who = (principal.subject, principal.access_key, principal.run_id)
    given = tuple(sorted(values.items()))
    return source.ref, source.document.digest, given, who, item.type


def _why(run: Run, stderr: str) -> str:
    """How a run ended, as the rest of a sentence: its last message, or its first error."""
    said = [line.strip() for line in stderr.splitlines() if line.strip()]
    told = [error.message for error in run.result.errors]
    if run.status is RunStatus.FAILED and said:
        return f"failed: {said[-1][:300]}"
    how = run.status.value.replace("_", " ")
    return f"{how}: {told[0][:300]}" if told else how

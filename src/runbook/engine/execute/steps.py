"""Runs the steps of a run in order: conditions, attempts, values handed over.

The end of a step is recorded before the next one starts, so that resuming after a crash never
repeats a completed step.
"""

from __future__ import annotations

import select
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Protocol

from runbook.core import return_codes
from runbook.core.document import Policy, Problem, Retry, Script
from runbook.core.events import EventType
from runbook.core.language.policy_rules import is_success, retry_of
from runbook.core.outcome import StepRun
from runbook.core.output.handover import Assignments
from runbook.core.reruns import Numbered
from runbook.core.status import StepStatus
from runbook.core.times import Millis
from runbook.engine.execute.handover import HandOverError
from runbook.engine.execute.recorder import Recorder
from runbook.engine.problems import problem_of
from runbook.engine.process.run import LONGEST_WAIT_S, Ended, ProcessStartError, Stop, StopReason
from runbook.engine.process.workspace import WorkspaceError
from runbook.quick_dataclass import dataclass

LEAST_S = 0.001
SECRET_NAME = "A name that was handed over holds a secret"  # noqa: S105 - a message

_STOPPED = {
    StopReason.TIMEOUT: StepStatus.TIMED_OUT,
    StopReason.CANCEL: StepStatus.CANCELLED,
    StopReason.DRAIN: StepStatus.INTERRUPTED,
    StopReason.STORE: StepStatus.INTERRUPTED,
}


class StepScripts(Protocol):
    """Runs the scripts of steps: see ScriptRunner."""

    def run_script(
        self, script: Script, variables: Mapping[str, str], timeout_s: float
    ) -> Ended: ...

    def take_env(self) -> Assignments: ...

    def take_outputs(self) -> Assignments: ...


@dataclass(slots=True)
class Values:
    """The values that steps use: inputs, and the variables and outputs handed over so far."""

    inputs: Mapping[str, str]
    variables: dict[str, str]
    outputs: dict[str, str]


@dataclass(frozen=True, slots=True)
class StepsEnd:
    """How the steps ended. `failed` is the failed step; None if all were completed.

    `problem` is an error other than the script's return code, if any.
    """

    return_code: int
    failed: Numbered | None = None
    stopped: StopReason | None = None
    step_timeout_s: float | None = None
    problem: Problem | None = None


class StepRunner:
    """Runs steps of one run. Times are monotonic seconds."""

    def __init__(
        self,
        scripts: StepScripts,
        recorder: Recorder,
        stop: Stop,
        policy: Policy,
        *,
        values: Values,
        deadline: float,
        clock: Callable[[], Millis],
        announced: bool,
    ) -> None:
        self._scripts = scripts
        self._recorder = recorder
        self._stop = stop
        self._policy = policy
        self._values = values
        self._deadline = deadline
        self._clock = clock
        self._announced = announced
        self.after_attempt: Callable[[bool], None] = lambda _counts: None
        """Takes what else a script handed over, unless it doesn't count: another try follows."""

    def restore(self, steps: Sequence[StepRun]) -> None:
        """Record the steps that an earlier run has completed."""
        for step in steps:
            self._recorder.step = step.n
            self._tell(step)

    def run(self, steps: Sequence[Numbered]) -> StepsEnd:
        """Run the steps until one fails."""
        end = StepsEnd(0)
        for numbered in steps:
            self._recorder.step = numbered.n if self._announced else None
            if not self._is_wanted(numbered):
                continue
            end = self._run_step(numbered)
            if end.failed is not None:
                break
        self._recorder.step = None
        return end

    def _is_wanted(self, numbered: Numbered) -> bool:
        """Whether all conditions hold. Otherwise the step is recorded as skipped."""
        for condition in numbered.step.conditions:
            if not condition.holds(self._values.inputs, self._values.outputs):
                now = self._clock()
                row = StepRun(numbered.n, numbered.step.name, StepStatus.SKIPPED, now, now)
                reason = f"{condition.text} does not hold"
                self._tell(replace(row, first_line=self._recorder.log_line), reason=reason)
                return False
        return True

    def _run_step(self, numbered: Numbered) -> StepsEnd:
        step, recorder = numbered.step, self._recorder
        begun = StepRun(
            numbered.n,
            step.name,
            StepStatus.RUNNING,
            self._clock(),
            first_line=recorder.log_line,
            last_line=recorder.log_line - 1,
        )
        self._tell(begun)
        recorder.save(wake=False)
        started = time.monotonic()
        end, begun = self._try(numbered, begun)
        recorder.end_step()
        took_ms = round((time.monotonic() - started) * 1000)
        end = self._hand_over(begun, end, numbered, took_ms)
        if end.failed is not None and step.continues and not self._is_over(end):
            return StepsEnd(0)
        return end

    def _try(self, numbered: Numbered, begun: StepRun) -> tuple[StepsEnd, StepRun]:
        """Run the script, with retries according to the policy. The last end, and the step then."""
        retry = retry_of(numbered.step, self._policy)
        while True:
            end = self._attempt(numbered)
            if begun.attempts >= retry.attempts or not self._may_repeat(end, retry):
                return end, begun
            pause_s = retry.backoff_s * 2 ** (begun.attempts - 1)
            if time.monotonic() + pause_s >= self._deadline:
                return end, begun
            self._recorder.end_step()
            self._discard_hand_over()
            self._tell_retry(begun, end, retry, pause_s)
            if self._is_stopped_within(pause_s):
                return replace(end, stopped=self._stop.reason), begun
            begun = replace(begun, attempts=begun.attempts + 1)

    def _is_stopped_within(self, pause_s: float) -> bool:
        # Not select(), which can't watch descriptors above 1023.
        poll = select.poll()
        poll.register(self._stop, select.POLLIN)
        until = time.monotonic() + pause_s
        while (left := until - time.monotonic()) > 0 and self._stop.reason is None:
            poll.poll(1000 * min(left, LONGEST_WAIT_S))
        return self._stop.reason is not None

    def _attempt(self, numbered: Numbered) -> StepsEnd:
        step = numbered.step
        left = max(LEAST_S, self._deadline - time.monotonic())
        own = step.timeout_s is not None and step.timeout_s < left
        timeout_s = step.timeout_s if own and step.timeout_s else left
        try:
            ended = self._scripts.run_script(step.script, self._values.variables, timeout_s)
        except (WorkspaceError, ProcessStartError, HandOverError) as error:
            self._recorder.message(error.message)
            return StepsEnd(return_codes.FAILED, numbered, problem=problem_of(error))
        timed_out = ended.stopped is StopReason.TIMEOUT
        failed = ended.stopped is not None or not is_success(ended.return_code, self._policy)
        return StepsEnd(
            ended.return_code,
            numbered if failed else None,
            ended.stopped,
            step.timeout_s if timed_out and own else None,
        )

    def _may_repeat(self, end: StepsEnd, retry: Retry) -> bool:
        if end.failed is None or end.problem is not None or self._is_over(end):
            return False
        return retry.codes is None or (end.stopped is None and end.return_code in retry.codes)

    def _is_over(self, end: StepsEnd) -> bool:
        """Whether the run was told to end, so that no further step starts."""
        if self._stop.reason is not None:
            return True
        return end.stopped is StopReason.TIMEOUT and end.step_timeout_s is None

    def _hand_over(
        self, begun: StepRun, end: StepsEnd, numbered: Numbered, took_ms: int
    ) -> StepsEnd:
        """Read the values that the step handed over. Unreadable ones make it fail."""
        env = self._named_openly(self._scripts.take_env())
        outputs = self._named_openly(self._scripts.take_outputs())
        self.after_attempt(True)
        self._values.variables.update(env.values)
        self._values.outputs.update(outputs.values)
        problem = env.problem or outputs.problem
        if problem is not None and end.failed is None:
            text = self._recorder.masked(problem)
            self._recorder.message(text)
            unusable = Problem(HandOverError.code, text)
            end = replace(end, return_code=return_codes.FAILED, failed=numbered, problem=unusable)
        ended = replace(
            begun,
            status=_status(end),
            finished_at=begun.started_at + took_ms,  # the clock may have jumped
            return_code=end.return_code,
            last_line=self._recorder.log_lines,
            env=self._kept(env.values),
            outputs=self._kept(outputs.values),
        )
        self._tell(ended)
        return end

    def _named_openly(self, found: Assignments) -> Assignments:
        """The values handed over. Fails if a name contains a secret: names are not masked."""
        mask_text = self._recorder.masker.mask_text
        if all(mask_text(name) == name for name in found.values):
            return found
        return Assignments(problem=SECRET_NAME)

    def _discard_hand_over(self) -> None:
        """Discard what a failed attempt handed over."""
        self._scripts.take_env()
        self._scripts.take_outputs()
        self.after_attempt(False)

    def _kept(self, values: Mapping[str, str]) -> dict[str, str | None]:
        """Values to record: None for those that contain a secret, without names that do."""
        return {
            name: value if self._recorder.may_keep(value) else None
            for name, value in values.items()
            if self._recorder.masked(name) == name
        }

    def _tell(self, step: StepRun, **more: object) -> None:
        """Record a step and tell followers, except for a script without steps."""
        if not self._announced:
            return
        self._recorder.keep_step(step)
        data: dict[str, object] = {"name": step.name, "state": _STATES[step.status], **more}
        if step.finished_at is not None and step.status is not StepStatus.SKIPPED:
            data |= {"status": step.status.value, "return_code": step.return_code}
        self._recorder.note(EventType.STEP, data)

    def _tell_retry(self, begun: StepRun, end: StepsEnd, retry: Retry, pause_s: float) -> None:
        if self._announced:
            data: dict[str, object] = {"name": begun.name, "state": "retrying"}
            data |= {"attempt": begun.attempts + 1, "pause_s": pause_s}
            self._recorder.add(EventType.STEP, data | {"return_code": end.return_code})
            return
        text = (
            f"Try {begun.attempts} of {retry.attempts} failed with return code "
            f"{end.return_code}; the next one follows in {pause_s:g} s"
        )
        self._recorder.add(EventType.NOTICE, {"message": text})


_STATES = dict.fromkeys(StepStatus, "ended") | {
    StepStatus.RUNNING: "started",
    StepStatus.SKIPPED: "skipped",
    StepStatus.RESTORED: "restored",
}


def _status(end: StepsEnd) -> StepStatus:
    if end.stopped is not None:
        return _STOPPED[end.stopped]
    return StepStatus.SUCCEEDED if end.failed is None else StepStatus.FAILED

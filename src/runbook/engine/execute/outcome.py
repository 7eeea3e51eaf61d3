"""Derives the outcome of a run from how its steps ended."""

from __future__ import annotations

from collections.abc import Callable

from runbook.core import return_codes
from runbook.core.document import Param, Problem
from runbook.core.outcome import Outcome
from runbook.core.reruns import Numbered
from runbook.core.status import RunStatus
from runbook.engine.execute.steps import StepsEnd
from runbook.engine.process.run import StopReason


def judge(
    end: StepsEnd, *, timeout_s: float, stepped: bool, cancelled: Callable[[], Problem]
) -> Outcome:
    """The outcome, without outputs. `cancelled` says who cancelled the run."""
    match end.stopped:
        case StopReason.TIMEOUT:
            return Outcome(
                RunStatus.TIMED_OUT, return_codes.TIMED_OUT, errors=(_timeout(end, timeout_s),)
            )
        case StopReason.CANCEL:
            code = end.return_code if end.return_code < 0 else return_codes.CANCELLED
            return Outcome(RunStatus.CANCELLED, code, errors=(cancelled(),))
        case StopReason.DRAIN:
            text = "The engine was stopped before the script ended"
            stopped = Problem("engine_stopped", text)
            return Outcome(RunStatus.INTERRUPTED, return_codes.UNKNOWN, errors=(stopped,))
        case StopReason.STORE:
            text = "The database was lost while the script ran, so the script was ended"
            lost = Problem("store_lost", text)
            return Outcome(RunStatus.INTERRUPTED, return_codes.UNKNOWN, errors=(lost,))
    if end.failed is None:
        return Outcome(RunStatus.SUCCEEDED, end.return_code)
    errors = [end.problem] if end.problem else []
    if stepped:
        text = f"{_named(end.failed)} failed with return code {end.return_code}"
        failed = Problem(
            "step_failed", text, params=_params(end.failed) | {"return_code": end.return_code}
        )
        errors.insert(0, failed)
    return Outcome(RunStatus.FAILED, end.return_code, errors=tuple(errors))


def _timeout(end: StepsEnd, timeout_s: float) -> Problem:
    if end.step_timeout_s is not None and end.failed is not None:
        text = f"{_named(end.failed)} timed out after {end.step_timeout_s:g} seconds"
        return Problem(
            "step_timed_out", text, params=_params(end.failed) | {"limit": end.step_timeout_s}
        )
    text = f"Script execution timed out after {timeout_s:g} seconds"
    return Problem("timed_out", text, params={"limit": timeout_s})


def _named(item: Numbered) -> str:
    return f"Step {item.n} '{item.step.name}'"


def _params(item: Numbered) -> dict[str, Param]:
    return {"step": item.step.name, "n": item.n}

"""Describes a run's events in one line each, for the terminal and for frames of called runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

Json = Mapping[str, Any]

NO_DRY_RUN = "no_dry_run"


def told(event: Json) -> str | None:
    """An event in its JSON form as one line; None for output and events without a message."""
    teller = _TELLERS.get(str(event.get("type")))
    return None if teller is None else teller(event)


def progress_line(percent: float | None, text: str) -> str:
    """`40% Cloning disk`"""
    if percent is None:
        return text
    return f"{percent:g}% {text}" if text else f"{percent:g}%"


def ending(done: Json) -> str:
    """`failed with return code 3`: how a run ended, from its JSON or its `done` event."""
    if was_not_executed(done):
        return "not executed: this runbook does not support dry runs"
    dry, status = done.get("dry_run"), done.get("status")
    if dry and status == "succeeded":
        return f"dry run completed (plan: {done.get('label') or 'unknown'})"
    code = f" with return code {done.get('return_code')}" if status == "failed" else ""
    return f"{status}{code}{' (dry run)' if dry else ''}"


def status_shown(run: Json) -> str:
    """The status in a list of runs: that of a dry run says so."""
    if was_not_executed(run):
        return "not executed"
    status = str(run.get("status"))
    if not run.get("dry_run"):
        return status
    return "dry run completed" if status == "succeeded" else f"{status} (dry run)"


def was_not_executed(run: Json) -> bool:
    """Whether it was a dry run of a runbook that supports none. Its status is `succeeded`."""
    problems = run.get("problems")
    codes = {problem.get("code") for problem in problems} if isinstance(problems, list) else ()
    return bool(run.get("dry_run")) and NO_DRY_RUN in codes


def _step(event: Json) -> str | None:
    name, number, reason = event.get("name"), event.get("step"), event.get("reason")
    match event.get("state"):
        case "started":
            return f"step {number}: {name}"
        case "ended" if _failed(event):
            return f"step {number}: {name} failed with return code {event.get('return_code')}"
        case "skipped":
            return f"step {number}: {name} skipped" + (f": {reason}" if reason else "")
        case "retrying":
            return f"step {number}: {name}: retrying{_pause(event)}{_attempt(event)}"
        case "restored":
            return f"step {number}: {name} completed by an earlier run"
    return None


def _failed(event: Json) -> bool:
    """By status if there is one: a return code other than 0 may be a success."""
    status = event.get("status")
    return event.get("return_code") not in (None, 0) if status is None else status == "failed"


def _pause(event: Json) -> str:
    pause = event.get("pause_s")
    return f" in {pause:g} s" if isinstance(pause, int | float) else ""


def _attempt(event: Json) -> str:
    attempt = event.get("attempt")
    return f" (attempt {attempt})" if attempt is not None else ""


def _child(event: Json) -> str | None:
    """A run that the engine started. Called runs print their own frames."""
    if event.get("relation") is None:
        return None
    run = f"run {event.get('run_id')}"
    if event.get("state") == "started":
        return f"{event.get('relation')} of the completed steps: {run}"
    return f"{event.get('relation')} {event.get('status')}: {run}"


def _progress(event: Json) -> str | None:
    return progress_line(event.get("percent"), str(event.get("text") or "")) or None


def _plan(event: Json) -> str | None:
    if "preview" in event:
        return None
    return f"plan ({event.get('label')}): {event.get('text')}"


_TELLERS: Mapping[str, Callable[[Json], str | None]] = {
    "step": _step,
    "progress": _progress,
    "plan": _plan,
    "waiting": lambda event: f"waiting: {event.get('reason') or 'for a lock'}",
    "notice": lambda event: str(event.get("message")),
    "child": _child,
}

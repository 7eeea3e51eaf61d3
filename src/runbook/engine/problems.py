"""Converts errors to problems and back."""

from __future__ import annotations

from runbook.core.document import Param, Problem
from runbook.errors import ConflictError, RunbookError


def problem_of(error: RunbookError, text: str | None = None) -> Problem:
    """The problem recorded with a run: the one that the error carries, else one made of it."""
    match error.details.get("problems"):
        case (Problem() as problem, *_):
            return problem
    return Problem(error.code, text or error.message, params=error.params)


def conflict(code: str, text: str, **params: Param) -> ConflictError:
    """The error of an action that the run's state doesn't allow; `code` names the rule."""
    return ConflictError(text, problems=(Problem(code, text, params=params),))


def already_rerun(run_id: str) -> ConflictError:
    """Another run has resumed this one, or is undoing it: only one at a time may."""
    text = f"Run {run_id} has resumed this run, or is undoing it: use that run instead."
    return conflict("already_rerun", text, run_id=run_id)

"""Errors as problems, and the other way round."""

from __future__ import annotations

from runbook.core.document import Param, Problem
from runbook.errors import ConflictError, RunbookError


def problem_of(error: RunbookError, text: str | None = None) -> Problem:
    """An error as a run records it: the problem that it was raised for, where it says one."""
    match error.details.get("problems"):
        case (Problem() as problem, *_):
            return problem
    return Problem(error.code, text or error.message, params=error.params)


def conflict(code: str, text: str, **params: Param) -> ConflictError:
    """What the state of a run does not allow; `code` says which rule of it."""
    return ConflictError(text, problems=(Problem(code, text, params=params),))

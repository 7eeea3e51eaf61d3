"""Names in a request that the API doesn't know, and suggestions."""

from __future__ import annotations

from collections.abc import Iterable

from runbook.core.document import Problem
from runbook.core.syntax.unknown_keys import did_you_mean

MAX_CHARACTERS = 80


def unknown_member(name: str, known: Iterable[str]) -> Problem:
    """The problem for a member of the body that is not in `known`."""
    shown, hint = name[:MAX_CHARACTERS], _hint(name, known, "members")
    # Clients that show only the text need the suggestion too.
    text = f"Unknown member '{shown}'. {hint}"
    return Problem("unknown_member", text, hint=hint, params={"member": shown})


def unknown_parameter(name: str, known: Iterable[str]) -> Problem:
    """The problem for a query parameter that is not in `known`."""
    shown, hint = name[:MAX_CHARACTERS], _hint(name, known, "query parameters")
    text = f"Unknown query parameter '{shown}'. {hint}"
    return Problem("unknown_parameter", text, hint=hint, params={"parameter": shown})


def _hint(name: str, known: Iterable[str], kind: str) -> str:
    known = tuple(known)
    return did_you_mean(name, known) if known else f"This request takes no {kind}"

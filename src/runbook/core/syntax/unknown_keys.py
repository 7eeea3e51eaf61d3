"""Unknown keys in a YAML mapping, and suggestions."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from runbook.core.document import Problem, Severity
from runbook.core.syntax.yaml_subset import Scalar

MEANT_CHARACTERS = 80
"""Maximum number of characters to compare: comparing takes quadratic time."""


def unknown_key(key: Scalar, known: Iterable[str], severity: Severity = Severity.ERROR) -> Problem:
    """The problem for a key that is not in `known`, with a suggestion."""
    known = tuple(known)
    return Problem(
        "unknown_key",
        f"Unknown key '{key.raw[:80]}'",
        key.line,
        severity,
        did_you_mean(key.raw, known),
        params={"key": key.raw[:80]},
    )


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A hint: the closest known word, or all of them."""
    known = tuple(known)
    close = most_like(word, known)
    return f"Did you mean {close}?" if close else f"Use one of: {', '.join(known)}"


def most_like(word: str, known: Iterable[str]) -> str | None:
    """The known word that was probably meant, ignoring case."""
    lowered = {item.lower(): item for item in known}
    close = get_close_matches(word[:MEANT_CHARACTERS].lower(), lowered, n=1)
    return lowered[close[0]] if close else None

"""Keys of a YAML mapping that are not known."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from runbook.core.document import Problem, Severity
from runbook.core.syntax.yaml_subset import Scalar

MEANT_CHARACTERS = 80
"""How much of a word is compared: comparing takes the square of it."""


def unknown_key(key: Scalar, known: Iterable[str], severity: Severity = Severity.ERROR) -> Problem:
    """The problem of a key that is none of `known`, with the one that was probably meant."""
    known = tuple(known)
    return Problem(
        "unknown_key",
        f"'{key.raw[:80]}' is not known here",
        key.line,
        severity,
        did_you_mean(key.raw, known),
        params={"key": key.raw[:80]},
    )


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A hint: the known word that is most like `word`, else all of them."""
    known = tuple(known)
    close = most_like(word, known)
    return f"Did you mean {close}?" if close else f"Known: {', '.join(known)}"


def most_like(word: str, known: Iterable[str]) -> str | None:
    """The known word that was probably meant, whatever the case of its letters."""
    lowered = {item.lower(): item for item in known}
    close = get_close_matches(word[:MEANT_CHARACTERS].lower(), lowered, n=1)
    return lowered[close[0]] if close else None

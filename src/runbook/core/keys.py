"""Keys of a YAML mapping that are not known."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from runbook.core.document import Problem, Severity
from runbook.core.yaml_subset import Scalar


def unknown_key(key: Scalar, known: Iterable[str], severity: Severity = Severity.ERROR) -> Problem:
    """The problem of a key that is none of `known`, with the one that was probably meant."""
    known = tuple(known)
    return Problem(
        "unknown_key",
        f"'{key.raw[:80]}' is not known here",
        key.line,
        severity,
        did_you_mean(key.raw, known),
    )


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A hint: the known word that is most like `word`, else all of them."""
    known = tuple(known)
    lowered = {item.lower(): item for item in known}
    close = get_close_matches(word.lower(), lowered, n=1)
    return f"Did you mean {lowered[close[0]]}?" if close else f"Known: {', '.join(known)}"

"""Selections of devices: names, `tag:core`, `site:fra`, `group:edge` or `all`, with commas."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from enum import StrEnum

from runbook.core.inventory.names import DEVICE_NAME
from runbook.quick_dataclass import dataclass

MOST_TERMS = 5000
MOST_SELECTED = 5000
"""How many devices a selection may have."""
SELECTOR_RULE = "Separate names, tag:NAME, site:NAME, group:NAME and all with commas"


class TermKind(StrEnum):
    NAME = "name"
    TAG = "tag"
    SITE = "site"
    GROUP = "group"
    ALL = "all"


_PREFIXED = {kind.value: kind for kind in (TermKind.TAG, TermKind.SITE, TermKind.GROUP)}


@dataclass(frozen=True, slots=True)
class Term:
    """One part of a selection. `value` is empty for `all`."""

    kind: TermKind
    value: str = ""

    def __str__(self) -> str:
        if self.kind in (TermKind.NAME, TermKind.ALL):
            return self.value or TermKind.ALL.value
        return f"{self.kind}:{self.value}"


ALL = Term(TermKind.ALL)


def read_selector(text: str) -> tuple[Term, ...] | None:
    """The terms, each once. A device named `all` is out of reach. None if it isn't a selection.

    Text with commas, or a JSON array of such texts, as a script gets it.
    """
    words = _words(text)
    if words is None or len(words) > MOST_TERMS:
        return None
    terms = [_term(word) for word in words]
    found = tuple(dict.fromkeys(term for term in terms if term is not None))
    return found if found and len(terms) == sum(term is not None for term in terms) else None


def is_selector(text: str) -> bool:
    return read_selector(text) is not None


def _words(text: str) -> Sequence[str] | None:
    if not text.lstrip().startswith("["):
        return [word.strip() for word in text.split(",") if word.strip()]
    try:
        listed = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(listed, list) or not all(isinstance(word, str) for word in listed):
        return None
    return [part.strip() for word in listed for part in word.split(",") if part.strip()]


def _term(word: str) -> Term | None:
    if word == TermKind.ALL.value:
        return ALL
    prefix, colon, value = word.partition(":")
    if colon:
        kind = _PREFIXED.get(prefix.strip())
        return Term(kind, value.strip()) if kind and value.strip() else None
    return Term(TermKind.NAME, word) if re.fullmatch(DEVICE_NAME, word) else None

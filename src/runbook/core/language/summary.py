"""What a list of runbooks shows of each one, beside its name."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import pairwise

from markdown_it import MarkdownIt
from markdown_it.token import Token

from runbook.core.document import Document

SUMMARY_CHARACTERS = 300
_READ_CHARACTERS = 4096
"""Of a description; the first paragraph of any sensible one ends before."""

_BREAKS = frozenset({"softbreak", "hardbreak"})


@dataclass(frozen=True, slots=True)
class Summary:
    """The beginning of a runbook's description as plain text, and what its script offers.

    That of an invalid runbook is empty.
    """

    description: str = ""
    steps: int = 0
    dry_run: bool = False


NO_SUMMARY = Summary()


def summarize(document: Document) -> Summary:
    runbook = document.runbook
    if runbook is None:
        return NO_SUMMARY
    text = first_paragraph(runbook.description)
    return Summary(text, len(runbook.steps), runbook.policy.dry_run)


def first_paragraph(markdown: str, limit: int = SUMMARY_CHARACTERS) -> str:
    """The first paragraph as text without markup, in one line of at most `limit` characters."""
    tokens = _parser().parse(markdown[:_READ_CHARACTERS])
    for opening, inline in pairwise(tokens):
        if opening.type == "paragraph_open" and opening.level == 0:
            return _shortened(" ".join(_plain(inline.children or []).split()), limit)
    return ""


def _plain(tokens: list[Token]) -> str:
    """The text that a reader sees; an image's is its description, HTML has none."""
    parts = []
    for token in tokens:
        if token.type in _BREAKS:
            parts.append(" ")
        elif token.type != "html_inline":
            parts.append(token.content)
    return "".join(parts)


def _shortened(text: str, limit: int) -> str:
    """Cut at the end of a word where one ends near the limit."""
    if len(text) <= limit:
        return text
    kept = text[: limit - 1]
    words = kept.rpartition(" ")[0]
    return (words if len(words) > limit // 2 else kept).rstrip() + "…"


@cache
def _parser() -> MarkdownIt:
    return MarkdownIt("commonmark")

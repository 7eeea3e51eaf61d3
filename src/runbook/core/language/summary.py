"""A runbook's summary for listings."""

from __future__ import annotations

from functools import cache
from itertools import pairwise

from markdown_it import MarkdownIt
from markdown_it.token import Token

from runbook.core.document import Document
from runbook.quick_dataclass import dataclass

SUMMARY_CHARACTERS = 300
_READ_CHARACTERS = 4096
"""Maximum length of the summary; the first paragraph is usually shorter."""

_BREAKS = frozenset({"softbreak", "hardbreak"})


@dataclass(frozen=True, slots=True)
class Summary:
    """A short description as plain text, and what the runbook's script supports.

    The description is the one in the front matter, or the first paragraph below the name. Of an
    invalid runbook, only the former is known.
    """

    description: str = ""
    steps: int = 0
    dry_run: bool = False


NO_SUMMARY = Summary()


def summarize(document: Document) -> Summary:
    runbook = document.runbook
    text = shortened(document.front.description, SUMMARY_CHARACTERS)
    if runbook is None:
        return Summary(text)
    text = text or first_paragraph(runbook.description)
    return Summary(text, len(runbook.steps), runbook.policy.dry_run)


def first_paragraph(markdown: str, limit: int = SUMMARY_CHARACTERS) -> str:
    """The first paragraph as plain text, on one line of at most `limit` characters."""
    tokens = _parser().parse(markdown[:_READ_CHARACTERS])
    for opening, inline in pairwise(tokens):
        if opening.type == "paragraph_open" and opening.level == 0:
            return shortened(" ".join(_plain(inline.children or []).split()), limit)
    return ""


def _plain(tokens: list[Token]) -> str:
    """The visible text; an image counts as its alt text, HTML as nothing."""
    parts = []
    for token in tokens:
        if token.type in _BREAKS:
            parts.append(" ")
        elif token.type != "html_inline":
            parts.append(token.content)
    return "".join(parts)


def shortened(text: str, limit: int) -> str:
    """The text cut at a word boundary if there is one near the limit."""
    if len(text) <= limit:
        return text
    kept = text[: limit - 1]
    words = kept.rpartition(" ")[0]
    return (words if len(words) > limit // 2 else kept).rstrip() + "…"


@cache
def _parser() -> MarkdownIt:
    return MarkdownIt("commonmark")

"""Entries of the older engine: a heading, then fenced texts; nothing tells where one ends.

    ### 2026-01-23T14:33:02.123Z | Exit Code: 0
    (blank line)
    **Stdout:**
    (fence) text (fence)

Their fences may be no longer than runs of backticks in the text, so what they hold is read as far
as it can be understood.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

TEXT_BYTES = 64 * 1024
"""Of each text, this much is read."""

_MARK = re.compile(
    rb"^(?:### (?P<at>\d{4}-\d\d-\d\dT[0-9:.]{5,20}(?:Z|[+-]\d\d:\d\d)?)"
    rb" \| Exit Code: (?P<code>-?\d{1,9})[ \t]*\r?$"
    rb"|(?P<fence>`{3,}|~{3,})(?P<info>[^\n]*)$)",
    re.MULTILINE,
)
_TITLE = re.compile(
    rb"^\*\*(?P<title>Stdout|Stderr|Error):\*\*[ \t]*\r?\n\s*?(?P<fence>`{3,})[^\n]*\n",
    re.MULTILINE,
)


@dataclass(frozen=True, slots=True)
class LegacyEntry:
    """An entry of the old format: its heading's text and where it begins."""

    at: str
    return_code: int
    offset: int


@dataclass(frozen=True, slots=True)
class LegacyRecord:
    """What an old entry says; its texts are cut at TEXT_BYTES each."""

    entry: LegacyEntry
    stdout: str = ""
    stderr: str = ""
    error: str = ""


def legacy_marks(text: bytes) -> Iterator[LegacyEntry]:
    """The entries whose headings stand in no fence; those in fences are output."""
    fence = b""
    for mark in _MARK.finditer(text):
        if mark["fence"]:
            fence = _fence_after(fence, mark["fence"], mark["info"])
        elif not fence:
            yield LegacyEntry(mark["at"].decode(), int(mark["code"]), mark.start())


def first_heading(text: bytes) -> int:
    """Where the first heading of an entry begins, in whatever it stands; else the text's end."""
    found = (mark.start() for mark in _MARK.finditer(text) if not mark["fence"])
    return next(found, len(text))


def read_legacy(text: bytes, entries: Sequence[LegacyEntry]) -> list[LegacyRecord]:
    """What the last entries of a text say."""
    ends = [*(entry.offset for entry in entries), len(text)]
    spans = zip(entries, pairwise(ends), strict=True)
    return [_record(entry, text[start:end]) for entry, (start, end) in spans]


def _record(entry: LegacyEntry, text: bytes) -> LegacyRecord:
    titles = list(_TITLE.finditer(text))
    ends = [*(title.start() for title in titles), len(text)][1:]
    texts: dict[bytes, str] = {}
    for title, end in zip(titles, ends, strict=True):
        texts.setdefault(title["title"], _fenced(text[title.end() : end], title["fence"]))
    return LegacyRecord(
        entry,
        stdout=texts.get(b"Stdout", ""),
        stderr=texts.get(b"Stderr", ""),
        error=texts.get(b"Error", ""),
    )


def _fenced(text: bytes, fence: bytes) -> str:
    """Up to the last such fence: those before it belong to the text."""
    closing = (b"\n" + text).rfind(b"\n" + fence)
    kept = text[: max(0, closing - 1)] if closing >= 0 else text
    return kept[:TEXT_BYTES].decode("utf-8", "replace")


def _fence_after(opened: bytes, fence: bytes, info: bytes) -> bytes:
    if not opened:
        return fence
    return b"" if fence.startswith(opened) and not info.strip() else opened

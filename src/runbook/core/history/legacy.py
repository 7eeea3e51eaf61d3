"""Entries of the older engine: a heading, then fenced texts, without an end marker.

    ### 2026-01-23T14:33:02.123Z | Exit Code: 0
    (blank line)
    **Stdout:**
    (fence) text (fence)

Runs of backticks in the text may be as long as its fences, so parsing is best effort.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

from runbook.core.history.line_ends import lf
from runbook.quick_dataclass import dataclass

TEXT_BYTES = 64 * 1024
"""Maximum amount of each text to read."""

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
    """A legacy entry: its heading's text and its offset."""

    at: str
    return_code: int
    offset: int


@dataclass(frozen=True, slots=True)
class LegacyRecord:
    """A legacy entry's content; each text is cut at TEXT_BYTES."""

    entry: LegacyEntry
    stdout: str = ""
    stderr: str = ""
    error: str = ""


def legacy_marks(text: bytes) -> Iterator[LegacyEntry]:
    """The entries with headings outside fences; those inside fences are output."""
    fence = b""
    for mark in _MARK.finditer(text):
        if mark["fence"]:
            fence = _fence_after(fence, mark["fence"], mark["info"])
        elif not fence:
            yield LegacyEntry(mark["at"].decode(), int(mark["code"]), mark.start())


def first_heading(text: bytes) -> int:
    """The offset of the first entry heading, even inside a fence; else the end of the text."""
    found = (mark.start() for mark in _MARK.finditer(text) if not mark["fence"])
    return next(found, len(text))


def read_legacy(text: bytes, entries: Sequence[LegacyEntry]) -> list[LegacyRecord]:
    """The content of the last entries of a text."""
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
    """The text up to the last matching fence; earlier ones belong to the text."""
    closing = (b"\n" + text).rfind(b"\n" + fence)
    kept = lf(text[:closing])[:-1] if closing >= 0 else lf(text)
    return kept[:TEXT_BYTES].decode("utf-8", "replace")


def _fence_after(opened: bytes, fence: bytes, info: bytes) -> bytes:
    if not opened:
        return fence
    return b"" if fence.startswith(opened) and not info.strip() else opened

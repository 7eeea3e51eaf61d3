"""Reads a history backwards, newest entry first, with memory for one entry at a time.

An entry ends with its link. From there, search backwards for a head from which the strict grammar
leads exactly to that end. Output can't imitate an entry: the entry's fence is longer than any run
of backticks in it, so no parse that starts inside gets out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from runbook.core.history.adoption import (
    Adoption,
    AdoptionRecord,
    Item,
    end_of_text,
    item_ending,
    read_adoption,
)
from runbook.core.history.chain import last_link
from runbook.core.history.entry import LINK, LINK_BYTES, EntryRecord, read_record
from runbook.core.history.legacy import LegacyRecord, first_heading, legacy_marks, read_legacy
from runbook.quick_dataclass import dataclass

Read = Callable[[int, int], bytes]
"""Reads at most `size` bytes of a history at an offset."""

WINDOW_BYTES = 256 * 1024
ENTRY_BYTES_LIMIT = 4 * 1024 * 1024
"""Larger entries are skipped."""
LEGACY_BYTES = 1024 * 1024
"""Maximum amount of the older engine's text to read for one page."""

_LINK_START = b"\n<!-- runbook-entry "
_STEPS = 64
"""Maximum number of consecutive links to skip that don't end an entry; the rest is treated as
legacy text.
"""


@dataclass(frozen=True, slots=True)
class Found:
    """An entry found while reading backwards.

    `sound`: its bytes match its digest, and the next entry references it.
    """

    entry: Item
    sound: bool


class Backward:
    """Iterates once over a history of `size` bytes, from its end."""

    def __init__(self, read: Read, size: int) -> None:
        self._read = read
        self._data = b""
        self._base = size
        self.end = size
        """The offset where the part already read begins."""

    def __iter__(self) -> Iterator[Found]:
        """The chain's entries in descending order, each number once; `record` reads the content."""
        last: Item | None = None
        steps = 0
        while self.end > 0 and steps < _STEPS:
            entry = self._entry()
            if entry is None:
                steps += 1
                if not self._step_over():
                    return
                continue
            steps = 0
            self.end = self._base + entry.start
            if last is None or entry.n < last.n:
                sound = entry.intact and (last is None or last.previous == entry.digest)
                last = entry
                yield Found(entry, sound)
            if entry.n == 1:
                return

    def record(self, found: Found) -> EntryRecord | AdoptionRecord | None:
        """The entry's content; None if it was changed too much to be parsed."""
        try:
            if isinstance(found.entry, Adoption):
                return read_adoption(self._data, found.entry)
            return read_record(self._data, found.entry)
        except ValueError:
            return None

    def _entry(self) -> Item | None:
        """The entry that ends at the current offset, blank lines aside."""
        self._reach_back(LINK_BYTES)
        here = end_of_text(self._data, self.end - self._base)
        self.end = self._base + here
        if last_link(self._data[max(0, here - LINK_BYTES) : here]) is None:
            return None
        while True:
            found = item_ending(self._data, self.end - self._base)
            reached = self.end - self._base
            if found is not None or self._base == 0 or reached >= ENTRY_BYTES_LIMIT:
                return found
            self._reach_back(max(WINDOW_BYTES, 2 * reached))

    def _step_over(self) -> bool:
        """Move back to the end of the previous link; False, without moving, if there is none."""
        end = self.end
        while end > 0:
            start = max(0, end - WINDOW_BYTES)
            data = self._read(start, min(end + LINK_BYTES, self.end) - start)
            if (at := _last_link_end(data, self.end - start)) is not None:
                self.end = start + at
                self._data, self._base = b"", self.end
                return True
            end = start
        return False

    def _reach_back(self, size: int) -> None:
        """Load at least `size` bytes before `end`, or all if there are fewer."""
        start = max(0, self.end - size)
        if start < self._base:
            start = max(0, self.end - max(size, WINDOW_BYTES))
            self._data, self._base = self._read(start, self.end - start), start


def _last_link_end(data: bytes, before: int) -> int | None:
    """The end of the last link that ends before the offset."""
    at = len(data)
    while (at := data.rfind(_LINK_START, 0, at)) >= 0:
        link = LINK.match(data, at)
        if link is not None and link.end() < before:
            return link.end()
    return None


@dataclass(frozen=True, slots=True)
class LegacyPage:
    """Legacy entries, newest first. Older ones, if any, end before `rest`."""

    records: tuple[LegacyRecord, ...]
    rest: int


def legacy_page(read: Read, end: int, limit: int) -> LegacyPage:
    """The last legacy entries before `end`: at most `limit`, within LEGACY_BYTES of text."""
    top = end
    while True:
        start = max(0, top - LEGACY_BYTES)
        text = read(start, min(end, top + LINK_BYTES) - start)
        # Reading starts in the middle of the text; assume that it is outside fences.
        skipped = first_heading(text) if start > 0 else 0
        text = text[skipped:]
        entries = list(legacy_marks(text))
        if entries or start == 0:
            break
        top = start
    kept = entries[-limit:]
    whole = start == 0 and len(kept) == len(entries)
    rest = 0 if whole else start + skipped + kept[0].offset
    return LegacyPage(tuple(reversed(read_legacy(text, kept))), rest)

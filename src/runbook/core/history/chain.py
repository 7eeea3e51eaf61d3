"""The chain of history entries: finding and walking it; `verification` verifies it.

A history is all bytes below the History heading, preceded by those moved to the archive file. It
starts with `legacy` text: everything that was there before this engine's first entry. That entry
has number 1 and the SHA-256 of the legacy text as its previous digest. From there on, entries
follow each other with nothing but blank lines in between or after them. Digests cover the text
with LF, so line ends don't matter.

Legacy text can contain anything, including text that looks like entries. The chain starts at the
first intact entry with number 1 that contains the digest of all bytes before it. If there is no
such entry, an intact entry outside fences and comments means that the start of the chain was
changed or removed. Otherwise, everything is legacy text.
"""

from __future__ import annotations

import hashlib
import re
from collections import deque
from collections.abc import Iterator
from itertools import islice

from runbook.core.history.adoption import (
    Item,
    begins_like_item,
    end_of_blank,
    find_item,
    item_starts,
)
from runbook.core.history.entry import (
    LINK,
    LINK_BYTES,
    ChainEntry,
    EntryRecord,
    fitted,
    last_digest,
    read_record,
    refusal_text,
    render,
    sha256,
)
from runbook.core.history.line_ends import lf
from runbook.core.history.scan import begin_scan, scan_history
from runbook.core.status import RunStatus
from runbook.quick_dataclass import dataclass

__all__ = [
    "ChainEntry",
    "EntryRecord",
    "fitted",
    "last_digest",
    "read_record",
    "refusal_text",
    "render",
    "sha256",
]

_TRIED_HEADS = 16
_FIRST_LINK = re.compile(rb" n=1 [^\n]{0,400} previous=([0-9a-f]{64}) digest=")


@dataclass(frozen=True, slots=True)
class Link:
    """The end of a chain: the last entry's number and digest."""

    n: int
    digest: str


@dataclass(frozen=True, slots=True)
class ChainEnd:
    """The last link, None if there is no chain; text from `offset` on is not part of an entry."""

    link: Link | None
    offset: int


@dataclass(frozen=True, slots=True)
class Recorded:
    """A run's result, as recorded in its entry."""

    status: RunStatus
    return_code: int


@dataclass(frozen=True, slots=True)
class Foreign:
    """Bytes in the chain that are not an entry. `link` is the link at their end, if any."""

    start: int
    end: int
    link: Link | None
    begins_like_entry: bool


# -- the end of the chain ----------------------------------------------------------------------


def last_link(tail: bytes) -> Link | None:
    """The link at the end of `tail`, blank lines aside; the last LINK_BYTES are enough."""
    tail = tail[-LINK_BYTES:].rstrip(b" \t\r\n")
    at = tail.rfind(b"\n<!-- ")
    found = LINK.match(tail, at) if at >= 0 else None
    return _link(found) if found and found.end() == len(tail) else None


def chain_end(history: bytes) -> ChainEnd:
    """The chain's last link, even if other text follows it. Reads everything."""
    end = ChainEnd(None, 0)
    for item in walk(history, chain_start(history)):
        link = item.link if isinstance(item, Foreign) else Link(item.n, item.digest)
        if link is not None:
            end = ChainEnd(link, item.end)
    return end


def repeated(archive: bytes, history: bytes) -> int:
    """The size of the start of `history` that is also the end of `archive`.

    That is so if somebody saved a copy of the runbook from before entries moved to the archive.
    """
    link = last_link(archive)
    if link is None:
        return 0
    wanted = f" digest={link.digest} -->".encode()
    at = history.find(wanted)
    while at >= 0:
        end = history.find(b"\n", at) + 1 or len(history)
        if lf(archive[-2 * end :]).endswith(lf(history[:end])):
            return end
        at = history.find(wanted, end)
    return 0


def _link(found: re.Match[bytes]) -> Link:
    return Link(int(found["n"]), found["digest"].decode())


def closing(text: bytes) -> bytes:
    """The text that closes any block left open in `text`, which would swallow what follows."""
    line_break = b"" if text.endswith(b"\n") or not text else b"\n"
    block = _open_block(text)
    if not block:
        return line_break
    return line_break + (b"-->" if block == b"<!--" else block) + b"\n"


def _open_block(text: bytes) -> bytes:
    """The marker of the fence or comment left open in `text`, if any."""
    return scan_history(b"\n" + text + b"\n\n\n", begin_scan(1, 1)).block


# -- reading -----------------------------------------------------------------------------------


def iter_entries(history: bytes) -> Iterator[ChainEntry]:
    """The runs' entries in order, including changed ones; anything else is skipped."""
    return (item for item in walk(history, chain_start(history)) if isinstance(item, ChainEntry))


def find_run(history: bytes, run_id: str) -> Recorded | None:
    """The run's result from its own entry; anything in other runs' output is ignored."""
    if f" run={run_id} ".encode() not in history:
        return None
    for entry in iter_entries(history):
        if entry.run_id == run_id:
            return Recorded(entry.status, entry.return_code)
    return None


# -- walking -----------------------------------------------------------------------------------


def chain_start(history: bytes) -> int | None:
    """The offset of the first remaining entry; None if there is no chain."""
    start = _start_by_digest(history)
    if start is None:
        return 0 if find_item(history, 0) else _start_by_looks(history)
    return start


def entry_start(front: bytes, n: int, *, whole: bool) -> int | None:
    """The offset of the first intact entry numbered `n` or higher.

    `front` is the start of a history, or the `whole` of it; a truncated last entry is ignored.
    """
    start = _start_by_digest(front)
    if start is None and find_item(front, 0):
        start = 0
    if start is None and whole:
        start = _start_by_looks(front)
    items = (item for item in walk(front, start) if not isinstance(item, Foreign))
    return next((item.start for item in items if item.intact and item.n >= n), None)


def _start_by_digest(history: bytes) -> int | None:
    """The offset of an intact entry with number 1 that has the digest of all bytes before it."""
    wanted = set(_FIRST_LINK.findall(history))
    running, read = _LegacyDigests(), 0
    for start in item_starts(history) if wanted else ():
        running.update(history[read:start])
        read = start
        digests = running.digests()
        if wanted.isdisjoint(digests):
            continue
        item = find_item(history, start)
        if item and item.intact and item.n == 1 and item.previous.encode() in digests:
            return start
    return None


class _LegacyDigests:
    """The digests of a growing text in all its readings (see line_ends.readings)."""

    def __init__(self) -> None:
        self._lf, self._raw, self._once = hashlib.sha256(), hashlib.sha256(), hashlib.sha256()
        self._differ = False

    def update(self, text: bytes) -> None:
        crlf = b"\r\n" in text
        if crlf and not self._differ:
            self._raw, self._once, self._differ = self._lf.copy(), self._lf.copy(), True
        self._lf.update(lf(text))
        if self._differ:
            self._raw.update(text)
            self._once.update(text.replace(b"\r\n", b"\n") if crlf else text)

    def digests(self) -> set[bytes]:
        running = (self._lf, self._raw, self._once) if self._differ else (self._lf,)
        return {one.hexdigest().encode() for one in running}


def _start_by_looks(history: bytes) -> int | None:
    """The offset of the first intact entry outside fences and comments."""
    items = (find_item(history, start) for start in item_starts(history))
    intact = (item.start for item in items if item is not None and item.intact)
    tried = islice(intact, _TRIED_HEADS)
    return next((start for start in tried if not _open_block(history[:start])), None)


def walk(history: bytes, start: int | None) -> Iterator[Item | Foreign]:
    """The chain from `start`: its entries, and any other text between and after them."""
    at = len(history) if start is None else start
    while (at := end_of_blank(history, at)) < len(history):
        item = find_item(history, at) or _foreign(history, at)
        yield item
        at = item.end


def _foreign(history: bytes, at: int) -> Foreign:
    """Text that is not an entry: up to the next intact entry, else the next link, else the end."""
    end = len(history)
    link = LINK.search(history, at)
    if link is not None:
        end = link.end()
        intact = _first_intact(history, at + 1, end)
        if intact is not None:
            link, end = None, intact.start
    return Foreign(at, end, link and _link(link), begins_like_item(history, at))


def _first_intact(history: bytes, at: int, end: int) -> Item | None:
    """The first intact entry among the first few heads, or else the one of the last head."""
    starts = item_starts(history, at, end)
    tried = list(islice(starts, _TRIED_HEADS))
    tried.extend(deque(starts, maxlen=1))
    items = (find_item(history, start) for start in tried)
    return next((item for item in items if item is not None and item.intact), None)

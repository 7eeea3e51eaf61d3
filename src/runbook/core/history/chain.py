"""The chain of history entries: finding it, walking it, proving that it is whole.

A history is all bytes below the History heading, preceded by what was moved to the file of
older entries. It begins with `legacy` text: whatever stood there before this engine's first
entry. That entry has number 1 and the SHA-256 of the legacy text as its previous digest; from
there on, entry follows entry, and nothing else may stand between or after them.

Legacy text may hold anything, also what looks like entries. The chain begins at the first place
where an intact entry of number 1 names the digest of all bytes before it. Where there is no such
place, an intact entry outside of fences and comments shows that the chain's beginning was changed
or removed; without one, everything is legacy text.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice

from runbook.core.history.entry import (
    ENTRY_HEAD,
    LINK,
    LINK_BYTES,
    Entry,
    EntryRecord,
    find_entry,
    fitted,
    last_digest,
    read_record,
    refusal_text,
    render,
    sha256,
)
from runbook.core.history.scan import begin_scan, scan_history
from runbook.core.status import RunStatus

__all__ = [
    "Entry",
    "EntryRecord",
    "fitted",
    "last_digest",
    "read_record",
    "refusal_text",
    "render",
    "sha256",
]

MAX_PROBLEMS = 20
"""A verification names no more; the first is the one that matters."""

_TRIED_HEADS = 16
_FIRST_LINK = re.compile(rb" n=1 [^\n]{0,400} previous=([0-9a-f]{64}) digest=")


@dataclass(frozen=True, slots=True)
class Link:
    """The end of a chain: the number and the digest of its last entry."""

    n: int
    digest: str


@dataclass(frozen=True, slots=True)
class ChainEnd:
    """The last link, None without a chain; what stands from `offset` on is no entry."""

    link: Link | None
    offset: int


@dataclass(frozen=True, slots=True)
class Recorded:
    """How a run ended, as its entry says."""

    status: RunStatus
    return_code: int


@dataclass(frozen=True, slots=True)
class Foreign:
    """Bytes in the chain that are no entry. `link` is the link that ends them, if one does."""

    start: int
    end: int
    link: Link | None
    begins_like_entry: bool


# -- the end of the chain ----------------------------------------------------------------------


def last_link(tail: bytes) -> Link | None:
    """The link that ends `tail` exactly; its last LINK_BYTES are enough."""
    at = tail.rfind(b"\n<!-- ", max(0, len(tail) - LINK_BYTES))
    found = LINK.match(tail, at) if at >= 0 else None
    return _link(found) if found and found.end() == len(tail) else None


def chain_end(history: bytes) -> ChainEnd:
    """The chain's last link, also where something else stands after it. Reads everything."""
    end = ChainEnd(None, 0)
    for item in _walk(history, chain_start(history)):
        link = item.link if isinstance(item, Foreign) else Link(item.n, item.digest)
        if link is not None:
            end = ChainEnd(link, item.end)
    return end


def _link(found: re.Match[bytes]) -> Link:
    return Link(int(found["n"]), found["digest"].decode())


def closing(text: bytes) -> bytes:
    """What must follow `text` so that Markdown after it is not swallowed by an open block."""
    line_break = b"" if text.endswith(b"\n") or not text else b"\n"
    block = _open_block(text)
    if not block:
        return line_break
    return line_break + (b"-->" if block == b"<!--" else block) + b"\n"


def _open_block(text: bytes) -> bytes:
    """The marker of the fence or comment that `text` leaves open, if any."""
    return scan_history(b"\n" + text + b"\n\n\n", begin_scan(1, 1)).block


# -- reading -----------------------------------------------------------------------------------


def iter_entries(history: bytes) -> Iterator[Entry]:
    """The entries of the chain in order, changed ones included; other text is passed over."""
    return (item for item in _walk(history, chain_start(history)) if isinstance(item, Entry))


def find_run(history: bytes, run_id: str) -> Recorded | None:
    """How the run's own entry says that it ended; what outputs print counts for nothing."""
    if f" run={run_id} ".encode() not in history:
        return None
    for entry in iter_entries(history):
        if entry.run_id == run_id:
            return Recorded(entry.status, entry.return_code)
    return None


# -- walking -----------------------------------------------------------------------------------


def chain_start(history: bytes) -> int | None:
    """Where the first entry begins, or the first that is left of it; None without a chain."""
    start = _start_by_digest(history)
    if start is None:
        return 0 if find_entry(history, 0) else _start_by_looks(history)
    return start


def entry_start(front: bytes, n: int, *, whole: bool) -> int | None:
    """Where the first intact entry numbered `n` or higher begins.

    `front` is the beginning of a history, maybe `whole`; a cut last entry is not seen.
    """
    start = _start_by_digest(front)
    if start is None and find_entry(front, 0):
        start = 0
    if start is None and whole:
        start = _start_by_looks(front)
    entries = (item for item in _walk(front, start) if isinstance(item, Entry))
    return next((entry.start for entry in entries if entry.intact and entry.n >= n), None)


def _start_by_digest(history: bytes) -> int | None:
    """Where an intact entry of number 1 names the digest of all that stands before it."""
    wanted = set(_FIRST_LINK.findall(history))
    running, read = hashlib.sha256(), 0
    view = memoryview(history)
    for head in ENTRY_HEAD.finditer(history) if wanted else ():
        running.update(view[read : head.start()])
        read = head.start()
        digest = running.hexdigest()
        if digest.encode() in wanted and _begins_chain(find_entry(history, read), digest):
            return read
    return None


def _begins_chain(entry: Entry | None, digest: str) -> bool:
    return entry is not None and entry.intact and entry.n == 1 and entry.previous == digest


def _start_by_looks(history: bytes) -> int | None:
    """The first intact entry that stands in no fence and no comment."""
    entries = (find_entry(history, head.start()) for head in ENTRY_HEAD.finditer(history))
    intact = (entry.start for entry in entries if entry is not None and entry.intact)
    tried = islice(intact, _TRIED_HEADS)
    return next((start for start in tried if not _open_block(history[:start])), None)


def _walk(history: bytes, start: int | None) -> Iterator[Entry | Foreign]:
    """The chain from `start`: its entries, and whatever else stands between and after them."""
    at = len(history) if start is None else start
    while at < len(history):
        item = find_entry(history, at) or _foreign(history, at)
        yield item
        at = item.end


def _foreign(history: bytes, at: int) -> Foreign:
    """What is no entry: up to the next intact one, else up to the next link, else all."""
    end = len(history)
    link = LINK.search(history, at)
    if link is not None:
        end = link.end()
        heads = ENTRY_HEAD.finditer(history, at + 1, end)
        entries = (find_entry(history, head.start()) for head in islice(heads, _TRIED_HEADS))
        intact = next((entry for entry in entries if entry is not None and entry.intact), None)
        if intact is not None:
            link, end = None, intact.start
    begins_like_entry = ENTRY_HEAD.match(history, at) is not None
    return Foreign(at, end, link and _link(link), begins_like_entry)


# -- verification ------------------------------------------------------------------------------


class ChainProblemCode(StrEnum):
    """What is wrong with a history; the value is part of the API."""

    LEGACY_CHANGED = "legacy_changed"
    """The text that stood there before the first entry was changed."""
    CHANGED = "changed"
    """An entry was edited, or replaced by another one."""
    MISSING = "missing"
    """An entry was removed."""
    ORDER = "order"
    """An entry stands where it does not belong."""
    FOREIGN = "foreign"
    """Something that is no entry of the chain stands after an entry."""
    CUT = "cut"
    """The last entries, known to the store, were removed or replaced."""


@dataclass(frozen=True, slots=True)
class ChainProblem:
    """`entry` is the number of the entry that the problem is about."""

    code: ChainProblemCode
    entry: int
    message: str


@dataclass(frozen=True, slots=True)
class Verification:
    """Whether a history is whole, and if not, what is wrong with it, in its order."""

    entries: int
    legacy_bytes: int
    last: Link | None
    problems: tuple[ChainProblem, ...]

    @property
    def ok(self) -> bool:
        return not self.problems


def verify(history: bytes, *, head: tuple[int, str] | None = None) -> Verification:
    """Walk the whole chain. `head` is the store's number and digest of the last known entry.

    Without `head` a chain whose last entries were cut off, or one that was written anew from
    its beginning, looks whole.
    """
    start = chain_start(history)
    check = _Check(history, start, head)
    for item in _walk(history, start):
        if isinstance(item, Foreign):
            check.foreign(item)
        else:
            check.entry(item)
    check.end()
    legacy = len(history) if start is None else start
    return Verification(check.entries, legacy, check.last, tuple(check.problems))


class _Check:
    """What a verification has seen so far."""

    def __init__(self, history: bytes, start: int | None, head: tuple[int, str] | None) -> None:
        self._legacy = history[: start or 0]
        self._head = head
        self._head_seen = head is None
        self.entries = 0
        self.last: Link | None = None
        self.problems: list[ChainProblem] = []

    def foreign(self, item: Foreign) -> None:
        before = self.last.n if self.last else 0
        if item.link is None and not item.begins_like_entry:
            text = f"Something that is no entry stands after entry {before}."
            self._report(ChainProblemCode.FOREIGN, before, text)
            return
        self._changed(before + 1)
        if item.link is None:
            self._pass(Link(before + 1, ""))
        elif item.link.n == before + 1:
            self._pass(item.link)

    def entry(self, entry: Entry) -> None:
        self.entries += 1
        if self.last is None:
            self._first(entry)
        else:
            self._next(entry, self.last)
        if not entry.intact:
            self._changed(entry.n)
        self._pass(Link(entry.n, entry.digest))

    def end(self) -> None:
        """Whether the entry that the store knows as the last is there."""
        if self._head_seen or self._head is None:
            return
        number, last = self._head[0], self.last.n if self.last else 0
        if last < number:
            text = f"The entries after {last} are missing: the store knows {number}."
            self._report(ChainProblemCode.CUT, last + 1, text)
        else:
            text = f"Entry {number} is not the one that the store knows."
            self._report(ChainProblemCode.CUT, number, text)

    def _first(self, entry: Entry) -> None:
        if entry.n > 1:
            text = "Entry 1 is missing, or it was changed."
            self._report(ChainProblemCode.MISSING, 1, text)
        elif entry.intact and entry.previous != sha256(self._legacy):
            text = "The text before entry 1 was changed."
            self._report(ChainProblemCode.LEGACY_CHANGED, 1, text)

    def _next(self, entry: Entry, last: Link) -> None:
        if entry.n > last.n + 1:
            text = f"Entry {last.n + 1} is missing."
            self._report(ChainProblemCode.MISSING, last.n + 1, text)
        elif entry.n <= last.n:
            text = f"Entry {entry.n} stands after entry {last.n}."
            self._report(ChainProblemCode.ORDER, entry.n, text)
        elif entry.previous != last.digest:
            self._changed(last.n)

    def _changed(self, number: int) -> None:
        self._report(
            ChainProblemCode.CHANGED, number, f"Entry {number} was changed, or is not whole."
        )

    def _pass(self, link: Link) -> None:
        self.last = link
        if (link.n, link.digest) == self._head:
            self._head_seen = True

    def _report(self, code: ChainProblemCode, entry: int, message: str) -> None:
        problem = ChainProblem(code, entry, message)
        if len(self.problems) < MAX_PROBLEMS and problem not in self.problems:
            self.problems.append(problem)

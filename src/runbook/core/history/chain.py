"""The chain of history entries: finding, walking and verifying it.

A history is all bytes below the History heading, preceded by those moved to the archive file. It
starts with `legacy` text: everything that was there before this engine's first entry. That entry
has number 1 and the SHA-256 of the legacy text as its previous digest. From there on, entries
follow each other with nothing in between or after them.

Legacy text can contain anything, including text that looks like entries. The chain starts at the
first intact entry with number 1 that contains the digest of all bytes before it. If there is no
such entry, an intact entry outside fences and comments means that the start of the chain was
changed or removed. Otherwise, everything is legacy text.
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
"""Maximum number of problems to report; the first is the most important one."""

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
    """The link at the very end of `tail`; the last LINK_BYTES are enough."""
    at = tail.rfind(b"\n<!-- ", max(0, len(tail) - LINK_BYTES))
    found = LINK.match(tail, at) if at >= 0 else None
    return _link(found) if found and found.end() == len(tail) else None


def chain_end(history: bytes) -> ChainEnd:
    """The chain's last link, even if other text follows it. Reads everything."""
    end = ChainEnd(None, 0)
    for item in _walk(history, chain_start(history)):
        link = item.link if isinstance(item, Foreign) else Link(item.n, item.digest)
        if link is not None:
            end = ChainEnd(link, item.end)
    return end


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


def iter_entries(history: bytes) -> Iterator[Entry]:
    """The entries of the chain in order, including changed ones; other text is skipped."""
    return (item for item in _walk(history, chain_start(history)) if isinstance(item, Entry))


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
        return 0 if find_entry(history, 0) else _start_by_looks(history)
    return start


def entry_start(front: bytes, n: int, *, whole: bool) -> int | None:
    """The offset of the first intact entry numbered `n` or higher.

    `front` is the start of a history, or the `whole` of it; a truncated last entry is ignored.
    """
    start = _start_by_digest(front)
    if start is None and find_entry(front, 0):
        start = 0
    if start is None and whole:
        start = _start_by_looks(front)
    entries = (item for item in _walk(front, start) if isinstance(item, Entry))
    return next((entry.start for entry in entries if entry.intact and entry.n >= n), None)


def _start_by_digest(history: bytes) -> int | None:
    """The offset of an intact entry with number 1 that has the digest of all bytes before it."""
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
    """The offset of the first intact entry outside fences and comments."""
    entries = (find_entry(history, head.start()) for head in ENTRY_HEAD.finditer(history))
    intact = (entry.start for entry in entries if entry is not None and entry.intact)
    tried = islice(intact, _TRIED_HEADS)
    return next((start for start in tried if not _open_block(history[:start])), None)


def _walk(history: bytes, start: int | None) -> Iterator[Entry | Foreign]:
    """The chain from `start`: its entries, and any other text between and after them."""
    at = len(history) if start is None else start
    while at < len(history):
        item = find_entry(history, at) or _foreign(history, at)
        yield item
        at = item.end


def _foreign(history: bytes, at: int) -> Foreign:
    """Text that is not an entry: up to the next intact entry, else the next link, else the end."""
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
    """What is wrong with a history. The values are part of the API."""

    LEGACY_CHANGED = "legacy_changed"
    """The text before the first entry was changed."""
    CHANGED = "changed"
    """An entry was edited or replaced."""
    MISSING = "missing"
    """An entry was removed."""
    ORDER = "order"
    """An entry is in the wrong place."""
    FOREIGN = "foreign"
    """Text that is not part of the chain follows an entry."""
    CUT = "cut"
    """The last entries recorded in the database were removed or replaced."""


@dataclass(frozen=True, slots=True)
class ChainProblem:
    """`entry` is the number of the affected entry."""

    code: ChainProblemCode
    entry: int
    message: str


@dataclass(frozen=True, slots=True)
class Verification:
    """The result of a verification: all problems in order of appearance."""

    entries: int
    legacy_bytes: int
    last: Link | None
    problems: tuple[ChainProblem, ...]

    @property
    def ok(self) -> bool:
        return not self.problems


def verify(history: bytes, *, head: tuple[int, str] | None = None) -> Verification:
    """Verify the whole chain. `head` is the number and digest of the last entry in the database.

    Without `head`, a chain that was truncated or rewritten from its beginning passes.
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
    """The state of a verification."""

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
            text = f"Unexpected text after entry {before}."
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
        """Check for the last entry that the database knows."""
        if self._head_seen or self._head is None:
            return
        number, last = self._head[0], self.last.n if self.last else 0
        if last < number:
            text = f"Entries after {last} are missing: the database has entry {number}."
            self._report(ChainProblemCode.CUT, last + 1, text)
        else:
            text = f"Entry {number} doesn't match the one in the database."
            self._report(ChainProblemCode.CUT, number, text)

    def _first(self, entry: Entry) -> None:
        if entry.n > 1:
            text = "Entry 1 is missing or was changed."
            self._report(ChainProblemCode.MISSING, 1, text)
        elif entry.intact and entry.previous != sha256(self._legacy):
            text = "The text before entry 1 was changed."
            self._report(ChainProblemCode.LEGACY_CHANGED, 1, text)

    def _next(self, entry: Entry, last: Link) -> None:
        if entry.n > last.n + 1:
            text = f"Entry {last.n + 1} is missing."
            self._report(ChainProblemCode.MISSING, last.n + 1, text)
        elif entry.n <= last.n:
            text = f"Entry {entry.n} is out of order, after entry {last.n}."
            self._report(ChainProblemCode.ORDER, entry.n, text)
        elif entry.previous != last.digest:
            self._changed(last.n)

    def _changed(self, number: int) -> None:
        self._report(
            ChainProblemCode.CHANGED, number, f"Entry {number} was changed or is incomplete."
        )

    def _pass(self, link: Link) -> None:
        self.last = link
        if (link.n, link.digest) == self._head:
            self._head_seen = True

    def _report(self, code: ChainProblemCode, entry: int, message: str) -> None:
        problem = ChainProblem(code, entry, message)
        if len(self.problems) < MAX_PROBLEMS and problem not in self.problems:
            self.problems.append(problem)

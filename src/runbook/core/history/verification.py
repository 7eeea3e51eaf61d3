"""Verifies a history's chain, and separates what was adopted from what was not."""

from __future__ import annotations

from enum import StrEnum

from runbook.core.history.adoption import (
    Adoption,
    AdoptionRecord,
    ChainFinding,
    Item,
    read_adoption,
)
from runbook.core.history.chain import Foreign, Link, chain_start, walk
from runbook.core.history.entry import ChainEntry, sha256
from runbook.core.history.line_ends import lf, readings
from runbook.quick_dataclass import dataclass

MAX_PROBLEMS = 20
"""Maximum number of problems to report; the first is the most important one."""


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
class AdoptedProblem:
    """A problem that entry `n` of the chain adopted. `mark` is the digest of its evidence."""

    problem: ChainProblem
    mark: str
    n: int
    record: AdoptionRecord


@dataclass(frozen=True, slots=True)
class Verification:
    """The result of a verification: all problems in order of appearance.

    `entries` counts those of runs. `adopted` are problems too, but known and explained. `findings`
    are all problems that are not, to adopt them. `adoptions` are the links of all adoptions. `tip`
    is the link that the next entry follows: an incomplete last entry has none.
    """

    entries: int
    legacy_bytes: int
    last: Link | None
    problems: tuple[ChainProblem, ...]
    adopted: tuple[AdoptedProblem, ...] = ()
    findings: tuple[ChainFinding, ...] = ()
    adoptions: tuple[Link, ...] = ()
    tip: Link | None = None

    @property
    def ok(self) -> bool:
        return not self.problems


def verify(history: bytes, *, head: tuple[int, str] | None = None) -> Verification:
    """Verify the whole chain. `head` is the number and digest of the last entry in the database.

    Without `head`, a chain that was truncated or rewritten from its beginning passes.
    """
    start = chain_start(history)
    check = _Check(history, start, head)
    for item in walk(history, start):
        if isinstance(item, Foreign):
            check.foreign(item)
        else:
            check.item(item)
    check.end()
    legacy = len(history) if start is None else start
    return check.result(legacy)


@dataclass(frozen=True, slots=True)
class _Found:
    """A problem with a digest of its evidence, found at an offset."""

    problem: ChainProblem
    mark: str
    at: int

    @property
    def finding(self) -> ChainFinding:
        return ChainFinding(self.problem.code.value, self.problem.entry, self.mark)


class _Check:
    """The state of a verification."""

    def __init__(self, history: bytes, start: int | None, head: tuple[int, str] | None) -> None:
        self._history = history
        self._legacy = history[: start or 0]
        self._head = head
        self._head_seen = head is None
        self._at = 0
        self._found: list[_Found] = []
        self._adoptions: list[tuple[Adoption, AdoptionRecord]] = []
        self._entries = 0
        self._last: Link | None = None
        self._before_torn: Link | None = None
        """The last link before an incomplete entry that has none."""

    def foreign(self, item: Foreign) -> None:
        self._at = item.start
        before = self._last.n if self._last else 0
        mark = self._mark_of(item)
        if item.link is None and not item.begins_like_entry:
            text = f"Unexpected text after entry {before}."
            self._report(ChainProblemCode.FOREIGN, before, text, mark)
            return
        self._changed(before + 1, mark)
        if item.link is None:
            self._before_torn = self._last
            self._last = Link(before + 1, "")
        elif item.link.n == before + 1:
            self._pass(item.link)

    def item(self, item: Item) -> None:
        self._at = item.start
        if self._last is None:
            self._first(item)
        elif not self._follows_torn(item):
            self._next(item, self._last)
        if not item.intact:
            self._changed(item.n, self._mark_of(item))
        elif isinstance(item, Adoption):
            self._adoptions.append((item, read_adoption(self._history, item)))
        self._entries += isinstance(item, ChainEntry)
        self._pass(Link(item.n, item.digest))

    def end(self) -> None:
        """Check for the last entry that the database knows."""
        if self._head_seen or self._head is None:
            return
        self._at = -1  # what adopts it is always below
        number, last = self._head[0], self._last.n if self._last else 0
        if last < number:
            text = f"Entries after {last} are missing: the database has entry {number}."
            self._report(ChainProblemCode.CUT, last + 1, text, self._head[1])
        else:
            text = f"Entry {number} doesn't match the one in the database."
            self._report(ChainProblemCode.CUT, number, text, self._head[1])

    def result(self, legacy_bytes: int) -> Verification:
        adopted = [by for found in self._found if (by := self._adopted(found)) is not None]
        known = {(one.problem, one.mark) for one in adopted}
        left = [found for found in self._found if (found.problem, found.mark) not in known]
        problems = dict.fromkeys(found.problem for found in left)
        return Verification(
            entries=self._entries,
            legacy_bytes=legacy_bytes,
            last=self._last,
            problems=tuple(problems)[:MAX_PROBLEMS],
            adopted=tuple({one.problem: one for one in reversed(adopted)}.values())[::-1],
            findings=tuple(dict.fromkeys(found.finding for found in left)),
            adoptions=tuple(Link(adoption.n, adoption.digest) for adoption, _ in self._adoptions),
            tip=self._before_torn if self._torn else self._last,
        )

    def _adopted(self, found: _Found) -> AdoptedProblem | None:
        for adoption, record in self._adoptions:
            if found.at < adoption.start and self._covers(record, found):
                return AdoptedProblem(found.problem, found.mark, adoption.n, record)
        return None

    def _covers(self, record: AdoptionRecord, found: _Found) -> bool:
        """Removed entries at the end are one gap, even if the chain has grown since."""
        if found.problem.code is ChainProblemCode.CUT:
            return any(it.code == "cut" and it.mark == found.mark for it in record.findings)
        return found.finding in record.findings

    def _first(self, item: Item) -> None:
        if item.n > 1:
            text = "Entry 1 is missing or was changed."
            self._report(ChainProblemCode.MISSING, 1, text, self._mark_between(None, item))
        elif item.intact and item.previous not in map(sha256, readings(self._legacy)):
            text = "The text before entry 1 was changed."
            self._report(ChainProblemCode.LEGACY_CHANGED, 1, text, sha256(lf(self._legacy)))

    def _follows_torn(self, item: Item) -> bool:
        """Whether it follows the entry before an incomplete one, as if that was never written."""
        before = self._before_torn
        return self._torn and before is not None and _continues(item, before)

    @property
    def _torn(self) -> bool:
        return self._last is not None and not self._last.digest

    def _next(self, item: Item, last: Link) -> None:
        mark = self._mark_between(last, item)
        if item.n > last.n + 1:
            text = f"Entry {last.n + 1} is missing."
            self._report(ChainProblemCode.MISSING, last.n + 1, text, mark)
        elif item.n <= last.n:
            text = f"Entry {item.n} is out of order, after entry {last.n}."
            self._report(ChainProblemCode.ORDER, item.n, text, mark)
        elif item.previous != last.digest:
            self._changed(last.n, mark)

    def _changed(self, number: int, mark: str) -> None:
        text = f"Entry {number} was changed or is incomplete."
        self._report(ChainProblemCode.CHANGED, number, text, mark)

    def _mark_of(self, part: Item | Foreign) -> str:
        """The digest of a text, blank lines around it aside."""
        return sha256(lf(self._history[part.start : part.end]).strip(b" \t\n"))

    def _mark_between(self, last: Link | None, item: Item) -> str:
        """The digest of a gap: of the digests on both of its sides."""
        before = last.digest if last else "start"
        return sha256(f"{before} {item.n} {item.previous} {item.digest}".encode())

    def _pass(self, link: Link) -> None:
        self._last = link
        if (link.n, link.digest) == self._head:
            self._head_seen = True

    def _report(self, code: ChainProblemCode, entry: int, message: str, mark: str) -> None:
        self._found.append(_Found(ChainProblem(code, entry, message), mark, self._at))


def _continues(item: Item, last: Link) -> bool:
    return item.n == last.n + 1 and item.previous == last.digest

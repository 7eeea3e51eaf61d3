"""Looks below the History heading for sections that do not belong there.

History may hold many megabytes, so it is not parsed as Markdown: one pass over the bytes finds
headings of interest, and the fences and comments that they may stand in. A scan can be resumed,
so that what was appended costs only its own length.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache

from runbook.core.document import Problem
from runbook.core.sections import SectionName, claims_problem, resembles_claims, section_named

_COMMENT = b"<!--"
_NAMES = b"|".join(re.escape(name.encode()) for name in SectionName)
_END = rb"[ \t]*(?=[\r\n]|\Z)"
_MARKS = (
    rb" {0,3}(?:"
    rb"(?P<fence>`{3,}(?=[^`\r\n]*(?:[\r\n]|\Z))|~{3,})(?P<info>[^\r\n]*)"
    rb"|(?P<comment><!--)"
    rb"|\#{1,6}[ \t]+(?:"
    rb"(?P<atx>(?i:" + _NAMES + rb"))(?:[ \t]+\#+)?" + _END + rb""
    rb"|(?P<near>[^\r\n]{0,80}?(?i:claim)[^\r\n]{0,80})(?=[\r\n]|\Z))"
    rb"|(?P<setext>(?i:" + _NAMES + rb"))[ \t]*(?:\r\n|\r|\n) {0,3}(?:=+|-+)" + _END + rb")"
)


@dataclass(frozen=True, slots=True)
class HistoryScan:
    """How far the history was looked at. `offset` counts bytes of the document.

    The last two lines are looked at again when a scan is resumed: they may have grown.
    `line` is the number of the line that ends at `offset`; `block` is what is open there, a
    fence's marker or the opening of a comment. `pending` was found in those two lines.
    """

    offset: int
    line: int
    block: bytes = b""
    settled: tuple[Problem, ...] = ()
    pending: tuple[Problem, ...] = ()

    @property
    def problems(self) -> tuple[Problem, ...]:
        return self.settled + self.pending

    @property
    def claims_doubted(self) -> bool:
        return any(problem.code in _DOUBTS for problem in self.problems)


_DOUBTS = frozenset({"near_miss_of_required_claims", "required_claims_after_history"})


def begin_scan(history_bytes: int, line: int) -> HistoryScan:
    """A scan that has seen nothing. `line` is the last line of the History heading."""
    return HistoryScan(max(history_bytes - 1, 0), line)


def scan_history(data: bytes, scan: HistoryScan, *, base: int = 0) -> HistoryScan:
    """Look at what follows `scan.offset`. `data` begins at the document's offset `base`."""
    start = scan.offset - base
    stop = _last_lines(data, start)
    settled = _Reader(data, start, scan)
    pending_from = settled.read_until(stop)
    reached = replace(
        scan,
        offset=base + stop,
        line=scan.line + _line_ends(data, start, stop),
        block=settled.block,
        settled=scan.settled + tuple(settled.problems),
        pending=(),
    )
    tail = _Reader(data, max(pending_from, stop), reached, at=stop)
    tail.read_until(len(data) + 1)
    return replace(reached, pending=tuple(tail.problems))


class _Reader:
    """Follows fences and comments from a place, and collects what stands outside them."""

    def __init__(self, data: bytes, start: int, scan: HistoryScan, at: int | None = None) -> None:
        self.block = scan.block
        self.problems: list[Problem] = []
        self._data = data
        self._start = start
        self._line_from = start if at is None else at
        self._line = scan.line

    def read_until(self, stop: int) -> int:
        """Look at the marks whose line begins before `stop`. Where the next one may begin."""
        position = self._start
        if self.block == _COMMENT:
            position = self._after_comment(position)
        while (mark := self._next_mark(position)) is not None and mark.start() < stop:
            position = self._take(mark)
        return position

    def _next_mark(self, position: int) -> re.Match[bytes] | None:
        return _pattern(lone_returns=self._lone_returns).search(self._data, position)

"""Scans the history for sections that don't belong there.

The history may be many megabytes, so it isn't parsed as Markdown: a few fast passes over the bytes
find relevant headings, and the fences and comments that may contain them. A scan can be resumed, so
that scanning appended text costs only its own length.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import replace
from functools import cache

from runbook.core.document import Problem
from runbook.core.syntax.near_misses import claims_problem
from runbook.core.syntax.section_names import SectionName, resembles_claims, section_named
from runbook.quick_dataclass import dataclass

_COMMENT = b"<!--"
_NAMES = rb"(?i:" + b"|".join(re.escape(name.encode()) for name in SectionName) + rb")"
_END = rb"[ \t]*(?=[\r\n]|\Z)"
# The start of a line. The look-ahead keeps other lines cheap: there may be a million.
_MARK = (
    rb" {0,3}(?=[`~<"
    + bytes(sorted({ord(c) for name in SectionName for c in name[0] + name[0].lower()}))
    + rb"])(?:(?P<fence>`{3,}(?=[^`\r\n]*(?:[\r\n]|\Z))|~{3,})(?P<info>[^\r\n]*)"
    rb"|(?P<comment><!--)"
    rb"|(?P<setext>" + _NAMES + rb")[ \t]*(?:\r\n|\r|\n) {0,3}(?:=+|-+)" + _END + rb")"
)
# Searching is fastest for patterns that start with a fixed byte.
_ATX = re.compile(rb"#[ \t]+(?P<name>" + _NAMES + rb")(?:[ \t]+#+)?" + _END)
_ATX_START = re.compile(rb" {0,3}#{1,6}")
_ANY_ATX = re.compile(rb" {0,3}(?P<level>#{1,6})[ \t]+(?P<name>.*)")
_NEAR = re.compile(rb"laim[^\r\n]{0,16}(?=[\r\n]|\Z)")
_NEAR_WIDTH = 40


@dataclass(frozen=True, slots=True)
class HistoryScan:
    """The state of a scan. `offset` is in bytes of the document.

    The last two lines are scanned again on resume, as they may have grown. `line` is the number of
    the line that ends at `offset`; `block` is the block open there: a fence's marker or a comment's
    opening. `pending` was found in those two lines.
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


@dataclass(frozen=True, slots=True, order=True)
class _Heading:
    """A line that would be a relevant heading. `at` is the line ending before it."""

    at: int
    text: str
    level: int


def begin_scan(history_bytes: int, line: int) -> HistoryScan:
    """A new scan. `line` is the last line of the History heading."""
    return HistoryScan(max(history_bytes - 1, 0), line)


def scan_history(data: bytes, scan: HistoryScan, *, base: int = 0) -> HistoryScan:
    """Scan from `scan.offset` on. `data` begins at the document's offset `base`."""
    start = scan.offset - base
    stop = _last_lines(data, start)
    settled, block = _read(data, start, stop, scan)
    reached = HistoryScan(
        offset=base + stop,
        line=scan.line + _line_ends(data, start, stop),
        block=block,
        settled=scan.settled + settled,
    )
    pending, _ = _read(data, stop, len(data) + 1, reached)
    return replace(reached, pending=pending)


def _read(
    data: bytes, start: int, stop: int, scan: HistoryScan
) -> tuple[tuple[Problem, ...], bytes]:
    """The problems in lines that start between `start` and `stop`, and the block open at `stop`."""
    headings = [*_atx_headings(data, start, stop), *_near_headings(data, start, stop)]
    spans: list[tuple[int, int]] = []
    block, position = scan.block, start
    if block == _COMMENT:
        block, position = _end_of_comment(data, start, stop, spans)
    opened_at = start
    for mark in _marks(data, start, stop):
        if mark["setext"]:
            headings.append(_Heading(mark.start(), mark["setext"].decode(), 1))
        if mark["setext"] or mark.start() < position:
            continue
        if mark["comment"] and not block:
            block, position = _end_of_comment(data, mark.start(), stop, spans)
        elif not block:
            block, opened_at = mark["fence"], mark.start()
        elif mark["fence"] and mark["fence"].startswith(block) and not mark["info"].strip():
            spans.append((opened_at, mark.end()))
            block = b""
    if block:
        spans.append((opened_at if block != _COMMENT else position, stop))
    shown = [heading for heading in sorted(headings) if not _covered(heading.at, spans)]
    return tuple(p for heading in shown for p in _problems(data, start, scan.line, heading)), block


def _end_of_comment(
    data: bytes, start: int, stop: int, spans: list[tuple[int, int]]
) -> tuple[bytes, int]:
    """The block that is open after the comment at `start`, and the comment's end."""
    end = data.find(b"-->", start, stop)
    spans.append((start, stop if end < 0 else end))
    return (_COMMENT, stop) if end < 0 else (b"", end)


def _covered(at: int, spans: list[tuple[int, int]]) -> bool:
    index = bisect_right(spans, (at, at)) - 1
    following = spans[index + 1 : index + 2]
    return any(begin <= at < end for begin, end in (*spans[max(index, 0) : index + 1], *following))


def _marks(data: bytes, start: int, stop: int) -> Iterator[re.Match[bytes]]:
    """Fences, comments and setext headings in lines that start between `start` and `stop`."""
    pattern = _mark_pattern(lone_returns=_lone_returns(data, start, stop) > 0)
    for mark in pattern.finditer(data, start):
        if mark.start() >= stop:
            return
        yield mark


@cache
def _mark_pattern(*, lone_returns: bool) -> re.Pattern[bytes]:
    line_end = rb"(?:\n|\r(?!\n))" if lone_returns else rb"\n"
    return re.compile(line_end + _MARK)


def _atx_headings(data: bytes, start: int, stop: int) -> Iterator[_Heading]:
    for match in _ATX.finditer(data, start):
        at = _line_end_before(data, match.start())
        if at >= stop:
            return
        opening = data[at + 1 : match.start() + 1]
        if at >= start and _ATX_START.fullmatch(opening):
            yield _Heading(at, match["name"].decode(), opening.count(b"#"))


def _near_headings(data: bytes, start: int, stop: int) -> Iterator[_Heading]:
    """Short ATX headings that mention claims without being Required Claims."""
    for match in _NEAR.finditer(data, start):
        low = max(0, match.start() - _NEAR_WIDTH)  # a negative index would count from the end
        at = data.rfind(b"\n", low, match.start())
        at = max(at, data.rfind(b"\r", max(at, low), match.start()))
        if at >= stop:
            return
        if at < start or data[at + 1] not in b" #":
            continue
        heading = _ANY_ATX.fullmatch(data, at + 1, match.end())
        text = heading["name"].decode("utf-8", "replace").rstrip(" \t#") if heading else ""
        if heading and section_named(text) is None:
            yield _Heading(at, text, len(heading["level"]))


def _problems(data: bytes, start: int, line: int, heading: _Heading) -> Iterator[Problem]:
    """The problems of a heading. `line` is the number of the line that ends at `start`."""
    line += _line_ends(data, start, heading.at + 1)
    name = section_named(heading.text)
    if name is not None:
        code = "section_after_history"
        if name is SectionName.CLAIMS:
            code = "required_claims_after_history"
        hint = f"Move it above # {SectionName.HISTORY}, which must be the last section"
        yield Problem(
            code,
            f"Section '{name}' must be above History",
            line,
            hint=hint,
            params={"section": name.value},
        )
    elif resembles_claims(heading.text, level=heading.level):
        yield claims_problem(heading.text, line)


def _line_end_before(data: bytes, position: int) -> int:
    """The line ending before the line at `position`; -1 for the first line."""
    newline = data.rfind(b"\n", 0, position)
    return max(newline, data.rfind(b"\r", newline + 1, position))


def _last_lines(data: bytes, start: int) -> int:
    """The line ending before the last two lines."""
    last = data.rfind(b"\n", start)
    before = data.rfind(b"\n", start, max(last, start))
    return before if before >= 0 else start


def _line_ends(data: bytes, start: int, stop: int) -> int:
    """The number of line endings between `start` and `stop`; CRLF counts at its LF."""
    return data.count(b"\n", start, stop) + _lone_returns(data, start, stop)


def _lone_returns(data: bytes, start: int, stop: int) -> int:
    return data.count(b"\r", start, stop) - data.count(b"\r\n", start, stop + 1)

"""The log of a run: by bytes, by lines, by what stands in it. Never read as a whole."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import NamedTuple

import sqlalchemy as sa

from runbook.core.run import EventType
from runbook.errors import NotFoundError, RequestError
from runbook.store.lines import LineSearch, Piece, lines_of
from runbook.store.records import LogHits, LogLine, LogSize
from runbook.store.rows import StorePart
from runbook.store.tables import events, runs

# What a search reads at once.
BATCH_BYTES = 1024 * 1024
# Hits so close to each other (in lines) are read together.
_NEARBY_LINES = 50

_END = sa.select(runs.c.seq, runs.c.log_bytes, runs.c.log_lines).where(
    runs.c.id == sa.bindparam("run_id")
)
_OF_RUN = events.c.run_seq == sa.bindparam("of_run")
# The last event that begins at or before a byte.
_AT_OFFSET = (
    sa.select(events.c.n)
    .where(_OF_RUN, events.c.offset <= sa.bindparam("place"))
    .order_by(events.c.offset.desc(), events.c.n.desc())
    .limit(1)
)
# The last event that begins before a line: the line's own beginning is in it or follows it.
_BEFORE_LINE = (
    sa.select(events.c.n, events.c.offset)
    .where(_OF_RUN, events.c.line < sa.bindparam("place"))
    .order_by(events.c.line.desc(), events.c.n.desc())
    .limit(1)
)
_BETWEEN = (
    _OF_RUN,
    events.c.n >= sa.bindparam("first"),
    events.c.n <= sa.bindparam("last"),
    events.c.text.is_not(None),
)
_TEXTS = (
    sa.select(events.c.line, events.c.offset, events.c.text).where(*_BETWEEN).order_by(events.c.n)
)
_PIECES = (
    sa.select(
        events.c.at,
        events.c.step,
        events.c.type,
        events.c.line,
        events.c.offset,
        events.c.text,
    )
    .where(_OF_RUN, events.c.n >= sa.bindparam("first"), events.c.text.is_not(None))
    .order_by(events.c.n)
    .execution_options(yield_per=32)
)


class _Text(NamedTuple):
    """A piece of a log as a search reads it: a row becomes one at no cost."""

    line: int
    offset: int
    text: bytes


class Logs(StorePart):
    """All raise NotFoundError for a run that does not exist."""

    def log_size(self, run_id: str) -> LogSize:
        _seq, size, lines = self._log_end(run_id)
        return LogSize(size, lines)

    def log_range(self, run_id: str, start: int, length: int) -> bytes:
        """The bytes of the log's UTF-8 from `start`, as many of `length` as there are."""
        seq, size, _lines = self._log_end(run_id)
        start = max(0, start)
        stop = min(start + length, size)
        if start >= stop:
            return b""
        return self._database.read(lambda connection: _range(connection, seq, start, stop))

    def log_lines(self, run_id: str, first: int, count: int) -> list[LogLine]:
        """Up to `count` lines from line `first`, numbered from 1; the last may be unfinished."""
        seq, _size, _lines = self._log_end(run_id)
        return self._lines(seq, first, count)

    def log_search(
        self, run_id: str, query: str, *, limit: int = 100, after_line: int = 0
    ) -> LogHits:
        """The lines after `after_line` that hold `query`, whatever its case.

        All are counted, the first `limit` given. Raises RequestError for an empty query.
        """
        seq, size, _lines = self._log_end(run_id)
        total = 0
        first: list[int] = []
        for numbers in self._hit_numbers(seq, size, query, after_line):
            total += len(numbers)
            first += numbers[: limit - len(first)] if len(first) < limit else []
        return LogHits(total, tuple(self._numbered(seq, first)))

    def log_hits(self, run_id: str, query: str, *, after_line: int = 0) -> Iterator[LogLine]:
        """The same lines one by one, each as soon as it is found."""
        seq, size, _lines = self._log_end(run_id)
        for numbers in self._hit_numbers(seq, size, query, after_line):
            yield from self._numbered(seq, numbers)

    def _log_end(self, run_id: str) -> tuple[int, int, int]:
        row = self._database.read(lambda c: c.execute(_END, {"run_id": run_id}).first())
        if row is None:
            raise NotFoundError("There is no such run.")
        return int(row[0]), int(row[1]), int(row[2])

    def _lines(self, seq: int, first: int, count: int) -> list[LogLine]:
        def work(connection: sa.Connection) -> list[LogLine]:
            begin, _offset = _before_line(connection, seq, first)
            with connection.execute(_PIECES, {"of_run": seq, "first": begin}) as rows:
                lines = lines_of(
                    Piece(at, step, EventType(kind), line, offset, text)
                    for at, step, kind, line, offset, text in rows
                )
                wanted = (line for line in lines if line.number >= first)
                return list(islice(wanted, max(0, count)))

        return self._database.read(work)

    def _numbered(self, seq: int, numbers: Sequence[int]) -> Iterator[LogLine]:
        """The lines of these ascending numbers; those near each other in one reading."""
        position = 0
        while position < len(numbers):
            begin = position
            while position < len(numbers) and _near(numbers, position, begin):
                position += 1
            wanted = set(numbers[begin:position])
            span = numbers[position - 1] - numbers[begin] + 1
            yield from (x for x in self._lines(seq, numbers[begin], span) if x.number in wanted)

    def _hit_numbers(self, seq: int, size: int, query: str, after_line: int) -> Iterator[list[int]]:
        if not query:
            raise RequestError("Give the text to search for.")
        search: LineSearch | None = None
        end = 0
        for texts in self._batches(seq, size, after_line + 1):
            if search is None:
                search, end = LineSearch(query, texts[0].line), texts[0].offset
            text, end = _joined(texts, end)
            yield [number for number in search.feed(text) if number > after_line]
            # Other greenlets of a web process may go on between two batches.
            time.sleep(0)

    def _batches(self, seq: int, size: int, first_line: int) -> Iterator[list[_Text]]:
        """The log from before a line up to byte `size`, in readings of about BATCH_BYTES."""
        first, end = self._database.read(lambda c: _before_line(c, seq, first_line))
        while end < size:
            at, to = first, end + BATCH_BYTES
            last, texts = self._database.read(lambda c, at=at, to=to: _texts(c, seq, at, to))
            if not texts:
                return
            yield texts
            first, end = last + 1, texts[-1].offset + len(texts[-1].text)


def _before_line(connection: sa.Connection, seq: int, line: int) -> tuple[int, int]:
    """The number and the offset of the event from which to read, to see a line whole."""
    row = connection.execute(_BEFORE_LINE, {"of_run": seq, "place": line}).first()
    return (int(row[0]), int(row[1] or 0)) if row else (1, 0)


def _texts(connection: sa.Connection, seq: int, first: int, to: int) -> tuple[int, list[_Text]]:
    """The output from event `first` to the last that begins at or before byte `to`."""
    last = connection.scalar(_AT_OFFSET, {"of_run": seq, "place": to}) or 0
    rows = connection.execute(_TEXTS, {"of_run": seq, "first": first, "last": last})
    return last, [_Text(*row) for row in rows]


def _near(numbers: Sequence[int], position: int, begin: int) -> bool:
    return position == begin or numbers[position] - numbers[position - 1] <= _NEARBY_LINES


def _joined(texts: Sequence[_Text], end: int) -> tuple[str, int]:
    """The text of a batch that continues at byte `end`, and the byte where it ends."""
    parts: list[bytes] = []
    for _line, offset, text in texts:
        if offset > end:
            parts.append(b"\n")
        parts.append(text)
        end = offset + len(text)
    return b"".join(parts).decode("utf-8", "replace"), end


def _range(connection: sa.Connection, seq: int, start: int, stop: int) -> bytes:
    first = connection.scalar(_AT_OFFSET, {"of_run": seq, "place": start}) or 0
    found = bytearray()
    for _line, offset, text in _texts(connection, seq, first, stop - 1)[1]:
        # A byte that no event holds is the newline between two of them.
        found += b"\n" * max(0, offset - start - len(found))
        found += text[max(0, start - offset) :]
    found += b"\n" * (stop - start - len(found))
    return bytes(found[: stop - start])

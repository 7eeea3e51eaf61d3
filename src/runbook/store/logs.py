"""The log of a run: by bytes, by lines, by what stands in it. Never read as a whole."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice

import sqlalchemy as sa

from runbook.core.run import EventType
from runbook.errors import NotFoundError, RequestError
from runbook.store.lines import LineSearch, Piece, lines_of
from runbook.store.records import LogHits, LogLine, LogSize
from runbook.store.rows import StorePart, event_key
from runbook.store.tables import events, runs

# What a search reads at once.
BATCH_BYTES = 256 * 1024
# Hits so close to each other (in lines) are read together.
_NEARBY_LINES = 50

_END = sa.select(runs.c.seq, runs.c.log_bytes, runs.c.log_lines).where(
    runs.c.id == sa.bindparam("run_id")
)
_OF_RUN = events.c.run_seq == sa.bindparam("of_run")
# The last event that begins at or before a byte.
_AT_OFFSET = (
    sa.select(events.c.key)
    .where(_OF_RUN, events.c.offset <= sa.bindparam("place"))
    .order_by(events.c.offset.desc(), events.c.key.desc())
    .limit(1)
)
# The last event that begins before a line: the line's own beginning is in it or follows it.
_BEFORE_LINE = (
    sa.select(events.c.key, events.c.offset)
    .where(_OF_RUN, events.c.line < sa.bindparam("place"))
    .order_by(events.c.line.desc(), events.c.key.desc())
    .limit(1)
)
_BETWEEN = (
    events.c.key >= sa.bindparam("first"),
    events.c.key <= sa.bindparam("last"),
    events.c.text.is_not(None),
)
_TEXTS = (
    sa.select(events.c.line, events.c.offset, events.c.text).where(*_BETWEEN).order_by(events.c.key)
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
    .where(*_BETWEEN)
    .order_by(events.c.key)
    .execution_options(yield_per=32)
)


# Line, offset and text of a piece, as a search reads them: a million of them are not copied.
_Text = tuple[int, int, bytes]


@dataclass(frozen=True, slots=True)
class _Log:
    """Whose log it is, and how long it was when the reading began."""

    seq: int
    bytes: int
    lines: int


class Logs(StorePart):
    """All raise NotFoundError for a run that does not exist."""

    def log_size(self, run_id: str) -> LogSize:
        log = self._log(run_id)
        return LogSize(log.bytes, log.lines)

    def log_range(self, run_id: str, start: int, length: int) -> bytes:
        """The bytes of the log's UTF-8 from `start`, as many of `length` as there are."""
        log = self._log(run_id)
        start = max(0, start)
        stop = min(start + length, log.bytes)
        if start >= stop:
            return b""
        return self._database.read(lambda connection: _range(connection, log.seq, start, stop))

    def log_lines(self, run_id: str, first: int, count: int) -> list[LogLine]:
        """Up to `count` lines from line `first`, numbered from 1; the last may be unfinished."""
        log = self._log(run_id)
        return self._lines(log.seq, first, count) if first <= log.lines else []

    def log_search(
        self, run_id: str, query: str, *, limit: int = 100, after_line: int = 0
    ) -> LogHits:
        """The lines after `after_line` that hold `query`, whatever its case.

        All are counted, the first `limit` given. Raises RequestError for an empty query.
        """
        total = 0
        first: list[int] = []
        log = self._log(run_id)
        for numbers in self._hit_numbers(log, query, after_line):
            total += len(numbers)
            first += numbers[: max(0, limit - len(first))]
        return LogHits(total, tuple(self._numbered(log.seq, first)))

    def log_hits(self, run_id: str, query: str, *, after_line: int = 0) -> Iterator[LogLine]:
        """The same lines one by one, each as soon as it is found."""
        log = self._log(run_id)
        for numbers in self._hit_numbers(log, query, after_line):
            yield from self._numbered(log.seq, numbers)

    def _log(self, run_id: str) -> _Log:
        row = self._database.read(lambda c: c.execute(_END, {"run_id": run_id}).first())
        if row is None:
            raise NotFoundError("There is no such run.")
        return _Log(int(row[0]), int(row[1]), int(row[2]))

    def _lines(self, seq: int, first: int, count: int) -> list[LogLine]:
        def work(connection: sa.Connection) -> list[LogLine]:
            begin, _offset = _before_line(connection, seq, first)
            with connection.execute(
                _PIECES, {"first": begin, "last": event_key(seq + 1, 0)}
            ) as rows:
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

    def _hit_numbers(self, log: _Log, query: str, after_line: int) -> Iterator[list[int]]:
        if not query:
            raise RequestError("Give the text to search for.")
        if after_line >= log.lines:
            return
        search: LineSearch | None = None
        at = 0
        for texts in self._batches(log, max(0, after_line) + 1):
            if search is None:
                search, at = LineSearch(query, texts[0][0]), texts[0][1]
            numbers = search.feed(_joined(texts, at).decode("utf-8", "replace"))
            at = _end_of(texts)
            yield [number for number in numbers if number > after_line]
            # Other greenlets of a web process may go on between two batches.
            time.sleep(0)

    def _batches(self, log: _Log, first_line: int) -> Iterator[Sequence[_Text]]:
        """The log from before a line on, in readings of about BATCH_BYTES."""
        first, end = self._database.read(lambda c: _before_line(c, log.seq, first_line))
        while end < log.bytes:
            reading = partial(_texts, seq=log.seq, first=first, to=end + BATCH_BYTES)
            last, texts = self._database.read(reading)
            if not texts:
                return
            yield texts
            first, end = last + 1, _end_of(texts)


def _before_line(connection: sa.Connection, seq: int, line: int) -> tuple[int, int]:
    """The key and the offset of the event from which to read, to see a line whole."""
    row = connection.execute(_BEFORE_LINE, {"of_run": seq, "place": line}).first()
    return (int(row[0]), int(row[1] or 0)) if row else (event_key(seq, 1), 0)


def _texts(connection: sa.Connection, seq: int, first: int, to: int) -> tuple[int, Sequence[_Text]]:
    """The output from key `first` to the last that begins at or before byte `to`."""
    last = connection.scalar(_AT_OFFSET, {"of_run": seq, "place": to}) or 0
    rows = connection.execute(_TEXTS, {"first": first, "last": last})
    # The driver's own tuples: a log of a million pieces would wait a second for better ones.
    texts = rows.cursor.fetchall() if rows.cursor is not None else []
    rows.close()
    return last, texts


def _end_of(texts: Sequence[_Text]) -> int:
    """The byte where a batch ends."""
    return texts[-1][1] + len(texts[-1][2])


def _near(numbers: Sequence[int], position: int, begin: int) -> bool:
    return position == begin or numbers[position] - numbers[position - 1] <= _NEARBY_LINES


def _joined(texts: Sequence[_Text], end: int) -> bytes:
    """A batch that continues at byte `end`, with the newlines that no event holds."""
    joined = b"".join([row[2] for row in texts])
    if len(joined) == _end_of(texts) - end:
        return joined
    parts: list[bytes] = []
    for _line, offset, text in texts:
        parts += (b"\n", text) if offset > end else (text,)
        end = offset + len(text)
    return b"".join(parts)


def _range(connection: sa.Connection, seq: int, start: int, stop: int) -> bytes:
    first = connection.scalar(_AT_OFFSET, {"of_run": seq, "place": start}) or 0
    found = bytearray()
    for _line, offset, text in _texts(connection, seq, first, stop - 1)[1]:
        # A byte that no event holds is the newline between two of them.
        found += b"\n" * max(0, offset - start - len(found))
        found += text[max(0, start - offset) :]
    found += b"\n" * (stop - start - len(found))
    return bytes(found[: stop - start])

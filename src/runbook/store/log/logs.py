"""Reads a run's log by bytes, by lines or by search, never as a whole."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import islice

import sqlalchemy as sa

from runbook.core.events import EventType
from runbook.errors import NotFoundError, RequestError
from runbook.quick_dataclass import dataclass
from runbook.store.database import Database
from runbook.store.log.lines import Piece, lines_of
from runbook.store.log.search import LineMatcher, PatternMatcher, TextMatcher
from runbook.store.models import LogLine, LogQuery, LogSize
from runbook.store.rows import Component, event_key
from runbook.store.tables import events, runs

# Batch size of a search.
BATCH_BYTES = 256 * 1024
# Hits within this number of lines are read together.
_NEARBY_LINES = 50
_OUTPUT = frozenset(kind.value for kind in EventType if kind.is_output)
# Of the pieces of a log, which are up to 64 KiB each.
_PIECES_AT_ONCE = 32

_END = sa.select(runs.c.seq, runs.c.log_bytes, runs.c.log_lines).where(
    runs.c.id == sa.bindparam("run_id")
)
_OF_RUN = events.c.run_seq == sa.bindparam("of_run")
# The last event that starts at or before a byte.
_AT_OFFSET = (
    sa.select(events.c.key)
    .where(_OF_RUN, events.c.offset <= sa.bindparam("place"))
    .order_by(events.c.offset.desc(), events.c.key.desc())
    .limit(1)
)
# The last event that starts before a line: the line's start is in it or after it.
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
        events.c.key,
        events.c.at,
        events.c.step,
        events.c.type,
        events.c.line,
        events.c.offset,
        events.c.text,
    )
    .where(*_BETWEEN)
    .order_by(events.c.key)
    .limit(_PIECES_AT_ONCE)
)
_PIECES_OF_STREAM = _PIECES.where(events.c.type == sa.bindparam("stream"))


# Line, offset and text of a piece, in the form that a search reads, to avoid copying.
_Text = tuple[int, int, bytes]


@dataclass(frozen=True, slots=True)
class _Log:
    """A run's log, and its size when reading started."""

    seq: int
    bytes: int
    lines: int


class Logs(Component):
    """All raise NotFoundError for a run that does not exist."""

    def size(self, run_id: str) -> LogSize:
        log = self._log(run_id)
        return LogSize(log.bytes, log.lines)

    def range(self, run_id: str, start: int, length: int) -> bytes:
        """Up to `length` bytes of the log's UTF-8 from `start`."""
        log = self._log(run_id)
        start = max(0, start)
        stop = min(start + length, log.bytes)
        if start >= stop:
            return b""
        return self._database.read(lambda connection: _range(connection, log.seq, start, stop))

    def lines(
        self, run_id: str, first: int, count: int, stream: EventType | None = None
    ) -> list[LogLine]:
        """Up to `count` lines from line `first`, numbered from 1; the last may be unfinished.

        With a stream, only its lines.
        """
        log = self._log(run_id)
        return _lines(self._database, log.seq, first, count, stream) if first <= log.lines else []

    def search(self, run_id: str, query: LogQuery) -> LogSearch:
        """A search that reads the log lazily, during iteration.

        Raises RequestError for empty text or an invalid pattern.
        """
        return LogSearch(self._database, self._log(run_id), query)

    def _log(self, run_id: str) -> _Log:
        row = self._database.read(lambda c: c.execute(_END, {"run_id": run_id}).first())
        if row is None:
            raise NotFoundError("There is no such run.")
        return _Log(int(row[0]), *(n if isinstance(n, int) and n > 0 else 0 for n in row[1:]))


class LogSearch:
    """The hits of a search, yielded as they are found; can be iterated once."""

    def __init__(self, database: Database, log: _Log, query: LogQuery) -> None:
        if not query.text:
            raise RequestError("The search text is empty.")
        self.count = 0
        """Matching lines found so far; the total after the iteration."""
        self._database = database
        self._log = log
        self._query = query
        matcher = PatternMatcher if query.is_pattern else TextMatcher
        self._matcher: LineMatcher = matcher(query.text)

    def __iter__(self) -> Iterator[LogLine]:
        for numbers in self._found():
            first = max(0, self._query.skip - self.count)
            last = max(0, self._query.skip + self._query.limit - self.count)
            self.count += len(numbers)
            yield from _numbered(self._database, self._log.seq, numbers[first:last])

    def _found(self) -> Iterator[list[int]]:
        for chunk in _chunks(self._database, self._log):
            yield self._matcher.feed(chunk)
            # Let other greenlets of a web process run between chunks.
            time.sleep(0)
        yield self._matcher.finish()


def _lines(
    database: Database, seq: int, first: int, count: int, stream: EventType | None = None
) -> list[LogLine]:
    def work(connection: sa.Connection) -> list[LogLine]:
        begin, _offset = _before_line(connection, seq, first)
        lines = lines_of(_pieces(connection, begin, event_key(seq + 1, 0), stream))
        wanted = (line for line in lines if line.number >= first)
        return list(islice(wanted, max(0, count)))

    return database.read(work)


def _pieces(
    connection: sa.Connection, first: int, last: int, stream: EventType | None
) -> Iterator[Piece]:
    """Those between two keys, a few at a time."""
    query = _PIECES if stream is None else _PIECES_OF_STREAM
    of_stream = {} if stream is None else {"stream": stream.value}
    while True:
        rows = connection.execute(query, {"first": first, "last": last, **of_stream}).all()
        for _key, at, step, kind, line, offset, text in rows:
            if kind in _OUTPUT and isinstance(at, int) and _is_readable((line, offset, text)):
                yield Piece(at, step, EventType(kind), line, offset, text)
        if len(rows) < _PIECES_AT_ONCE:
            return
        first = rows[-1].key + 1


def _numbered(database: Database, seq: int, numbers: Sequence[int]) -> Iterator[LogLine]:
    """The lines with these ascending numbers; nearby lines are read together."""
    position = 0
    while position < len(numbers):
        begin = position
        while position < len(numbers) and _near(numbers, position, begin):
            position += 1
        wanted = set(numbers[begin:position])
        first, span = numbers[begin], numbers[position - 1] - numbers[begin] + 1
        yield from (x for x in _lines(database, seq, first, span) if x.number in wanted)


def _chunks(database: Database, log: _Log) -> Iterator[bytes]:
    """The log in chunks of about BATCH_BYTES."""
    first, end = event_key(log.seq, 1), 0
    while end < log.bytes:
        reading = partial(_texts, seq=log.seq, first=first, to=end + BATCH_BYTES)
        last, texts = database.read(reading)
        if not texts:
            return
        yield _joined(texts, end)
        first, end = last + 1, _end_of(texts)


def _before_line(connection: sa.Connection, seq: int, line: int) -> tuple[int, int]:
    """The key and offset of the event to start from so that a line is complete."""
    row = connection.execute(_BEFORE_LINE, {"of_run": seq, "place": line}).first()
    return (int(row[0]), int(row[1] or 0)) if row else (event_key(seq, 1), 0)


def _texts(connection: sa.Connection, seq: int, first: int, to: int) -> tuple[int, Sequence[_Text]]:
    """The output from key `first` to the last event that starts at or before byte `to`."""
    last = connection.scalar(_AT_OFFSET, {"of_run": seq, "place": to}) or 0
    rows = connection.execute(_TEXTS, {"first": first, "last": last})
    # The driver's own tuples: a log of a million pieces would wait a second for better ones.
    texts = rows.cursor.fetchall() if rows.cursor is not None else []
    rows.close()
    if not all(map(_is_readable, texts)):
        texts = [row for row in texts if _is_readable(row)]
    return last, texts


def _is_readable(row: _Text) -> bool:
    """Whether the row is what we stored: a damaged piece is missing from the log."""
    line, offset, text = row
    return isinstance(text, bytes) and isinstance(offset, int) and isinstance(line, int)


def _end_of(texts: Sequence[_Text]) -> int:
    """The byte where a batch ends."""
    return texts[-1][1] + len(texts[-1][2])


def _near(numbers: Sequence[int], position: int, begin: int) -> bool:
    return position == begin or numbers[position] - numbers[position - 1] <= _NEARBY_LINES


def _joined(texts: Sequence[_Text], end: int) -> bytes:
    """A batch that continues at byte `end`, with the newlines that are not part of any event."""
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

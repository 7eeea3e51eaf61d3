"""Copying all that a store keeps into an empty database, of the same kind or the other.

One transaction of the target holds the whole copy: one that fails, or is killed, leaves an empty
database. Workers and leases belong to the processes of the old place, and are left out.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa

from runbook.errors import (
    ActiveRunsError,
    ConflictError,
    CopyDiffersError,
    RunbookError,
    StoreUnavailableError,
)
from runbook.quick_dataclass import dataclass
from runbook.store import migrate
from runbook.store.database import Database
from runbook.store.dialects import copying as words
from runbook.store.dialects.dialect import CommitUnknownError
from runbook.store.dialects.portable import Text
from runbook.store.salvage import DamagedRow, Salvage, add_missing
from runbook.store.tables import blobs, documents, leases, metadata, runs, workers

TABLES = tuple(table for table in metadata.sorted_tables if table not in (leases, workers))
"""What is copied: a table comes after those that it points at."""

# Rows per batch. Documents and blobs may be large.
_AT_ONCE = 500
_FEWER = {documents.name: 10, blobs.name: 1}

_ACTIVE = (
    sa.select(runs.c.status, sa.func.count())
    .where(runs.c.finished_at.is_(None))
    .group_by(runs.c.status)
    .order_by(runs.c.status)
)


@dataclass(frozen=True, slots=True)
class CopiedTable:
    """`digest` is the SHA-256 of the rows in the order of their keys, the same on both sides.

    `replaced` counts texts whose NUL characters, which PostgreSQL does not take, became "?", and
    `damaged` rows with damaged values.
    """

    name: str
    rows: int
    digest: str
    replaced: int
    damaged: int = 0


@dataclass(frozen=True, slots=True)
class Copied:
    """`active` counts the runs that had not ended, by their status.

    `damaged` names the damaged rows, but at most `salvage.NAMED` per table.
    """

    tables: tuple[CopiedTable, ...]
    active: dict[str, int]
    damaged: tuple[DamagedRow, ...] = ()


def copy(source: Database, target: Database, *, with_active: bool = False) -> Copied:
    """Copy everything as it is at one moment, and compare both sides.

    Makes the target, or brings it to this version. Raises ConflictError where it is not empty,
    ActiveRunsError where runs have not ended unless `with_active`, StoreUnavailableError where
    the source is of another version or a database cannot be used, CopyDiffersError. Damaged rows
    are copied as `salvage` says.
    """
    with _told(source):
        source.read(migrate.check)
    with _told(target):
        target.dialect.create()
        migrate.upgrade(target.dialect)
    with _reading(source) as reading:
        active = _active(source, reading, allowed=with_active)
        with _writing(target) as writing:
            begun = _Copy(source, reading, target, writing)
            return Copied(tuple(begun.tables()), active, tuple(begun.damaged))


class _Copy:
    """One copy, between two open transactions."""

    def __init__(
        self,
        source: Database,
        reading: sa.Connection,
        target: Database,
        writing: sa.Connection,
    ) -> None:
        self._source = source
        self._reading = reading
        self._target = target
        self._writing = writing
        self.damaged: list[DamagedRow] = []

    def tables(self) -> Iterator[CopiedTable]:
        """Those that were copied. After the last one the target is ready to be committed."""
        with _told(self._target):
            words.keep_writers_out(self._writing, metadata.sorted_tables)
            _check_empty(self._writing)
        for table in TABLES:
            yield self._copied(table)
        with _told(self._source):
            last = words.last_run_number(self._reading)
        with _told(self._target):
            words.go_on_from(self._writing, last)
            words.refresh_statistics(self._writing)

    def _copied(self, table: sa.Table) -> CopiedTable:
        read, salvage = _Tally(table), Salvage(table)
        for found in _batches(self._source, self._reading, table):
            rows = salvage.rows(found)
            read.add(rows)
            if rows:
                with _told(self._target):
                    self.damaged += add_missing(self._writing, table, rows)
                    self._writing.execute(sa.insert(table), rows)
        self.damaged += salvage.damaged
        written = _Tally(table)
        for rows in _batches(self._target, self._writing, table):
            written.add(rows)
        if (read.rows, read.digest) != (written.rows, written.digest):
            raise CopyDiffersError(
                f"The copy of the table {table.name} differs from the original, and was undone: "
                f"{read.rows} rows became {written.rows}.",
                table=table.name,
            )
        return CopiedTable(table.name, read.rows, read.digest, read.replaced, salvage.count)


class _Tally:
    """What the rows of a table come to."""

    def __init__(self, table: sa.Table) -> None:
        self._texts = [column.name for column in table.c if isinstance(column.type, Text)]
        self._sum = hashlib.sha256()
        self.rows = 0
        self.replaced = 0

    @property
    def digest(self) -> str:
        return self._sum.hexdigest()

    def add(self, rows: Sequence[dict[str, Any]]) -> None:
        """Count the rows, with their texts as every database takes them."""
        for row in rows:
            self._make_storable(row)
            line = json.dumps(list(row.values()), default=_digest_of, separators=(",", ":"))
            self._sum.update(line.encode() + b"\n")
        self.rows += len(rows)

    def _make_storable(self, row: dict[str, Any]) -> None:
        for name in self._texts:
            text = row[name]
            if text is not None and "\0" in text:
                row[name] = text.replace("\0", "?")
                self.replaced += 1


def _digest_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _batches(
    database: Database, connection: sa.Connection, table: sa.Table
) -> Iterator[list[dict[str, Any]]]:
    """All rows of a table in the order of their keys, a few at a time."""
    keys = tuple(table.primary_key.columns)
    size = _FEWER.get(table.name, _AT_ONCE)
    first = sa.select(table).order_by(*keys).limit(size)
    statement = first
    while True:
        with _told(database):
            rows = [dict(row) for row in connection.execute(statement).mappings()]
        if not rows:
            return
        last = [sa.literal(rows[-1][key.name], key.type) for key in keys]
        yield rows
        if len(rows) < size:
            return
        statement = first.where(sa.tuple_(*keys) > sa.tuple_(*last))


@contextmanager
def _reading(source: Database) -> Iterator[sa.Connection]:
    with _told(source):
        connection = source.engine().connect()
    with connection, words.snapshot(connection):
        yield connection


@contextmanager
def _writing(target: Database) -> Iterator[sa.Connection]:
    """One transaction that excludes other migrations and copies."""
    engine = target.dialect.migration_engine()
    try:
        with _told(target):
            connection = engine.connect()
        with target.translating(), connection, target.dialect.migration(connection):
            yield connection
    except CommitUnknownError:
        raise StoreUnavailableError(
            "The connection was lost while the copy was committed. Copy again: the database is "
            "either still empty, or has everything and refuses a second copy."
        ) from None
    finally:
        engine.dispose()


@contextmanager
def _told(database: Database) -> Iterator[None]:
    """Errors say which of the two databases they are about."""
    try:
        with database.translating():
            yield
    except RunbookError as error:
        message = error.message.replace("DATABASE_URL", "its URL")
        raise type(error)(f"{database.dialect.shown}: {message}", **error.details) from error


def _check_empty(connection: sa.Connection) -> None:
    for table in metadata.sorted_tables:
        count = connection.scalar(sa.select(sa.func.count()).select_from(table))
        if count:
            raise ConflictError(
                f"The database is not empty ({table.name}: {count} rows). Name one without data; "
                "a copy that failed or was interrupted leaves none.",
                table=table.name,
            )


def _active(source: Database, connection: sa.Connection, *, allowed: bool) -> dict[str, int]:
    with _told(source):
        found = {row[0]: row[1] for row in connection.execute(_ACTIVE)}
        if found and not allowed:
            counts = ", ".join(f"{count} {status}" for status, count in found.items())
            raise ActiveRunsError(f"Some runs have not ended: {counts}.", **found)
    return found

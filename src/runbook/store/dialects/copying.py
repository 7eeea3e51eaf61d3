"""What copying a whole database takes, in the words of each kind."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import sqlalchemy as sa

from runbook.store.dialects.portable import is_remote

# However long the copy takes.
_SNAPSHOT = """
BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0
"""
_SEQUENCE = "pg_get_serial_sequence('runs', 'seq')"


@contextmanager
def snapshot(connection: sa.Connection) -> Iterator[None]:
    """All that is read inside is as it was at the first reading; others may write meanwhile."""
    with connection.begin() as transaction:
        connection.exec_driver_sql(_SNAPSHOT if is_remote(connection) else "BEGIN")
        yield
        transaction.rollback()


def keep_writers_out(connection: sa.Connection, tables: Iterable[sa.Table]) -> None:
    """Block other writers of these tables until this transaction ends."""
    if is_remote(connection):
        names = ", ".join(table.name for table in tables)
        connection.exec_driver_sql(f"LOCK TABLE {names} IN EXCLUSIVE MODE")


def last_run_number(connection: sa.Connection) -> int:
    """The highest `seq` that a run was ever given, also one that was purged; 0 for none."""
    if is_remote(connection):
        last = connection.exec_driver_sql(f"SELECT pg_sequence_last_value({_SEQUENCE}::regclass)")
    else:
        last = connection.exec_driver_sql("SELECT seq FROM sqlite_sequence WHERE name = 'runs'")
    return last.scalar() or 0


def go_on_from(connection: sa.Connection, number: int) -> None:
    """Number the next run higher than this."""
    if not number:
        return
    if is_remote(connection):
        connection.exec_driver_sql(f"SELECT setval({_SEQUENCE}, {number:d})")
    else:
        connection.exec_driver_sql("DELETE FROM sqlite_sequence WHERE name = 'runs'")
        connection.exec_driver_sql("INSERT INTO sqlite_sequence VALUES ('runs', ?)", (number,))


def refresh_statistics(connection: sa.Connection) -> None:
    """So that the first queries are planned for what is there."""
    if is_remote(connection):
        connection.exec_driver_sql("ANALYZE")

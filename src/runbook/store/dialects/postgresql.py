"""What is particular to PostgreSQL: connecting, beginning a transaction, reading its errors."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal, cast

import psycopg
import sqlalchemy as sa
from sqlalchemy.pool import QueuePool

from runbook.errors import StoreEncodingError, StoreUnavailableError
from runbook.store.dialects.dialect import (
    NOT_MIGRATED,
    CommitUnknownError,
    Dialect,
    Fault,
    Listener,
)
from runbook.store.dialects.portable import Turn, exclusively
from runbook.store.dialects.values import read_json

POOL_SIZE = 5
MORE_CONNECTIONS = 10
MIGRATION_PATIENCE_S = 120.0

# What the driver is told unless the URL says otherwise. A server that is gone is noticed.
_CONNECTING = {
    "application_name": "runbook",
    "connect_timeout": "5",
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
    "tcp_user_timeout": "30000",
}
# Set after connecting, because a connection pooler rejects them as startup options. A worker
# suspended during a transaction must not block others.
_SETTINGS = """
SET statement_timeout = '30s';
SET idle_in_transaction_session_timeout = '10s'; SET TimeZone = 'UTC'
"""
_READ_ONLY = "SET default_transaction_read_only = on"
_ENDLESS = "SET statement_timeout = 0"
# One way to the server and back for both.
_BEGIN = "BEGIN; SELECT pg_current_xact_id()::text"
_COMMITTED = sa.text("SELECT pg_xact_status(CAST(CAST(:number AS text) AS xid8))")
_STATUSES = {"committed": True, "aborted": False}
_CHANNEL = "runbook"
# Asynchronous, since nothing is lost with it that matters: other commits do not wait for its disk.
_NOTIFY = sa.text(
    f"SELECT set_config('synchronous_commit', 'off', true), pg_notify('{_CHANNEL}', :notice)"
)
_IS_STANDBY = sa.text("SELECT pg_is_in_recovery()")
_SIZE = sa.text("SELECT pg_database_size(current_database())")

# Where two transactions may insert the same row, and the second finds the first's next time.
_RACED = frozenset({"counters", "documents", "idempotency_keys", "locks", "runbooks"})
_RETRIED = frozenset({"40001", "40P01", "23503"})  # serialization, deadlock, foreign key
_WAITED = frozenset({"55P03", "57014", "53300"})  # lock or statement timeout, connections
_CLOSED = ("08", "57P", "25P03", "25P04")  # connection, shutdown, idle for too long
_LACKING = frozenset({"42P01", "42703", "42501"})  # table, column, permission
# libpq tells why a server refuses to let it in only as text, which other languages than English
# leave unrecognized: it then counts as a server that doesn't answer.
_REFUSALS = (
    (re.compile(r'database ".*" does not exist'), "3D000"),
    (re.compile(r"permission denied for database"), "42501"),
    (re.compile(r"too many c(?:lients|onnections)|connection slots are reserved"), "53300"),
    (re.compile(r"the database system is "), "57P03"),
    (
        re.compile(
            r"authentication failed|no password supplied|pg_hba\.conf"
            r'|role ".*" (?:does not exist|is not permitted)'
        ),
        "28000",
    ),
)

_UNREACHABLE = (
    "The database does not answer: check that PostgreSQL runs, and the host, user, password and "
    "name in DATABASE_URL."
)
_ENCODING = (
    "The database that DATABASE_URL names has the encoding {}, but must have UTF8. Create another "
    "one: CREATE DATABASE runbook ENCODING 'UTF8' TEMPLATE template0."
)
_REASONS = (
    ("42P01", NOT_MIGRATED),
    ("42703", "The database is of another version: run `runbook db migrate`."),
    ("42501", "The user in DATABASE_URL lacks a permission: let it own the database."),
    ("25006", "The database is read-only: name the primary in DATABASE_URL, not a standby."),
    ("28", "The database refuses the user or the password in DATABASE_URL."),
    (
        "3D000",
        "The database that DATABASE_URL names does not exist: create it, or restore a backup.",
    ),
    ("53100", "The database's disk is full: free some space."),
    ("53200", "The database's server is out of memory."),
    ("57P03", "PostgreSQL is starting up or shutting down: wait until it accepts connections."),
)


class PostgreSQL(Dialect):
    """A database of a server, which hosts share."""

    kind: Literal["postgresql"] = "postgresql"
    is_embedded = False
    errors = (sa.exc.SQLAlchemyError, psycopg.Error)

    def __init__(self, url: sa.URL) -> None:
        self._url = url.set(drivername="postgresql+psycopg")
        self.shown = _shown(url)

    def engine(self, *, read_only: bool, patience_s: float) -> sa.Engine:
        """Its connections are in no transaction: each reading sees what was last committed."""
        engine = self._engine(patience_s)
        settings = (_SETTINGS, _waiting(patience_s), _READ_ONLY if read_only else "")
        _say_once_connected(engine, ";".join(settings))
        return engine

    def _engine(self, patience_s: float) -> sa.Engine:
        given = {name: value for name, value in _CONNECTING.items() if name not in self._url.query}
        return sa.create_engine(
            self._url,
            connect_args=given,
            isolation_level="AUTOCOMMIT",
            poolclass=QueuePool,
            pool_size=POOL_SIZE,
            max_overflow=MORE_CONNECTIONS,
            pool_timeout=patience_s,
            use_native_hstore=False,
            json_serializer=json.JSONEncoder(separators=(",", ":")).encode,
            json_deserializer=read_json,
        )

    @contextmanager
    def transaction(
        self,
        connection: sa.Connection,
        *,
        durable: bool,  # noqa: ARG002 - each commit is
    ) -> Iterator[None]:
        """READ COMMITTED: each statement sees what was committed before it."""
        transaction = connection.begin()
        number = _begin(connection)
        try:
            yield
        except BaseException:
            transaction.rollback()
            raise
        try:
            transaction.commit()
        except sa.exc.DBAPIError as error:
            if self.fault(error) is Fault.LOST:
                raise CommitUnknownError(number) from error
            raise

    def committed(self, connection: sa.Connection, transaction: str) -> bool | None:
        return _STATUSES.get(connection.scalar(_COMMITTED, {"number": transaction}))

    def fault(self, error: Exception) -> Fault:
        if isinstance(error, sa.exc.TimeoutError):
            return Fault.BUSY  # for a connection of the pool
        original = error.orig if isinstance(error, sa.exc.DBAPIError) else error
        if not isinstance(original, psycopg.Error):
            return Fault.OURS
        state = _state(original)
        return _fault(state, original) if state else _fault_without_state(original)

    def unavailable(self, error: Exception) -> StoreUnavailableError:
        state = _state(error)
        reason = next((reason for begin, reason in _REASONS if state.startswith(begin)), None)
        return StoreUnavailableError(reason or _UNREACHABLE)

    def check(self, connection: sa.Connection) -> None:
        if connection.scalar(_IS_STANDBY):
            raise StoreUnavailableError(dict(_REASONS)["25006"])

    def size(self, connection: sa.Connection) -> int:
        return int(connection.scalar(_SIZE) or 0)

    def create(self) -> None:
        """Its administrator does."""

    def migration_engine(self) -> sa.Engine:
        engine = self._engine(MIGRATION_PATIENCE_S)
        _say_once_connected(engine, f"{_ENDLESS};{_waiting(MIGRATION_PATIENCE_S)}")
        return engine

    @contextmanager
    def migration(self, connection: sa.Connection) -> Iterator[None]:
        with self.transaction(connection, durable=True):
            exclusively(connection, Turn.MIGRATION)
            yield

    def notify(self, connection: sa.Connection, notice: str) -> None:
        connection.execute(_NOTIFY, {"notice": notice})

    def listener(self, engine: sa.Engine) -> Listener:
        return _Listener(engine)


class _Listener(Listener):
    def __init__(self, engine: sa.Engine) -> None:
        """Its connection is of the pool's making, but no longer counts as one of the pool's."""
        taken = engine.raw_connection()
        self._connection = cast("psycopg.Connection[Any]", taken.driver_connection)
        taken.detach()
        try:
            self._connection.execute(f"LISTEN {_CHANNEL}")
        except psycopg.Error:
            self._connection.close()
            raise

    def fileno(self) -> int:
        return int(self._connection.fileno())

    def heard(self) -> list[str]:
        return [notice.payload for notice in self._connection.notifies(timeout=0)]

    def close(self) -> None:
        self._connection.close()


def _begin(connection: sa.Connection) -> str:
    """Begin a transaction; its number."""
    cursor = connection.connection.cursor()
    try:
        cursor.execute(_BEGIN)
        cursor.nextset()
        (number,) = cursor.fetchall()
        return str(number[0])
    finally:
        cursor.close()


def _waiting(patience_s: float) -> str:
    return f"SET lock_timeout = {max(1, round(patience_s * 1000))}"


def _say_once_connected(engine: sa.Engine, settings: str) -> None:
    def say(connection: Any, _entry: object) -> None:
        connection.execute(settings)

    def check(connection: Any, _entry: object) -> None:
        _check_encoding(connection)

    sa.event.listen(engine, "connect", say)
    # Before SQLAlchemy's own first statement, which fails with some encodings.
    sa.event.listen(engine, "connect", check, insert=True)


def _check_encoding(connection: psycopg.Connection[Any]) -> None:
    """Others can't store every text, or SQL_ASCII any bytes. A pooler may not tell the encoding."""
    encoding = connection.info.parameter_status("server_encoding")
    if encoding not in (None, "UTF8"):
        connection.close()
        raise StoreEncodingError(_ENCODING.format(encoding))


def _fault(state: str, error: psycopg.Error) -> Fault:
    if state in _RETRIED:
        return Fault.IN_THE_WAY
    if state == "23505":
        return Fault.IN_THE_WAY if error.diag.table_name in _RACED else Fault.DUPLICATE
    if state in _WAITED:
        return Fault.BUSY
    if state.startswith(_CLOSED):
        return Fault.LOST
    if state.startswith("22"):
        return Fault.VALUE
    is_statement = state.startswith(("42", "23", "0A")) and state not in _LACKING
    return Fault.OURS if is_statement else Fault.UNUSABLE


def _fault_without_state(error: psycopg.Error) -> Fault:
    """Of the driver itself, which could not connect, or did not take a value."""
    if isinstance(error, psycopg.DataError):
        return Fault.VALUE
    return Fault.LOST if isinstance(error, psycopg.OperationalError) else Fault.OURS


def _state(error: Exception) -> str:
    original = error.orig if isinstance(error, sa.exc.DBAPIError) else error
    if not isinstance(original, psycopg.Error):
        return ""
    return original.sqlstate or _state_of_refusal(original)


def _state_of_refusal(error: psycopg.Error) -> str:
    """Of a connection that was not made."""
    if not isinstance(error, psycopg.OperationalError):
        return ""
    text = str(error)
    return next((state for pattern, state in _REFUSALS if pattern.search(text)), "")


def _shown(url: sa.URL) -> str:
    """The URL to display, even if the host or a password is among the options."""
    host = url.host or url.query.get("host") or ""
    parts = sa.URL.create(
        "postgresql",
        username=url.username,
        host=host if isinstance(host, str) else ",".join(host),
        port=url.port,
        database=url.database,
    )
    return parts.render_as_string()

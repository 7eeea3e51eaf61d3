"""What is particular to SQLite: opening the file, beginning a transaction, reading its errors."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

import sqlalchemy as sa
from sqlalchemy.pool import QueuePool

from runbook.errors import ConfigurationError, RunbookError, StoreUnavailableError

# A wait inside SQLite stops every greenlet of a web process, so it is short; `Database` goes on
# waiting outside.
BUSY_TIMEOUT_MS = 5

DriverError = sa.exc.DBAPIError | sqlite3.Error

_DECODER = json.JSONDecoder()

_SETTINGS = (
    "PRAGMA foreign_keys=ON",
    "PRAGMA synchronous=NORMAL",
    "PRAGMA journal_size_limit=67108864",
    "PRAGMA temp_store=MEMORY",
)

_REASONS = (
    ("disk is full", "The database's disk is full: free some space."),
    ("unable to open", "The database cannot be opened: check that it exists and may be written."),
    ("no such table", "The database has not been prepared by this version: start the server once."),
    ("no such column", "The database is of another version: start the server once."),
    ("readonly", "The database is read-only: check the permissions of its file and folder."),
    ("malformed", "The database is damaged: restore it from a backup."),
    ("not a database", "The database is damaged: restore it from a backup."),
    ("disk i/o error", "The database's disk fails: check the disk, and that it is not full."),
)


def url_for(path: Path) -> str:
    """The URL of a file, whatever characters its path has."""
    return sa.URL.create("sqlite", database=str(path)).render_as_string()


def path_of(url: str) -> Path:
    """The file of a `sqlite:///` URL. Raises ConfigurationError for any other."""
    try:
        parsed = sa.make_url(url)
    except sa.exc.ArgumentError:
        raise ConfigurationError("DATABASE_URL is not a database URL.") from None
    if parsed.get_backend_name() != "sqlite":
        raise ConfigurationError("DATABASE_URL must begin with sqlite:///, followed by a path.")
    if not parsed.database or parsed.database == ":memory:":
        raise ConfigurationError("DATABASE_URL must name a file: sqlite:///PATH.")
    return Path(parsed.database).absolute()


def create_file(path: Path) -> None:
    """Make the empty database, readable by its owner only, unless something is there."""
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))


def engine_for(path: Path, *, read_only: bool = False) -> sa.Engine:
    """An engine that opens no connection yet and never creates the file."""

    def connect() -> sqlite3.Connection:
        connection = _open_read_only(path) if read_only else _open(path, "mode=rw")
        return _configured(connection)

    # The statement cache of the driver is larger than the number of the store's statements.
    return sa.create_engine(
        "sqlite://",
        creator=connect,
        poolclass=QueuePool,
        pool_size=8,
        max_overflow=-1,
        json_serializer=json.JSONEncoder(separators=(",", ":")).encode,
        json_deserializer=_json_value,
    )


@contextmanager
def transaction(connection: sa.Connection) -> Iterator[None]:
    """A transaction that takes the write lock at once.

    One that only takes it at its first write fails with "database is locked" where another
    writer was faster, however long it was ready to wait. The driver begins none by itself
    (its isolation level is None). An event listener would do the same, at a price for every
    statement.
    """
    with connection.begin():
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        yield


def set_durable(connection: sa.Connection, *, durable: bool) -> None:
    """Whether the next commit waits until the disk has it. Only outside a transaction."""
    info = connection.info
    if info.get("durable", False) is not durable:
        cursor = connection.connection.cursor()
        cursor.execute(f"PRAGMA synchronous={'FULL' if durable else 'NORMAL'}")
        cursor.close()
        info["durable"] = durable


def is_busy(error: DriverError) -> bool:
    text = _text(error)
    return "locked" in text or "busy" in text


def unavailable(error: DriverError) -> RunbookError:
    """The error that says what to do, without a path of this machine."""
    text = _text(error)
    lowered = text.lower()
    reason = next((reason for mark, reason in _REASONS if mark in lowered), None)
    return StoreUnavailableError(reason or f"The database cannot be used: {text}.")


def is_duplicate(error: DriverError) -> bool:
    return isinstance(error, sa.exc.IntegrityError)


def is_ours(error: DriverError) -> bool:
    """Whether a statement of ours is at fault, rather than the machine."""
    return isinstance(error, sa.exc.ProgrammingError | sa.exc.InterfaceError)


def _text(error: DriverError) -> str:
    return str(error.orig if isinstance(error, sa.exc.DBAPIError) else error)


def _open(path: Path, options: str) -> sqlite3.Connection:
    return sqlite3.connect(
        f"file:{quote(str(path))}?{options}",
        uri=True,
        timeout=BUSY_TIMEOUT_MS / 1000,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=256,
    )


def _open_read_only(path: Path) -> sqlite3.Connection:
    """Open without writing, also where the files that WAL wants beside it cannot be made."""
    connection = _open(path, "mode=ro")
    try:
        connection.execute("PRAGMA schema_version").close()
    except sqlite3.Error as error:
        connection.close()
        if not isinstance(error, sqlite3.OperationalError):
            raise
        wal = path.with_name(path.name + "-wal")
        if not path.is_file() or (wal.exists() and wal.stat().st_size):
            raise
        return _open(path, "immutable=1")
    return connection


def _configured(connection: sqlite3.Connection) -> sqlite3.Connection:
    """The connection with our settings; closed where it does not take them."""
    try:
        for setting in _SETTINGS:
            connection.execute(setting).close()
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _json_value(text: str) -> Any:
    """What `json.loads` gives, without its search for spaces around what we wrote ourselves."""
    return _DECODER.raw_decode(text)[0]

"""What is particular to SQLite: opening the file, beginning a transaction, reading its errors."""

from __future__ import annotations

import json
import os
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Literal
from urllib.parse import quote

import sqlalchemy as sa
from sqlalchemy.pool import QueuePool

from runbook.errors import (
    ConfigurationError,
    RunbookError,
    StoreDamagedError,
    StoreUnavailableError,
)
from runbook.store.dialects.dialect import NOT_MIGRATED, Dialect, Fault, Listener
from runbook.store.dialects.values import decode_text, read_json

# A wait inside SQLite blocks every greenlet of a web process, so it is short; `Database` retries
# outside.
BUSY_TIMEOUT_MS = 5

TEMPLATE = Path(__file__).parents[1] / "migrations" / "empty.db"
"""A migrated empty database. Only images have one: copying it is faster than migrating."""

_MOVED = "The database's file was removed or replaced: put it back, and restart."
_CUT = "The database's file was cut short: restore it from a backup, and restart."
_DAMAGE = ("malformed", "not a database")

_SETTINGS = (
    "PRAGMA foreign_keys=ON",
    "PRAGMA synchronous=NORMAL",
    "PRAGMA journal_size_limit=67108864",
    "PRAGMA temp_store=MEMORY",
)

_REASONS = (
    ("disk is full", "The database's disk is full: free some space."),
    ("unable to open", "The database cannot be opened: check that it exists and may be written."),
    ("no such table", NOT_MIGRATED),
    ("no such column", "The database is of another version: start the server once."),
    ("readonly", "The database is read-only: check the permissions of its file and folder."),
    ("malformed", "The database is damaged: restore it from a backup."),
    ("not a database", "The database is damaged: restore it from a backup."),
    ("disk i/o error", "The database's disk fails: check the disk, and that it is not full."),
)


def url_for(path: Path) -> str:
    """The URL of a file, whatever characters its path has."""
    return sa.URL.create("sqlite", database=str(path)).render_as_string()


class SQLite(Dialect):
    """A file. It is opened by each process that uses it, and written to by one at a time."""

    kind: Literal["sqlite"] = "sqlite"
    is_embedded = True
    errors = (sa.exc.SQLAlchemyError, sqlite3.Error, UnicodeEncodeError, OverflowError)

    def __init__(self, url: sa.URL) -> None:
        """Raises ConfigurationError for a URL that names no file."""
        if not url.database or url.database == ":memory:":
            raise ConfigurationError("DATABASE_URL must name a file: sqlite:///PATH.")
        self.path = Path(url.database).absolute()
        self.shown = url_for(self.path)
        self._identity: tuple[int, int] | None = None
        self._size = 0

    def engine(self, *, read_only: bool, patience_s: float = 0) -> sa.Engine:  # noqa: ARG002
        """The file is not made by it."""
        with suppress(OSError):
            status = self.path.stat()
            self._identity, self._size = (status.st_dev, status.st_ino), status.st_size

        def connect() -> sqlite3.Connection:
            opened = _open_read_only(self.path) if read_only else _open(self.path, "mode=rw")
            return _configured(opened)

        # The statement cache of the driver is larger than the number of the store's statements.
        return sa.create_engine(
            "sqlite://",
            creator=connect,
            poolclass=QueuePool,
            pool_size=8,
            max_overflow=-1,
            json_serializer=json.JSONEncoder(separators=(",", ":")).encode,
            json_deserializer=read_json,
        )

    @contextmanager
    def transaction(self, connection: sa.Connection, *, durable: bool) -> Iterator[None]:
        """A transaction that takes the write lock at its start.

        If it took the lock only at the first write, it could fail with "database is locked" despite
        the timeout, when another writer came first. The driver doesn't start transactions itself
        (its isolation level is None). An event listener would do the same, but at a cost for every
        statement.
        """
        _set_durable(connection, durable=durable)
        with connection.begin():
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            yield

    def committed(self, connection: sa.Connection, transaction: str) -> bool:  # noqa: ARG002
        return False  # there is no connection that could be lost during a commit

    def fault(self, error: Exception) -> Fault:
        if isinstance(error, sa.exc.IntegrityError):
            return Fault.DUPLICATE
        if isinstance(error, UnicodeEncodeError | OverflowError):
            return Fault.VALUE
        text = _text(error)
        if "locked" in text or "busy" in text:
            return Fault.IN_THE_WAY
        if isinstance(error, sa.exc.ProgrammingError | sa.exc.InterfaceError):
            return Fault.OURS
        usual = sa.exc.DBAPIError | sqlite3.Error
        return Fault.UNUSABLE if isinstance(error, usual) else Fault.OURS

    def unavailable(self, error: Exception) -> StoreUnavailableError:
        text = _text(error)
        lowered = text.lower()
        reason = next((reason for mark, reason in _REASONS if mark in lowered), None)
        if reason is not None and any(mark in lowered for mark in _DAMAGE):
            return StoreDamagedError(reason)
        return StoreUnavailableError(reason or f"The database cannot be used: {text}.")

    def check(self, connection: sa.Connection) -> None:
        self.check_file(connection)

    def prepare(self) -> None:
        """A backup is one file, in a mode in which readers and writers block each other."""
        if self.path.stat().st_size == 0:
            return  # the migration sets the mode
        try:
            with closing(_open(self.path, "mode=rw")) as connection:
                if connection.execute("PRAGMA journal_mode").fetchone() != ("wal",):
                    connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.Error as error:
            if self.fault(error) is not Fault.IN_THE_WAY:
                raise self.unavailable(error) from error

    def forget_thoroughly(self, engine: sa.Engine) -> None:
        sa.event.listen(engine, "connect", lambda c, _: c.execute("PRAGMA secure_delete=ON"))

    def check_integrity(self, connection: sa.Connection) -> None:
        found = connection.exec_driver_sql("PRAGMA integrity_check(1)").scalar()
        if found != "ok":
            raise StoreDamagedError(f"The database is damaged: {found}.")

    def check_file(self, connection: sa.Connection) -> None:
        """A file that was removed, replaced or cut short still answers those who have it open.

        What they write then is lost.
        """
        # Read first: another thread may see the file grow between our look and the comparison.
        known = self._size
        try:
            status = os.stat(self.path)  # noqa: PTH116 - half the time of Path.stat
        except OSError:
            raise StoreDamagedError(_MOVED) from None
        if self._identity not in (None, (status.st_dev, status.st_ino)):
            raise StoreDamagedError(_MOVED)
        if status.st_size < known:
            self._check_size(connection, status.st_size)
        self._size = status.st_size

    def _check_size(self, connection: sa.Connection, size: int) -> None:
        """VACUUM makes the file smaller, but knows how many pages it has then."""
        pages = int(connection.exec_driver_sql("PRAGMA page_count").scalar() or 0)
        page_size = int(connection.exec_driver_sql("PRAGMA page_size").scalar() or 0)
        if pages * page_size > size:
            raise StoreDamagedError(_CUT)

    def size(self, connection: sa.Connection) -> int:  # noqa: ARG002
        """With its log, which comes and goes."""
        size = 0
        for file in (self.path, self.path.with_name(f"{self.path.name}-wal")):
            with suppress(FileNotFoundError):
                size += file.stat().st_size
        return size

    def create(self) -> None:
        """Readable by its owner only."""
        try:
            if not (self.path.exists() or _copied(TEMPLATE, self.path)):
                with suppress(FileExistsError):
                    os.close(os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        except OSError as error:
            raise StoreUnavailableError(
                f"The database's file cannot be made: {error.strerror}."
            ) from error

    def migration_engine(self) -> sa.Engine:
        engine = self.engine(read_only=False)
        # A migration may rebuild a table that others point at.
        sa.event.listen(engine, "connect", lambda c, _: c.execute("PRAGMA foreign_keys=OFF"))
        return engine

    @contextmanager
    def migration(self, connection: sa.Connection) -> Iterator[None]:
        cursor = connection.connection.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.close()
        with self.transaction(connection, durable=False):
            yield

    def notify(self, connection: sa.Connection, notice: str) -> None:
        """Not available: SQLite has no notifications."""

    def listener(self, engine: sa.Engine) -> Listener:
        raise NotImplementedError

    def backup(self, engine: sa.Engine, path: Path) -> None:
        """Others write meanwhile."""
        target = sqlite3.connect(path)
        try:
            with engine.connect() as connection:
                source = connection.connection.driver_connection
                if not isinstance(source, sqlite3.Connection):
                    raise RunbookError
                source.backup(target)
            # One file, without a log beside it.
            target.execute("PRAGMA journal_mode=DELETE")
        finally:
            target.close()


def _copied(template: Path, path: Path) -> bool:
    """Whether the file is there now, whole. A file that another process made first stays."""
    try:
        content = template.read_bytes()
    except OSError:
        return False
    descriptor, scratch = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        return _linked(scratch, path)
    finally:
        os.unlink(scratch)  # noqa: PTH108 - a name as text


def _linked(scratch: str, path: Path) -> bool:
    try:
        os.link(scratch, path)
    except FileExistsError:
        return True
    except OSError:  # a file system without hard links
        return False
    return True


def _set_durable(connection: sa.Connection, *, durable: bool) -> None:
    """Whether the next commit waits until the disk has it. Only outside a transaction."""
    info = connection.info
    if info.get("durable", False) is not durable:
        cursor = connection.connection.cursor()
        cursor.execute(f"PRAGMA synchronous={'FULL' if durable else 'NORMAL'}")
        cursor.close()
        info["durable"] = durable


def _text(error: Exception) -> str:
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
    """Open read-only, even if WAL's extra files can't be created."""
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
    """The connection with our settings; closed if setting them fails."""
    connection.text_factory = decode_text
    try:
        for setting in _SETTINGS:
            connection.execute(setting).close()
    except sqlite3.Error:
        connection.close()
        raise
    return connection

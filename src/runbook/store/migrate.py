"""Bring the database to this version, once, however many processes start at the same time."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path

import sqlalchemy as sa

from runbook.errors import StoreBusyError, StoreUnavailableError
from runbook.store.dialects import sqlite
from runbook.store.migrations import HEAD

MIGRATIONS = Path(__file__).with_name("migrations")
PATIENCE_S = 120.0

_VERSION = sa.text("SELECT version_num FROM alembic_version")


def version(connection: sa.Connection) -> str | None:
    """The version of the database; None where it has none yet."""
    try:
        found = connection.execute(_VERSION).scalar()
    except sa.exc.OperationalError as error:
        if "no such table" in str(error.orig):
            return None
        raise
    return None if found is None else str(found)


def check(connection: sa.Connection) -> None:
    """Raise StoreUnavailableError unless the database is of this version."""
    if version(connection) != HEAD:
        raise StoreUnavailableError(
            "The database has not been prepared by this version: start the server once."
        )


def upgrade(path: Path, *, head: str = HEAD, migrations: Path = MIGRATIONS) -> None:
    """Run the missing migrations in one transaction; another process waits for its end.

    Raises StoreUnavailableError where a newer version of the program made the database.
    """
    engine = sqlite.engine_for(path)
    sa.event.listen(engine, "connect", _configure)
    deadline = time.monotonic() + PATIENCE_S
    try:
        while not _attempt(engine, head, migrations):
            if time.monotonic() > deadline:
                raise StoreBusyError
            time.sleep(0.02)
    finally:
        engine.dispose()


def _attempt(engine: sa.Engine, head: str, migrations: Path) -> bool:
    """False where the database is locked by another process."""
    try:
        with engine.connect() as connection:
            _switch_to_wal(connection)
            with sqlite.transaction(connection):
                if version(connection) != head:
                    _run(connection, head, migrations)
    except (sa.exc.DBAPIError, sqlite3.Error) as error:
        if sqlite.is_busy(error):
            return False
        raise sqlite.unavailable(error) from error
    return True


def _run(connection: sa.Connection, head: str, migrations: Path) -> None:
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(migrations).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, head)
    except CommandError as error:
        raise StoreUnavailableError(
            "The database was made by a newer version of this program: upgrade the program."
        ) from error


def _configure(connection: sqlite3.Connection, _entry: object) -> None:
    # A migration may rebuild a table that others point at.
    connection.execute("PRAGMA foreign_keys=OFF").close()


def _switch_to_wal(connection: sa.Connection) -> None:
    cursor = connection.connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.close()

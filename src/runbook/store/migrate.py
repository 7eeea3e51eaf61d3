"""Upgrades the database, once, even if several processes start at the same time."""

from __future__ import annotations

import time
from pathlib import Path

import sqlalchemy as sa

from runbook.errors import StoreBusyError, StoreNewerError, StoreUnavailableError
from runbook.quick_dataclass import dataclass
from runbook.store.dialects.dialect import NOT_MIGRATED, Dialect, Fault
from runbook.store.migrations import HEAD

MIGRATIONS = Path(__file__).with_name("migrations")
PATIENCE_S = 120.0

_TABLE = "alembic_version"
_VERSION = sa.text(f"SELECT version_num FROM {_TABLE}")  # noqa: S608 - a constant


def _newer(found: str) -> str:
    return (
        f"The database has version {found} and was made by a newer version of this program, which "
        f"knows versions up to {HEAD}: upgrade the program, or restore a backup made before the "
        "upgrade."
    )


@dataclass(frozen=True, slots=True)
class Migration:
    """The version of a database before and after a migration; None if it was empty."""

    before: str | None
    after: str = HEAD

    @property
    def changed(self) -> bool:
        return self.before != self.after


def version(connection: sa.Connection) -> str | None:
    """The version of the database; None if it has none yet."""
    if not sa.inspect(connection).has_table(_TABLE):
        return None
    found = connection.execute(_VERSION).scalar()
    return None if found is None else str(found)


def known_version(connection: sa.Connection) -> str | None:
    """Raises StoreUnavailableError if a newer version of the program created the database."""
    found = version(connection)
    if found is not None and found > HEAD:
        raise StoreNewerError(_newer(found), found=found, known=HEAD)
    return found


def check(connection: sa.Connection) -> None:
    """Raise StoreUnavailableError unless the database is of this version."""
    if known_version(connection) != HEAD:
        raise StoreUnavailableError(NOT_MIGRATED)


def upgrade(dialect: Dialect, *, head: str = HEAD, migrations: Path = MIGRATIONS) -> Migration:
    """Run the pending migrations in one transaction; other processes wait for it.

    Raises StoreUnavailableError if a newer version of the program created the database.
    """
    engine = dialect.migration_engine()
    deadline = time.monotonic() + PATIENCE_S
    try:
        while (done := _attempt(dialect, engine, head, migrations)) is None:
            if time.monotonic() > deadline:
                raise StoreBusyError
            time.sleep(0.02)
        return done
    finally:
        engine.dispose()


def _attempt(dialect: Dialect, engine: sa.Engine, head: str, migrations: Path) -> Migration | None:
    """None if another process holds the lock."""
    try:
        with engine.connect() as connection, dialect.migration(connection):
            before = version(connection)
            if before != head:
                _run(connection, head, migrations)
    except dialect.errors as error:
        fault = dialect.fault(error)
        if fault is Fault.IN_THE_WAY:
            return None
        if fault is Fault.BUSY:
            raise StoreBusyError from error
        if fault is Fault.OURS:
            raise
        raise dialect.unavailable(error) from error
    return Migration(before, head)


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
        found = version(connection) or "none"
        raise StoreNewerError(_newer(found), found=found, known=HEAD) from error

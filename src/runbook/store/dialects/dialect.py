"""What the store needs to know of a kind of database, besides the statements."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import AbstractContextManager
from enum import Enum, auto
from pathlib import Path
from typing import Literal

import sqlalchemy as sa

from runbook.errors import StoreUnavailableError


class Fault(Enum):
    """What an error of the database means for whoever asked."""

    OURS = auto()
    """A statement is wrong."""
    IN_THE_WAY = auto()
    """Another transaction was in the way. This one has changed nothing, and may be repeated."""
    BUSY = auto()
    """The database was waited for, as long as one waits."""
    LOST = auto()
    """The connection is lost, and what was not committed with it."""
    DUPLICATE = auto()
    """There is a row with this key."""
    VALUE = auto()
    """The database has no such value: a number too large, a text with bytes that no text has."""
    UNUSABLE = auto()
    """The database cannot be used until somebody has repaired something."""


class CommitUnknownError(Exception):
    """The connection was lost during a commit. `transaction` names what may have been committed."""

    def __init__(self, transaction: str) -> None:
        self.transaction = transaction
        super().__init__(transaction)


class Listener(ABC):
    """A connection on which notices arrive; it can be selected for reading."""

    @abstractmethod
    def fileno(self) -> int: ...

    @abstractmethod
    def heard(self) -> list[str]:
        """What has arrived, without waiting."""

    @abstractmethod
    def close(self) -> None: ...


class Dialect(ABC):
    """One database of one kind."""

    errors: tuple[type[Exception], ...]
    """What may be raised: SQLAlchemy's errors, and those of the driver itself."""
    kind: Literal["sqlite", "postgresql"]
    """What it is called in the URL and in statistics."""
    shown: str
    """Which database it is, for people: without its password."""
    is_embedded: bool
    """Whether this process opens the database's file itself, where one may write at a time."""

    @abstractmethod
    def engine(self, *, read_only: bool, patience_s: float) -> sa.Engine:
        """An engine that has no connection yet, for this process.

        `patience_s` is how long to wait for others inside the database, where one may.
        """

    @abstractmethod
    def transaction(
        self, connection: sa.Connection, *, durable: bool
    ) -> AbstractContextManager[None]:
        """A transaction that writes. `durable` waits for the disk wherever that is optional.

        Raises CommitUnknownError.
        """

    @abstractmethod
    def committed(self, connection: sa.Connection, transaction: str) -> bool | None:
        """Whether a transaction was committed; None while it is under way."""

    @abstractmethod
    def fault(self, error: Exception) -> Fault:
        """What an error of SQLAlchemy or of the driver means."""

    @abstractmethod
    def unavailable(self, error: Exception) -> StoreUnavailableError:
        """What to do about it, without a path, host or password."""

    @abstractmethod
    def check(self, connection: sa.Connection) -> None:
        """Raise StoreUnavailableError where this is not the database that others write to."""

    @abstractmethod
    def size(self, connection: sa.Connection) -> int:
        """The bytes that it takes on its disk."""

    @abstractmethod
    def create(self) -> None:
        """Make the empty database, where that is up to us. Raises StoreUnavailableError."""

    @abstractmethod
    def migration_engine(self) -> sa.Engine:
        """An engine whose connections may wait and change tables for a long time."""

    @abstractmethod
    def migration(self, connection: sa.Connection) -> AbstractContextManager[None]:
        """A transaction that nobody else is in. Others wait, or have Fault.IN_THE_WAY."""

    @abstractmethod
    def notify(self, connection: sa.Connection, notice: str) -> None:
        """Send a notice to all listeners."""

    @abstractmethod
    def listener(self, engine: sa.Engine) -> Listener: ...

    @abstractmethod
    def backup(self, engine: sa.Engine, path: Path) -> None:
        """Copy the database, as it is at one moment, to an empty file that exists."""

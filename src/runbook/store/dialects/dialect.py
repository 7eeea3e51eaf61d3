"""The interface of a database dialect, besides the statements."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import AbstractContextManager
from enum import Enum, auto
from typing import Literal

import sqlalchemy as sa

from runbook.errors import StoreUnavailableError

NOT_MIGRATED = "The database has another version: run `runbook db migrate`, or start the server."


class Fault(Enum):
    """The meaning of a database error for the caller."""

    OURS = auto()
    """A bug: the statement is wrong."""
    IN_THE_WAY = auto()
    """Conflict with another transaction. Nothing was changed, and the work can be retried."""
    BUSY = auto()
    """Timed out while waiting for the database."""
    LOST = auto()
    """The connection was lost, and with it everything uncommitted."""
    DUPLICATE = auto()
    """A row with this key already exists."""
    VALUE = auto()
    """The database can't store a value: a number too large, or text with invalid bytes."""
    UNUSABLE = auto()
    """The database can't be used until it is repaired."""


class CommitUnknownError(Exception):
    """The connection was lost during a commit. `transaction` may have been committed."""

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
    """One database, with the specifics of its kind."""

    errors: tuple[type[Exception], ...]
    """The exceptions that may be raised: SQLAlchemy's and the driver's."""
    kind: Literal["sqlite", "postgresql"]
    """The name in the URL and in statistics."""
    shown: str
    """The database's display name, without its password."""
    is_embedded: bool
    """Whether this process opens the database's file itself, with a single writer at a time."""

    @abstractmethod
    def engine(self, *, read_only: bool, patience_s: float) -> sa.Engine:
        """A new engine for this process, without connections.

        `patience_s` is how long statements may wait for locks inside the database, if supported.
        """

    @abstractmethod
    def transaction(
        self, connection: sa.Connection, *, durable: bool
    ) -> AbstractContextManager[None]:
        """A write transaction. `durable` waits until the commit is on disk, if that is optional.

        Raises CommitUnknownError.
        """

    def prepare(self) -> None:  # noqa: B027 - servers are set up by others
        """Bring an existing database into the mode in which it is used."""

    def forget_thoroughly(self, engine: sa.Engine) -> None:  # noqa: B027
        """Overwrite what is deleted from now on, if that is optional."""

    def check_integrity(self, connection: sa.Connection) -> None:  # noqa: B027
        """Read everything, if that is our job. Raises StoreDamagedError."""

    def check_file(self, connection: sa.Connection) -> None:  # noqa: B027 - servers have no file
        """Raise StoreDamagedError if what others left of the database's file can't be used.

        Cheap, as it precedes every reading and writing.
        """

    @abstractmethod
    def committed(self, connection: sa.Connection, transaction: str) -> bool | None:
        """Whether a transaction was committed; None while it is in progress."""

    @abstractmethod
    def fault(self, error: Exception) -> Fault:
        """Classifies an error from SQLAlchemy or the driver."""

    @abstractmethod
    def unavailable(self, error: Exception) -> StoreUnavailableError:
        """The error for the user, with what to do, without path, host or password."""

    @abstractmethod
    def check(self, connection: sa.Connection) -> None:
        """Raise StoreUnavailableError if other processes use a different database by now."""

    @abstractmethod
    def size(self, connection: sa.Connection) -> int:
        """The size on disk, in bytes."""

    @abstractmethod
    def create(self) -> None:
        """Create the empty database if that is our job. Raises StoreUnavailableError."""

    @abstractmethod
    def migration_engine(self) -> sa.Engine:
        """An engine for migrations, without timeouts."""

    @abstractmethod
    def migration(self, connection: sa.Connection) -> AbstractContextManager[None]:
        """An exclusive transaction. Others wait, or get Fault.IN_THE_WAY."""

    @abstractmethod
    def notify(self, connection: sa.Connection, notice: str) -> None:
        """Send a notice to all listeners."""

    @abstractmethod
    def listener(self, engine: sa.Engine) -> Listener: ...

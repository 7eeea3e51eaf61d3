"""Connections, transactions and patience: how the store's methods reach the database."""

from __future__ import annotations

import os
import random
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TypeVar

import sqlalchemy as sa

from runbook.errors import ConflictError, StoreBusyError, StoreUnavailableError
from runbook.store.dialects import sqlite

T = TypeVar("T")

PATIENCE_S = 10.0
MOVED_TEXT = "The database's file was removed or replaced: put it back, and restart."
_PAUSE_S = (0.001, 0.010)


class _Opened:
    """What one process has open. Nothing connects before the first statement."""

    def __init__(self, engine: sa.Engine) -> None:
        self.engine = engine
        self.write_lock = threading.Lock()
        self.identity: tuple[int, int] | None = None
        self._idle: deque[sa.Connection] = deque()

    @contextmanager
    def connection(self) -> Iterator[sa.Connection]:
        """A connection outside any transaction; one that failed is not used again.

        Kept by us between uses: the pool's own checking out and in costs as much as a statement.
        """
        try:
            connection = self._idle.pop()
        except IndexError:
            connection = self.engine.connect()
        try:
            yield connection
            connection.rollback()  # ends what reading began; a write has committed before
        except BaseException:
            connection.close()
            raise
        self._idle.append(connection)

    def close(self) -> None:
        while self._idle:
            self._idle.pop().close()
        self.engine.dispose()


class Database:
    """One database, usable by every thread, and by processes forked before or after its use.

    Raises StoreBusyError where others kept it locked for `patience_s`, StoreUnavailableError
    where it cannot be used at all.
    """

    def __init__(
        self, url: str, *, read_only: bool = False, patience_s: float = PATIENCE_S
    ) -> None:
        self.path = sqlite.path_of(url)
        self.read_only = read_only
        self._patience_s = patience_s
        # By process: a connection must not be used, nor closed, by a fork of its owner.
        self._opened: dict[int, _Opened] = {}

    def read(self, work: Callable[[sa.Connection], T]) -> T:
        """The result of `work`, whose statements see what was last committed."""

        def attempt() -> T:
            with self._here().connection() as connection:
                return work(connection)

        return self._patiently(attempt, time.monotonic() + self._patience_s)

    def write(self, work: Callable[[sa.Connection], T], *, durable: bool = False) -> T:
        """Do `work` in one transaction that holds the write lock from its beginning.

        `work` may be called again where the database was locked; it must not wait for anything.
        `durable` returns only when the disk has the commit.
        """
        if self.read_only:
            raise StoreUnavailableError("The database was opened for reading only.")
        deadline = time.monotonic() + self._patience_s
        opened = self._here()

        def attempt() -> T:
            with opened.connection() as connection:
                sqlite.set_durable(connection, durable=durable)
                with sqlite.transaction(connection):
                    return work(connection)

        # Threads of one process queue here rather than wake each other up inside SQLite.
        if not opened.write_lock.acquire(timeout=self._patience_s):
            raise StoreBusyError
        try:
            return self._patiently(attempt, deadline)
        finally:
            opened.write_lock.release()

    def check_file(self) -> None:
        """Raises StoreUnavailableError where the path no longer leads to the file in use."""
        try:
            status = self.path.stat()
        except OSError:
            raise StoreUnavailableError(MOVED_TEXT) from None
        if self._here().identity not in (None, (status.st_dev, status.st_ino)):
            raise StoreUnavailableError(MOVED_TEXT)

    def engine(self) -> sa.Engine:
        """This process's engine, for work that brings its own transactions."""
        return self._here().engine

    def close(self) -> None:
        """Close this process's connections. A later use opens them again."""
        opened = self._opened.pop(os.getpid(), None)
        if opened is not None:
            opened.close()

    def _here(self) -> _Opened:
        here = self._opened.get(os.getpid())
        if here is None:
            made = _Opened(sqlite.engine_for(self.path, read_only=self.read_only))
            with suppress(OSError):
                status = self.path.stat()
                made.identity = (status.st_dev, status.st_ino)
            here = self._opened.setdefault(os.getpid(), made)
        return here

    def _patiently(self, attempt: Callable[[], T], deadline: float) -> T:
        while True:
            try:
                return attempt()
            except (sa.exc.DBAPIError, sqlite3.Error) as error:
                if sqlite.is_ours(error):
                    raise
                if sqlite.is_duplicate(error):
                    raise ConflictError("The database has such a row already.") from error
                if not sqlite.is_busy(error):
                    raise sqlite.unavailable(error) from error
                if time.monotonic() > deadline:
                    raise StoreBusyError from error
            time.sleep(random.uniform(*_PAUSE_S))  # noqa: S311 - spreads writers, guards nothing

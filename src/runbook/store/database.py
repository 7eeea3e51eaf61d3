"""Connections, transactions and retries: how the store's methods access the database."""

from __future__ import annotations

import os
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import sqlalchemy as sa

from runbook.errors import (
    DamagedRecordError,
    DuplicateError,
    RequestError,
    RunbookError,
    StoreBusyError,
    StoreUnavailableError,
)
from runbook.store.dialects import dialect_of
from runbook.store.dialects.dialect import CommitUnknownError, Dialect, Fault

T = TypeVar("T")

PATIENCE_S = 10.0
_PAUSE_S = (0.001, 0.010)
_UNKNOWN_PAUSE_S = 0.1


class _Opened:
    """The connections of one process. Connects on the first statement."""

    def __init__(self, engine: sa.Engine, *, keeps: bool) -> None:
        self.engine = engine
        self.write_lock = threading.Lock()
        self._keeps = keeps
        self._idle: deque[sa.Connection] = deque()

    @contextmanager
    def connection(self) -> Iterator[sa.Connection]:
        """A connection outside any transaction; one that failed is not used again.

        Those of a file are kept by us between uses: the pool's own checking out and in costs as
        much as a statement. Those of a server are few, and the pool makes others wait for one.
        """
        try:
            connection = self._idle.pop()
        except IndexError:
            connection = self.engine.connect()
        try:
            yield connection
            connection.rollback()  # ends what reading began; a write has committed before
        except Exception:
            connection.close()
            raise
        except BaseException:  # amid a statement, perhaps
            connection.invalidate()
            connection.close()
            raise
        if self._keeps:
            self._idle.append(connection)
        else:
            connection.close()

    def close(self) -> None:
        while self._idle:
            self._idle.pop().close()
        self.engine.dispose()


class Database:
    """One database, usable from any thread, and from processes forked before or after first use.

    Raises StoreBusyError if others kept it locked for `patience_s`, StoreUnavailableError if it
    can't be used at all, DuplicateError if a key is taken.
    """

    def __init__(
        self, url: str, *, read_only: bool = False, patience_s: float = PATIENCE_S
    ) -> None:
        self.dialect: Dialect = dialect_of(url)
        self.read_only = read_only
        self._patience_s = patience_s
        # Per process: a fork must neither use nor close its parent's connections.
        self._opened: dict[int, _Opened] = {}

    def read(self, work: Callable[[sa.Connection], T]) -> T:
        """The result of `work`, whose statements each see the last committed state."""

        def attempt() -> T:
            with self._here().connection() as connection:
                self.dialect.check_file(connection)
                return work(connection)

        try:
            return self._patiently(attempt, self._deadline())
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            # Most readers replace what is damaged; whatever they miss ends only this request.
            raise DamagedRecordError(f"A record in the database is damaged: {error}.") from error

    def write(self, work: Callable[[sa.Connection], T], *, durable: bool = False) -> T:
        """Run `work` in one transaction; on SQLite, it holds the write lock from the start.

        `work` may be retried after a conflict, so it must not wait for anything. `durable` returns
        only after the commit is on disk, even if that is optional.
        """
        if self.read_only:
            raise StoreUnavailableError("The database was opened read-only.")
        deadline = self._deadline()

        def attempt() -> T:
            return self._once(work, deadline, durable=durable)

        if not self.dialect.is_embedded:
            return self._patiently(attempt, deadline)
        # Threads of one process queue here instead of waking each other up inside SQLite.
        write_lock = self._here().write_lock
        if not write_lock.acquire(timeout=self._patience_s):
            raise StoreBusyError
        try:
            return self._patiently(attempt, deadline)
        finally:
            write_lock.release()

    def check(self) -> None:
        """Raise StoreUnavailableError if other processes use a different database by now."""
        self.read(self.dialect.check)

    def engine(self) -> sa.Engine:
        """This process's engine, for code that manages its own transactions."""
        return self._here().engine

    @contextmanager
    def translating(self) -> Iterator[None]:
        """For statements on connections of one's own: their errors mean what they do elsewhere."""
        try:
            yield
        except self.dialect.errors as error:
            fault = self.dialect.fault(error)
            if fault is Fault.OURS:
                raise
            raise self._meaning(fault, error) from error

    def close(self) -> None:
        """Close this process's connections. They are reopened on the next use."""
        opened = self._opened.pop(os.getpid(), None)
        if opened is not None:
            opened.close()

    def _here(self) -> _Opened:
        here = self._opened.get(os.getpid())
        if here is None:
            engine = self.dialect.engine(read_only=self.read_only, patience_s=self._patience_s)
            made = _Opened(engine, keeps=self.dialect.is_embedded)
            here = self._opened.setdefault(os.getpid(), made)
        return here

    def _deadline(self) -> float:
        return time.monotonic() + self._patience_s

    def _once(self, work: Callable[[sa.Connection], T], deadline: float, *, durable: bool) -> T:
        try:
            with (
                self._here().connection() as connection,
                self.dialect.transaction(connection, durable=durable),
            ):
                self.dialect.check_file(connection)
                result = work(connection)
        except CommitUnknownError as unknown:
            if self._was_committed(unknown.transaction, deadline):
                return result
            return self._once(work, deadline, durable=durable)
        return result

    def _was_committed(self, transaction: str, deadline: float) -> bool:
        """Ask again once the database answers. Raises StoreUnavailableError if it doesn't."""
        while True:
            try:
                done = self.read(lambda c: self.dialect.committed(c, transaction))
            except StoreUnavailableError:
                done = None
                if time.monotonic() > deadline:
                    raise
            if done is not None:
                return done
            if time.monotonic() > deadline:
                raise StoreBusyError
            time.sleep(_UNKNOWN_PAUSE_S)

    def _patiently(self, attempt: Callable[[], T], deadline: float) -> T:
        reconnected = False
        while True:
            try:
                return attempt()
            except self.dialect.errors as error:
                fault = self.dialect.fault(error)
                if fault is Fault.OURS:
                    raise
                if fault is Fault.LOST and not reconnected:
                    reconnected = True
                    self._here().engine.dispose()  # the others of the pool are lost, too
                elif fault is not Fault.IN_THE_WAY or time.monotonic() > deadline:
                    raise self._meaning(fault, error) from error
                else:
                    time.sleep(random.uniform(*_PAUSE_S))  # noqa: S311 - spreads writers

    def _meaning(self, fault: Fault, error: Exception) -> RunbookError:
        match fault:
            case Fault.IN_THE_WAY | Fault.BUSY:
                return StoreBusyError()
            case Fault.DUPLICATE:
                return DuplicateError()
            case Fault.VALUE:
                return RequestError("The database can't store one of the values.")
        return self.dialect.unavailable(error)

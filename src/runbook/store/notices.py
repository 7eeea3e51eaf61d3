"""Short messages between the processes that share a database. They may be lost."""

from __future__ import annotations

import secrets
import select
import time
from collections.abc import Iterator
from contextlib import contextmanager

from runbook.store.dialects.dialect import Listener
from runbook.store.rows import Component


class Notices(Component):
    """None pass where the database is a file: its processes are on one host and know better."""

    @property
    def pass_through(self) -> bool:
        return not self._database.dialect.is_embedded

    def send(self, notice: str) -> None:
        """Send up to 7,000 bytes to all who listen, this process too.

        Never in the transaction of a change: PostgreSQL lets those commit one after the other.
        """
        self._database.read(lambda connection: self._database.dialect.notify(connection, notice))

    @contextmanager
    def listening(self) -> Iterator[Listener]:
        """A separate connection that receives notices sent from now on.

        Raises StoreUnavailableError, also inside the `with` once the connection is lost.
        """
        dialect = self._database.dialect
        try:
            listener = dialect.listener(self._database.engine())
            try:
                yield listener
            finally:
                listener.close()
        except dialect.errors as error:
            raise dialect.unavailable(error) from error

    def arrive(self, within_s: float) -> bool:
        """Whether a notice arrives. Behind a pooler that lends connections briefly, none does."""
        notice = secrets.token_hex(8)
        deadline = time.monotonic() + within_s
        with self.listening() as listener:
            self.send(notice)
            while (rest := deadline - time.monotonic()) > 0:
                select.select([listener], [], [], rest)
                if notice in listener.heard():
                    return True
        return False

"""Wake-ups that pass through the database, for processes on other hosts."""

from __future__ import annotations

import os
import selectors
import threading
from collections.abc import Callable

from runbook import log
from runbook.errors import RunbookError
from runbook.store.dialects.dialect import Listener
from runbook.store.notices import Notices

RECONNECT_SECONDS = 2.0
CLOSE_SECONDS = 2.0
MOST_AT_ONCE = 40
"""Of messages of up to 170 bytes: a notice holds 7,000."""


class Broadcast:
    """Sends messages in batches, and hears those of others. Its threads start when needed.

    `hear` gets each message, `missed` is called when messages may have been lost.
    """

    def __init__(
        self, notices: Notices, hear: Callable[[str], None], missed: Callable[[], None]
    ) -> None:
        self._notices = notices
        self._hear = hear
        self._missed = missed
        self._state = threading.Condition()
        self._pending: list[str] = []
        self._closed = False
        self._sender: threading.Thread | None = None
        self._listener: threading.Thread | None = None
        self._stop = -1

    def send(self, message: str) -> None:
        """Send soon: what is said while a batch is on its way goes with the next."""
        with self._state:
            if self._closed:
                return
            self._pending.append(message)
            self._state.notify()
            if self._sender is None:
                self._sender = threading.Thread(target=self._send_batches, daemon=True)
                self._sender.start()

    def listen(self) -> None:
        with self._state:
            if self._closed or self._listener is not None:
                return
            self._stop = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
            self._listener = threading.Thread(target=self._listen, daemon=True)
            self._listener.start()

    def close(self) -> None:
        """Send what is pending, and end both threads."""
        with self._state:
            if self._closed:
                return
            self._closed = True
            self._state.notify()
            if self._listener is not None:
                os.eventfd_write(self._stop, 1)
        for thread in (self._sender, self._listener):
            if thread is not None:
                thread.join(CLOSE_SECONDS)

    def _send_batches(self) -> None:
        while batch := self._next_batch():
            try:
                self._notices.send("\n".join(batch))
            except RunbookError as error:  # the others look by themselves now and then
                log.warning("wakeups.not_sent", error=error.message)

    def _next_batch(self) -> list[str]:
        with self._state:
            self._state.wait_for(lambda: self._pending or self._closed)
            batch = self._pending[:MOST_AT_ONCE]
            del self._pending[:MOST_AT_ONCE]
            return batch

    def _listen(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._stop, selectors.EVENT_READ)
            while not self._closed:
                try:
                    with self._notices.listening() as listener:
                        self._missed()
                        self._pass_on(listener)
                except RunbookError as error:
                    log.warning("wakeups.not_heard", error=error.message)
                    selector.select(RECONNECT_SECONDS)
        os.close(self._stop)

    def _pass_on(self, listener: Listener) -> None:
        """Until it is time to stop. Raises what `Notices.listening` does."""
        with selectors.DefaultSelector() as selector:
            selector.register(self._stop, selectors.EVENT_READ)
            selector.register(listener, selectors.EVENT_READ)
            while not self._closed:
                for notice in listener.heard():
                    for message in notice.split("\n"):
                        self._hear(message)
                selector.select()

"""One thread for all routers of a process: it accepts connections and fires timers."""

from __future__ import annotations

import atexit
import heapq
import itertools
import selectors
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress

LONGEST_S = 3600.0
"""The kernel takes no timeout of more than 24 days, but a timer may be due in years."""


class Timer:
    def __init__(self, callback: Callable[[], None]) -> None:
        self._callback: Callable[[], None] | None = callback

    def cancel(self) -> None:
        self._callback = None

    def fire(self) -> None:
        if callback := self._callback:
            self._callback = None
            callback()


class Hub:
    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._asking, self._waking = socket.socketpair()
        self._asking.setblocking(False)
        self._waking.setblocking(False)
        self._selector.register(self._asking, selectors.EVENT_READ, None)
        self._timers: list[tuple[float, int, Timer]] = []
        self._numbers = itertools.count()
        self._lock = threading.Lock()
        self._started = False
        self._ended = False

    def later(self, seconds: float, callback: Callable[[], None]) -> Timer:
        """Call it in the hub's thread. It must be quick."""
        timer = Timer(callback)
        with self._lock:
            heapq.heappush(self._timers, (time.monotonic() + seconds, next(self._numbers), timer))
            self._start()
        self._wake()
        return timer

    def listen(self, listener: socket.socket, accepted: Callable[[socket.socket], None]) -> None:
        listener.setblocking(False)
        with self._lock:
            self._selector.register(listener, selectors.EVENT_READ, accepted)
            self._start()
        self._wake()

    def forget(self, listener: socket.socket) -> None:
        with self._lock, suppress(KeyError, ValueError):
            self._selector.unregister(listener)
        self._wake()

    def _start(self) -> None:
        if not self._started:
            self._started = True
            self._thread = threading.Thread(target=self._run, name="routeros-hub", daemon=True)
            self._thread.start()
            atexit.register(self._end)

    def _wake(self) -> None:
        with suppress(BlockingIOError):
            self._waking.send(b"x")

    def _run(self) -> None:
        while not self._ended:
            for key, _ in self._selector.select(self._until_next()):
                if key.data is None:
                    with suppress(BlockingIOError):
                        self._asking.recv(4096)
                else:
                    self._accept(key.fileobj, key.data)  # type: ignore[arg-type]
            self._fire()

    def _end(self) -> None:
        self._ended = True
        self._wake()
        self._thread.join(1)
        self._selector.close()
        self._asking.close()
        self._waking.close()

    def _until_next(self) -> float:
        with self._lock:
            left = self._timers[0][0] - time.monotonic() if self._timers else LONGEST_S
            return min(max(left, 0.0), LONGEST_S)

    def _fire(self) -> None:
        while True:
            with self._lock:
                if not self._timers or self._timers[0][0] > time.monotonic():
                    return
                timer = heapq.heappop(self._timers)[2]
            timer.fire()

    @staticmethod
    def _accept(listener: socket.socket, accepted: Callable[[socket.socket], None]) -> None:
        with suppress(OSError):
            connection, _ = listener.accept()
            connection.setblocking(True)
            accepted(connection)


_shared: Hub | None = None
_shared_lock = threading.Lock()


def shared() -> Hub:
    global _shared  # noqa: PLW0603 - one thread for the whole process
    with _shared_lock:
        if _shared is None:
            _shared = Hub()
        return _shared

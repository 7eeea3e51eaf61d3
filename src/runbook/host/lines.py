"""Writes log lines so that nobody waits for the log's reader.

A thread writes to the descriptor; up to 4 MiB of lines wait for it. If the reader doesn't read, the
disk is full or the pipe is closed, lines are dropped and counted, and the next line that gets
through says how many. Light to import, because the supervisor loads it.

Import this before gevent patches the standard library: the thread must be a real one.
"""

from __future__ import annotations

import atexit
import os
import sys
import time
from _queue import SimpleQueue
from _thread import RLock, allocate_lock, start_new_thread

TYPE_CHECKING = False
if TYPE_CHECKING:  # see `sealing.py`
    from collections.abc import Callable

STANDARD_ERROR = 2
MOST_BYTES = 4 * 1024 * 1024
"""Maximum size of the waiting lines."""
FLUSH_SECONDS = 1.0
"""How long the end of the process is delayed for waiting lines, in seconds."""

_starting = RLock()


def _dropped_line(count: int) -> bytes:
    """The line that reports dropped ones, in the form of `log.JsonFormatter`."""
    moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    head = f'{{"time": "{moment}", "level": "WARNING", "logger": "runbook"'
    return f'{head}, "event": "log.dropped", "lines": {count}}}\n'.encode()


class LineWriter:
    """Writes lines to a descriptor from a separate thread. Thread-safe; survives a fork.

    Never raises and never blocks, except `flush`, which waits for at most the given time.
    """

    def __init__(
        self,
        descriptor: int = STANDARD_ERROR,
        *,
        most_bytes: int = MOST_BYTES,
    ) -> None:
        self._descriptor = descriptor
        self._most_bytes = most_bytes
        self._begin(0)

    def _begin(self, pid: int) -> None:
        # Reentrant: a signal handler may interrupt its own thread while that holds the lock.
        self._lock = RLock()
        self._queue: SimpleQueue[bytes | Callable[[], None]] = SimpleQueue()
        self._size = 0
        self._dropped = 0
        self._cut = False
        """Whether the last line was written only in part."""
        self._pid = pid

    def write(self, line: bytes) -> None:
        """Write a line, with its line end, as soon as the reader takes it."""
        if self._pid != os.getpid():
            self._start()
        with self._lock:
            if self._size + len(line) > self._most_bytes:
                self._dropped += 1
                return
            self._size += len(line)
            self._queue.put(line)

    def _start(self) -> None:
        """Start the thread: at the first line, and after a fork, which leaves it behind."""
        with _starting:
            if self._pid != os.getpid():
                self._begin(os.getpid())
                start_new_thread(self._work, (self._queue,))

    def flush(self, seconds: float = FLUSH_SECONDS) -> bool:
        """Wait until the lines so far are written, or dropped. False if that takes too long."""
        if self._pid != os.getpid():
            return True
        reached = allocate_lock()
        reached.acquire()
        self._queue.put(reached.release)
        return reached.acquire(timeout=seconds)

    def _work(self, queue: SimpleQueue[bytes | Callable[[], None]]) -> None:
        while True:
            item = queue.get()
            if not isinstance(item, bytes):
                item()
                continue
            written = self._put(item)
            with self._lock:
                self._size -= len(item)
                self._dropped += not written

    def _put(self, line: bytes) -> bool:
        with self._lock:
            dropped = self._dropped
        if dropped and self._put_whole(_dropped_line(dropped)):
            with self._lock:
                self._dropped -= dropped
        return self._put_whole(line)

    def _put_whole(self, line: bytes) -> bool:
        left = memoryview(b"\n" + line if self._cut else line)
        size = len(left)
        try:
            while left:
                left = left[os.write(self._descriptor, left) :]
        except OSError:  # no reader, a full disk, or a closed descriptor
            self._cut = self._cut or len(left) < size
            return False
        self._cut = False
        return True


class LineStream:
    """A text stream for `sys.stderr` over a LineWriter: whatever is printed never blocks either."""

    encoding = "utf-8"
    errors = "backslashreplace"

    def __init__(self, writer: LineWriter) -> None:
        self._writer = writer
        self._open = ""

    def write(self, text: str) -> int:
        self._open += text
        whole, end, rest = self._open.rpartition("\n")
        if end:
            self._open = rest
            self._send(whole + end)
        return len(text)

    def writelines(self, lines: list[str]) -> None:
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        if self._open:
            text, self._open = self._open, ""
            self._send(text)

    def close(self) -> None:
        self.flush()

    def fileno(self) -> int:
        return STANDARD_ERROR

    def isatty(self) -> bool:
        return False

    def writable(self) -> bool:
        return True

    def _send(self, text: str) -> None:
        self._writer.write(text.encode(self.encoding, self.errors))


standard_error = LineWriter()
"""The process's log. Starts nothing before the first line."""


def take_over_stderr() -> None:
    """Let everything that this process prints on standard error pass through the log's thread."""
    sys.stderr = LineStream(standard_error)
    atexit.register(standard_error.flush)


def open_standard_streams() -> None:
    """Open /dev/null for closed standard streams, or the next file opened would take their place.

    A log line could then end up in the database.
    """
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            # The lowest free number is this one.
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)

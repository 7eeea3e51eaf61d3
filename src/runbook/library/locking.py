"""Opens and locks one file, so that no other process or thread appends to it."""

from __future__ import annotations

import errno
import fcntl
import os
import random
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from runbook.errors import HistoryError, HistoryReadOnlyError

_READ_ONLY = frozenset({errno.EROFS, errno.EACCES, errno.EPERM})
_FLAGS = os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK
_WRITE_BITS = 0o222

COPY_BYTES = 1024 * 1024

sync_data = getattr(os, "fdatasync", os.fsync)
"""Flushes a file's content and size to disk."""


@contextmanager
def locked(path: Path, *, seconds: float, write: bool) -> Iterator[int]:
    """A descriptor of the regular file at `path`, under an exclusive lock (shared for reading).

    The lock is on the file itself, so it applies to every path to it. A file replaced while waiting
    is reopened. Waiting sleeps briefly, so that cooperative threads can run. Raises
    HistoryReadOnlyError, HistoryError if the lock isn't acquired within `seconds`, and either for
    any OSError inside the block.
    """
    deadline = time.monotonic() + seconds
    while True:
        descriptor = _open(path, write=write)
        try:
            _lock(descriptor, fcntl.LOCK_EX if write else fcntl.LOCK_SH, deadline)
            if _is_at(descriptor, path):
                yield descriptor
                return
        except OSError as error:
            raise failure("read or written", error) from error
        finally:
            _unlock(descriptor)
        if time.monotonic() > deadline:
            raise HistoryError("The runbook's file keeps being replaced. Try again later.")


def failure(doing: str, error: OSError) -> HistoryError:
    """The domain error for an OS error, without server paths in its text."""
    if error.errno in _READ_ONLY:
        return HistoryReadOnlyError()
    return HistoryError(f"The history couldn't be {doing}: {error.strerror}.")


def _open(path: Path, *, write: bool) -> int:
    mode = os.O_RDWR | os.O_APPEND if write else os.O_RDONLY
    try:
        descriptor = os.open(path, mode | _FLAGS)
    except OSError as error:
        raise failure("opened", error) from error
    status = os.fstat(descriptor)
    if stat.S_ISREG(status.st_mode) and (not write or status.st_mode & _WRITE_BITS):
        return descriptor
    os.close(descriptor)
    if not stat.S_ISREG(status.st_mode):
        raise HistoryError("The runbook is not a regular file.")
    raise HistoryReadOnlyError  # root could write it, but it is marked read-only


def _lock(descriptor: int, kind: int, deadline: float) -> None:
    while True:
        try:
            fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise HistoryError(
                    "The runbook's history is locked by another process. Try again."
                ) from None
            time.sleep(random.uniform(0.001, 0.005))  # noqa: S311 - jitter for waiters
        except OSError as error:
            raise failure("locked", error) from error
        else:
            return


def _unlock(descriptor: int) -> None:
    """Unlock before closing: a process being started may share the descriptor for a moment."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_UN)
    finally:
        os.close(descriptor)


def _is_at(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


# -- bytes -------------------------------------------------------------------------------------


def size_of(descriptor: int) -> int:
    return os.fstat(descriptor).st_size


def read_at(descriptor: int, offset: int, size: int) -> bytes:
    """Up to `size` bytes from `offset`; fewer only at the end of the file."""
    parts: list[bytes] = []
    while size > 0 and (part := os.pread(descriptor, min(size, COPY_BYTES), offset)):
        parts.append(part)
        offset += len(part)
        size -= len(part)
    return b"".join(parts)


def write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def write_at(descriptor: int, offset: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        written = os.pwrite(descriptor, view, offset)
        view = view[written:]
        offset += written

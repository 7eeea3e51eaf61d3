"""Opens and locks one runbook, so that no other process or thread appends to it.

Two locks are taken in this order (docs/adr/010):

    Name.md              flock: shows others that the file is being written. Anyone who may read
                         the file can hold it, so it is only waited for briefly
    .Name.history.lock   flock: excludes other engine processes. Only those who may write the
                         runbook can open this file; it exists only while it is held

If the second file can't be created, the first lock must be acquired, and a writer also locks the
bytes, since others wait only briefly for the first lock.

Usually no one else uses the file. An entry is then appended under a write lock on its bytes
instead of the second file (`appending`): only those who may write it can hold one, but any reader
can prevent it. The holder of the second file waits until there is no such write lock.
"""

from __future__ import annotations

import errno
import fcntl
import os
import random
import stat
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from runbook import log
from runbook.errors import HistoryError, HistoryReadOnlyError
from runbook.quick_dataclass import dataclass

COURTESY_SECONDS = 0.5
"""How long to wait for the lock that any reader can hold."""
STUCK_SECONDS = 10.0
"""How long not to wait for it again, after somebody held it that long."""

_READ_ONLY = frozenset({errno.EROFS, errno.EACCES, errno.EPERM})
_FLAGS = os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK
_WRITE_BITS = 0o222
_REMEMBERED = 1024
_TRANSIENT = (".history.lock", ".history.journal", ".history.journal.tmp")

COPY_BYTES = 1024 * 1024

sync_data = getattr(os, "fdatasync", os.fsync)
"""Flushes a file's content and size to disk."""


@contextmanager
def locked(path: Path, *, seconds: float, write: bool) -> Iterator[int]:
    """A descriptor of the regular file at `path`, under an exclusive lock (shared for reading).

    A file replaced while waiting is reopened. Waiting sleeps briefly, so that cooperative threads
    can run. Raises HistoryReadOnlyError, HistoryError if another writer keeps the lock for
    `seconds`, and either for any OSError inside the block.
    """
    deadline = time.monotonic() + seconds
    while True:
        descriptor = _open(path, write=write)
        guard: _Guard | None = None
        try:
            guard = _acquire(path, descriptor, deadline, write=write)
            if is_at(descriptor, path):
                yield descriptor
                return
        except OSError as error:
            raise failure("read or written", error) from error
        finally:
            if guard is not None:
                guard.release()
            elif write:
                _set_bytes_lock(descriptor, fcntl.F_UNLCK)
            _unlock(descriptor)
        if time.monotonic() > deadline:
            raise HistoryError("The runbook's file keeps being replaced. Try again later.")


@contextmanager
def appending(path: Path) -> Iterator[int | None]:
    """A descriptor of the regular file at `path`, to append to it and do nothing else.

    None if somebody else uses the file or entries are being moved out of it: then use `locked`.
    Raises as `locked` does.
    """
    descriptor = _open(path, write=True)
    try:
        yield descriptor if _lock_to_append(path, descriptor) else None
    except OSError as error:
        raise failure("read or written", error) from error
    finally:
        _set_bytes_lock(descriptor, fcntl.F_UNLCK)
        _unlock(descriptor)


def failure(doing: str, error: OSError) -> HistoryError:
    """The domain error for an OS error, without server paths in its text."""
    if error.errno in _READ_ONLY:
        return HistoryReadOnlyError()
    return HistoryError(f"The history couldn't be {doing}: {error.strerror}.")


def is_transient(name: str) -> bool:
    """Whether this is a file that the engine creates next to a runbook while it writes there."""
    return name.startswith(".") and name.endswith(_TRANSIENT)


def lock_path(path: Path) -> Path:
    """The file whose lock excludes other writers; next to the real file, whatever leads there."""
    real = Path(os.path.realpath(path)) if path.is_symlink() else path
    return real.with_name(f".{real.stem}.history.lock")


def journal_path(path: Path) -> Path:
    """Exists only while entries are moved out of the runbook; see `rotation.py`."""
    return path.with_name(f".{path.stem}.history.journal")


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


# -- acquiring ---------------------------------------------------------------------------------


def _acquire(path: Path, descriptor: int, deadline: float, *, write: bool) -> _Guard | None:
    """Acquire both locks. Without a guard, writers need the lock on the file itself."""
    kind = fcntl.LOCK_EX if write else fcntl.LOCK_SH
    held = _wait_briefly(descriptor, kind, deadline)
    guard = _take_guard(lock_path(path), descriptor, deadline, write=write)
    try:
        _wait_for_append(descriptor, deadline)
        # Again, as the one who held it may have been an engine process that is done now.
        held = held or _attempt(descriptor, kind)
        if guard is None and write:
            if not held:
                _lock(descriptor, kind, deadline)
            _set_bytes_lock(descriptor, fcntl.F_WRLCK)
        elif not held:
            _remember_stuck(path, descriptor, kind)
    except BaseException:
        if guard is not None:
            guard.release()
        raise
    return guard


_stuck: dict[tuple[int, int, int], float] = {}
"""Device, inode and kind of locks that others keep, and until when not to wait for them."""


def _wait_briefly(descriptor: int, kind: int, deadline: float) -> bool:
    now = time.monotonic()
    stuck = _stuck.get(_key(descriptor, kind), 0) > now
    try:
        _lock(descriptor, kind, now if stuck else min(deadline, now + COURTESY_SECONDS))
    except HistoryError:
        return False
    return True


def _attempt(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _remember_stuck(path: Path, descriptor: int, kind: int) -> None:
    now, key = time.monotonic(), _key(descriptor, kind)
    if _stuck.get(key, 0) > now:
        return
    if len(_stuck) >= _REMEMBERED:
        _stuck.clear()
    _stuck[key] = now + STUCK_SECONDS
    log.warning("history.foreign_lock", file=path.name)


def _key(descriptor: int, kind: int) -> tuple[int, int, int]:
    status = os.fstat(descriptor)
    return status.st_dev, status.st_ino, kind


def _lock(descriptor: int, kind: int, deadline: float) -> None:
    while True:
        try:
            fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            _pause(deadline)
        except OSError as error:
            raise failure("locked", error) from error
        else:
            return


def _pause(deadline: float) -> None:
    """Sleep briefly before the next attempt. Raises HistoryError after the deadline."""
    if time.monotonic() > deadline:
        raise HistoryError("The runbook's history is locked by another process. Try again.")
    time.sleep(random.uniform(0.001, 0.005))  # noqa: S311 - jitter for waiters


def _unlock(descriptor: int) -> None:
    """Unlock before closing: a process being started may share the descriptor for a moment."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_UN)
    finally:
        os.close(descriptor)


def is_at(descriptor: int, path: Path) -> bool:
    """Whether the open file is still the one at `path`."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


# -- the lock on the bytes ---------------------------------------------------------------------

_FLOCK = struct.Struct("hhqqi4x")  # struct flock of 64-bit Linux
_SET, _GET = (getattr(fcntl, name, None) for name in ("F_OFD_SETLK", "F_OFD_GETLK"))


def _lock_to_append(path: Path, descriptor: int) -> bool:
    """Lock the file itself in both ways; False if it's locked, or if the second file exists.

    A writer that creates the second file later sees the lock on the bytes, and waits.
    """
    return (
        _attempt(descriptor, fcntl.LOCK_EX)
        and _set_bytes_lock(descriptor, fcntl.F_WRLCK)
        and not os.path.lexists(lock_path(path))
        and not os.path.lexists(journal_path(path))
        and is_at(descriptor, path)
    )


def _set_bytes_lock(descriptor: int, kind: int) -> bool:
    """False if somebody else has a lock on the bytes, or the system has no such locks."""
    if _SET is None:
        return False
    try:
        fcntl.fcntl(descriptor, _SET, _FLOCK.pack(kind, os.SEEK_SET, 0, 0, 0))
    except OSError:
        return False
    return True


def _wait_for_append(descriptor: int, deadline: float) -> None:
    """Wait until no one is appending. A reader's lock on the bytes rules out a writer's."""
    while _GET is not None:
        try:
            asked = _FLOCK.pack(fcntl.F_RDLCK, os.SEEK_SET, 0, 0, 0)
            found, *_ = _FLOCK.unpack(fcntl.fcntl(descriptor, _GET, asked))
        except OSError:
            return
        if found != fcntl.F_WRLCK:
            return
        _pause(deadline)


# -- the guard ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Guard:
    """The locked file that excludes other writers. The writer that holds it removes it."""

    descriptor: int
    path: Path
    owned: bool

    def release(self) -> None:
        if self.owned:
            with suppress(OSError):  # the next writer takes it over
                self.path.unlink()
        _unlock(self.descriptor)


def _take_guard(path: Path, runbook: int, deadline: float, *, write: bool) -> _Guard | None:
    """The guard; None if it can't be created or, for reading, if no one is writing."""
    while True:
        descriptor = _open_guard(path, runbook) if write else _open_existing(path)
        if descriptor is None:
            return None
        try:
            _lock(descriptor, fcntl.LOCK_EX if write else fcntl.LOCK_SH, deadline)
        except BaseException:
            os.close(descriptor)
            raise
        if is_at(descriptor, path):
            return _Guard(descriptor, path, owned=write)
        _unlock(descriptor)  # its holder has removed it


def _open_guard(path: Path, runbook: int) -> int | None:
    flags = os.O_RDWR | os.O_NOFOLLOW | _FLAGS
    while True:
        with suppress(FileNotFoundError):
            return _opened(path, flags)
        try:
            descriptor = os.open(path, flags | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:  # created by another process just now
            continue
        except OSError:  # no permission, or the disk is full
            return None
        _admit_writers(descriptor, runbook)
        return descriptor


def _open_existing(path: Path) -> int | None:
    try:
        return _opened(path, os.O_RDONLY | os.O_NOFOLLOW | _FLAGS)
    except FileNotFoundError:
        return None


def _opened(path: Path, flags: int) -> int | None:
    """None if it exists but can't be used. Raises FileNotFoundError."""
    try:
        return os.open(path, flags)
    except FileNotFoundError:
        raise
    except OSError:
        return None


def _admit_writers(guard: int, runbook: int) -> None:
    """Let exactly those open the guard who may write the runbook."""
    status = os.fstat(runbook)
    group, others = status.st_mode & stat.S_IWGRP, status.st_mode & stat.S_IWOTH
    with suppress(OSError):
        if os.geteuid() == 0 or group:
            os.fchown(guard, status.st_uid if os.geteuid() == 0 else -1, status.st_gid)
    with suppress(OSError):
        os.fchmod(guard, 0o600 | (0o060 if group else 0) | (0o006 if others else 0))


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

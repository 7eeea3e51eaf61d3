"""Temporary folders that don't outlive their process by much.

A process holds a lock on a file in each folder of its own. If it was killed, the next process that
makes a folder of the same kind finds the lock free and removes the folder.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress

METRICS = "runbook-metrics-"
DATA = "runbook-data-"
TESTS = "runbook-test-"
KINDS = (METRICS, DATA, TESTS)
METRICS_DIR = "RUNBOOK_METRICS_DIR"
"""The variable with the folder in which a server's processes share metrics."""

_LOCK = ".lock"
_NEW_LOCK = ".lock-new"
_FLAGS = os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC


@contextmanager
def temporary_folder(kind: str) -> Iterator[str]:
    """The path of a new private folder, removed at the end. Raises OSError."""
    remove_abandoned()
    path = tempfile.mkdtemp(prefix=kind)
    try:
        # The lock file gets its name once it's locked: others take a free lock for abandoned.
        lock = os.open(f"{path}/{_NEW_LOCK}", _FLAGS | os.O_CREAT | os.O_EXCL, 0o600)
        with suppress(OSError):  # a file system without locks
            fcntl.flock(lock, fcntl.LOCK_EX)
        os.rename(f"{path}/{_NEW_LOCK}", f"{path}/{_LOCK}")  # noqa: PTH104 - pathlib is heavy
        try:
            yield path
        finally:
            os.close(lock)
    finally:
        _remove(path)


def remove_abandoned() -> None:
    """Remove the temporary folders of dead processes of this user."""
    parent = tempfile.gettempdir()
    with suppress(OSError):
        for name in os.listdir(parent):  # noqa: PTH208 - pathlib is heavy
            if name.startswith(KINDS) and _is_abandoned(path := f"{parent}/{name}"):
                _remove(path)


def _is_abandoned(path: str) -> bool:
    """Whether nobody holds its lock. A folder without a lock is being made, or not one of ours."""
    try:
        if os.lstat(path).st_uid != os.geteuid():
            return False
        lock = os.open(f"{path}/{_LOCK}", _FLAGS)
    except OSError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:  # in use, or a file system without locks
        return False
    finally:
        os.close(lock)
    return True


def _remove(path: str) -> None:
    for folder, _, _ in os.walk(path):  # a script may have made some of them unreadable
        with suppress(OSError):
            os.chmod(folder, 0o700)  # noqa: PTH101 - as above
    shutil.rmtree(path, ignore_errors=True)

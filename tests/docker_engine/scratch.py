"""The folder of an engine, and the cgroups that have its name."""

import fcntl
import os
import shutil
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path

PREFIX = "rbde-"
HIERARCHIES = Path("/sys/fs/cgroup")


@contextmanager
def scratch():
    """A folder, as long as a `with` takes. Removes what processes have left that were killed.

    Its path is short, because that of a socket has at most 107 characters.
    """
    parent = Path(tempfile.gettempdir())
    # Others see a new folder only when it is locked, and nobody else removes the same ones.
    with _locked(parent):
        _remove_left(parent)
        folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))
        mine = os.open(folder, os.O_RDONLY)
        fcntl.flock(mine, fcntl.LOCK_EX)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)
        os.close(mine)


def groups(name):
    """Of version 2, and of each controller of version 1."""
    return [*HIERARCHIES.glob(name), *HIERARCHIES.glob(f"*/{name}")]


def remove_groups(name):
    for top in groups(name):
        for folder, _, _ in os.walk(top, topdown=False):
            os.rmdir(folder)


@contextmanager
def _locked(folder, how=fcntl.LOCK_EX):
    """Until the process ends, at the latest."""
    opened = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(opened, how)
        yield
    finally:
        os.close(opened)


def _remove_left(parent):
    for folder in parent.glob(f"{PREFIX}*"):
        # Somebody has the lock; or a process of the engine is about to end: the next start does it.
        with suppress(OSError), _locked(folder, fcntl.LOCK_EX | fcntl.LOCK_NB):
            remove_groups(folder.name)
            shutil.rmtree(folder)

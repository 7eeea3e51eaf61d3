"""The folders of installed toolkits, changed so that a crash leaves the old or the new version.

    TOOLKITS_DIR/SLUG              the installed version; histories are appended here
    TOOLKITS_DIR/.previous/SLUG    the version before it, for a rollback
    TOOLKITS_DIR/.staged-*         a version being prepared; removed later if its process died

A version is prepared beside the installed one, then the two folders change places in one step
(renameat2 with RENAME_EXCHANGE). Where the file system can't do that, the installed folder is
moved aside first, and `recover` moves it back after a crash.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from runbook.core.syntax.markdown import read_head
from runbook.library.locking import locked
from runbook.library.rotation import archive_path
from runbook.toolkits.folder import runbooks_in

LOCK_SECONDS = 30.0
_STAGED = ".staged-"
_PREVIOUS = ".previous"
_ASIDE = ".aside-"
_EXCHANGE = 2
_AT_FDCWD = -100
_CANNOT = frozenset({errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP})


def reached(step: str) -> None:
    """Called after each step at which a crash matters; tests crash here."""


class Installation:
    """The toolkits below one folder. Callers take turns: `exclusively` excludes other processes."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def folder(self, slug: str) -> Path:
        return self.root / slug

    def previous(self, slug: str) -> Path | None:
        """The version before the installed one, if it was kept."""
        path = self.root / _PREVIOUS / slug
        return path if path.is_dir() else None

    @contextmanager
    def exclusively(self) -> Iterator[None]:
        """Exclude other installers, then complete or undo what a crash left. Raises OSError."""
        self.root.mkdir(parents=True, exist_ok=True, mode=0o755)
        descriptor = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            self._recover()
            yield
        finally:
            os.close(descriptor)

    @contextmanager
    def staged(self) -> Iterator[Path]:
        """A new empty folder to prepare a version in; removed at the end unless it was put."""
        path = Path(tempfile.mkdtemp(prefix=_STAGED, dir=self.root))
        path.chmod(0o755)
        try:
            yield path
        finally:
            shutil.rmtree(path, ignore_errors=True)

    def put(self, staged: Path, slug: str) -> None:
        """Install a prepared version, with the histories of the one that it replaces.

        Raises OSError, and HistoryError if a runbook's history stays locked.
        """
        target = self.folder(slug)
        _sync_tree(staged)
        if not target.exists():
            staged.rename(target)
        else:
            with _histories_locked(target):
                _carry_histories(target, staged)
                reached("carried")
                self._exchange(staged, target)
            reached("exchanged")
            self._keep_previous(staged, slug)
        _sync_folder(self.root)

    def roll_back(self, slug: str) -> None:
        """Exchange the installed version and the previous one. Raises as `put`."""
        previous = self.root / _PREVIOUS / slug
        target = self.folder(slug)
        with _histories_locked(target):
            _carry_histories(target, previous)
            self._exchange(previous, target)
        _sync_folder(self.root)

    def remove(self, slug: str) -> None:
        """Remove all versions, with their histories: the store has the runs."""
        with tempfile.TemporaryDirectory(prefix=_STAGED, dir=self.root) as trash:
            with suppress(FileNotFoundError):
                self.folder(slug).rename(Path(trash) / "current")
            with suppress(FileNotFoundError):
                (self.root / _PREVIOUS / slug).rename(Path(trash) / "previous")

    def _keep_previous(self, replaced: Path, slug: str) -> None:
        previous = self.root / _PREVIOUS / slug
        previous.parent.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=_STAGED, dir=self.root) as trash:
            with suppress(FileNotFoundError):
                previous.rename(Path(trash) / "older")
            replaced.rename(previous)

    def _exchange(self, one: Path, other: Path) -> None:
        try:
            _rename_exchange(one, other)
        except OSError as error:
            if error.errno not in _CANNOT:
                raise
            aside = self.root / f"{_ASIDE}{other.name}"
            other.rename(aside)
            reached("aside")
            one.rename(other)
            aside.rename(one)

    def _recover(self) -> None:
        for path in self.root.iterdir():
            if path.name.startswith(_ASIDE):
                target = self.root / path.name.removeprefix(_ASIDE)
                if target.exists():  # the new version is in place
                    shutil.rmtree(path)
                else:
                    path.rename(target)
            elif path.name.startswith(_STAGED):  # nobody else is installing
                shutil.rmtree(path, ignore_errors=True)


def _rename_exchange(one: Path, other: Path) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if not hasattr(libc, "renameat2"):
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    names = (os.fsencode(one), os.fsencode(other))
    if libc.renameat2(_AT_FDCWD, names[0], _AT_FDCWD, names[1], _EXCHANGE) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


@contextmanager
def _histories_locked(folder: Path) -> Iterator[None]:
    """Nobody appends to a history below the folder meanwhile."""
    with ExitStack() as stack:
        for path in runbooks_in(folder):
            stack.enter_context(locked(path, seconds=LOCK_SECONDS, write=True))
        yield


def _carry_histories(old: Path, new: Path) -> None:
    """Give the new version's runbooks what stands below History in the old one's."""
    for path in runbooks_in(old):
        target = new / path.relative_to(old)
        if not target.is_file():
            continue  # the new version doesn't have it any more
        head = read_head(path.read_bytes())
        above = read_head(target.read_bytes())
        if head.history_bytes is None or above.history_bytes is None:
            continue
        history = path.read_bytes()[head.history_bytes :]
        target.write_bytes(target.read_bytes()[: above.history_bytes] + history)
        archive = archive_path(path)
        if archive.is_file():
            shutil.copyfile(archive, archive_path(target))
    _sync_tree(new)


def _sync_tree(folder: Path) -> None:
    for path, _, names in os.walk(folder):
        for name in names:
            descriptor = os.open(Path(path) / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        _sync_folder(Path(path))


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

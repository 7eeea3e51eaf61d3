"""The folders of installed toolkits, changed so that a crash leaves the old or the new version.

    TOOLKITS_DIR/SLUG              the installed version; histories are appended here
    TOOLKITS_DIR/.previous/SLUG    the version before it, for a rollback
    TOOLKITS_DIR/.staged-*         a version being prepared; removed later if its process died
    TOOLKITS_DIR/.incoming-SLUG    the new version, until it and the installed one change places;
                                   then the one before, until it becomes the previous one

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
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from runbook.core.syntax.markdown import read_head
from runbook.errors import ConflictError
from runbook.library.locking import locked
from runbook.library.rotation import archive_path
from runbook.toolkits.folder import runbooks_in

LOCK_SECONDS = 30.0
_NAP_SECONDS = 0.05
_STAGED = ".staged-"
_PREVIOUS = ".previous"
_ASIDE = ".aside-"
_INCOMING = ".incoming-"
LEFT_OVER = (_STAGED, _ASIDE, _INCOMING)
"""What names of folders begin with that only an installer at work, or a dead one, has."""
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
        path = self._previous(slug)
        return path if path.is_dir() else None

    def complete(self, slug: str, *, replaced: bool) -> None:
        """Complete an upgrade that a crash cut short, whose new version is in place or not."""
        incoming, previous = self._incoming(slug), self._previous(slug)
        if incoming.is_dir() and replaced:
            previous.parent.mkdir(exist_ok=True)
            shutil.rmtree(previous, ignore_errors=True)
            incoming.rename(previous)
        shutil.rmtree(incoming, ignore_errors=True)

    def _previous(self, slug: str) -> Path:
        return self.root / _PREVIOUS / slug

    def _incoming(self, slug: str) -> Path:
        return self.root / f"{_INCOMING}{slug}"

    @contextmanager
    def exclusively(self) -> Iterator[None]:
        """Exclude other installers, then tidy up what a crash left.

        Raises OSError, and ConflictError if another installer is at work for too long.
        The caller calls `complete` for each toolkit whose upgrade was cut short.
        """
        self.root.mkdir(parents=True, exist_ok=True, mode=0o755)
        descriptor = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            _lock(descriptor)
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

    @contextmanager
    def put(self, staged: Path, slug: str) -> Iterator[None]:
        """Install a prepared version, with the histories of the one that it replaces.

        The caller has called `sync_tree`. The version is in place while the block records it, and
        is taken out again if the block raises. Raises OSError, and HistoryError if a runbook's
        history stays locked.
        """
        target = self.folder(slug)
        with self._trash() as trash, ExitStack() as undo:
            if not target.exists():
                _move(staged, target, undo)
            else:
                incoming, previous = self._incoming(slug), self._previous(slug)
                previous.parent.mkdir(exist_ok=True)
                staged.rename(incoming)  # not undone: if all else fails, `complete` decides
                self._swap(incoming, target, undo)
                reached("exchanged")
                if previous.exists():
                    _move(previous, trash / "older", undo)
                _move(incoming, previous, undo)
            _sync_folder(self.root)
            yield
            undo.pop_all()

    @contextmanager
    def roll_back(self, slug: str) -> Iterator[None]:
        """Exchange the installed version and the previous one; undone and raises as `put`."""
        with ExitStack() as undo:
            self._swap(self._previous(slug), self.folder(slug), undo)
            _sync_folder(self.root)
            yield
            undo.pop_all()

    @contextmanager
    def remove(self, slug: str) -> Iterator[None]:
        """Remove all versions, with their histories: the store has the runs. Undone as `put`."""
        with self._trash() as trash, ExitStack() as undo:
            for n, folder in enumerate((self.folder(slug), self._previous(slug))):
                if folder.exists():
                    _move(folder, trash / str(n), undo)
            yield
            undo.pop_all()

    def _swap(self, one: Path, installed: Path, undo: ExitStack) -> None:
        self._replace(one, installed)
        undo.callback(self._replace, one, installed)

    def _replace(self, one: Path, installed: Path) -> None:
        """Exchange two versions, and give the new one the histories."""
        with _histories_locked(installed):
            _carry_histories(installed, one)
            reached("carried")
            self._exchange(one, installed)

    @contextmanager
    def _trash(self) -> Iterator[Path]:
        with tempfile.TemporaryDirectory(prefix=_STAGED, dir=self.root) as trash:
            yield Path(trash)

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
                slug = path.name.removeprefix(_ASIDE)
                target = self.folder(slug)
                path.rename(self._incoming(slug) if target.exists() else target)
            elif path.name.startswith(_STAGED):  # nobody else is installing
                shutil.rmtree(path, ignore_errors=True)


def _move(one: Path, other: Path, undo: ExitStack) -> None:
    one.rename(other)
    undo.callback(other.rename, one)


def _lock(descriptor: int) -> None:
    """Waits in short sleeps: a web process has threads that cooperate, one of which may hold it."""
    deadline = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                text = "Another installation is in progress. Try again later"
                raise ConflictError(text) from None
            time.sleep(_NAP_SECONDS)
        else:
            return


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
            _sync_file(archive_path(target))
            _sync_folder(target.parent)
        _sync_file(target)


def sync_tree(folder: Path) -> None:
    """Write a folder to the disk, with everything in it. Raises OSError."""
    for path, _, names in os.walk(folder):
        for name in names:
            _sync_file(Path(path) / name)
        _sync_folder(Path(path))


def _sync_file(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

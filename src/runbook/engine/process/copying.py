"""Copying a runbook's input files into its run's directory.

Every folder on the way is opened by its name in the one before, never through a link, so that
nothing exchanged in the meantime leads out of the runbooks directory.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

MAX_FILES = 10_000
MAX_BYTES = 1 << 30

_CHUNK_BYTES = 1 << 20
_MAX_DEPTH = 64
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# Opening a FIFO or a terminal must neither wait nor make it ours.
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class InputCopier:
    """Copies from below one root into one directory, within limits for all of it together.

    A link is followed where it resolves inside the root (mounts of Kubernetes are links).
    """

    def __init__(
        self, root: Path, target: Path, *, max_files: int = MAX_FILES, max_bytes: int = MAX_BYTES
    ) -> None:
        self._root = root.resolve()
        self._target = target
        self._files_left = max_files
        self._bytes_left = max_bytes

    def copy(self, sources: Sequence[Path]) -> None:
        """Copy each source by its basename. Raises OSError, with the file's name and the reason."""
        with _opened(str(self._target), _FOLDER) as target:
            for source in sources:
                self._copy_path(self._root / source, source.name, target, ())

    def _copy_path(self, source: Path, name: str, target: int, above: tuple[Path, ...]) -> None:
        """Copy what a path leads to. `above` are the folders that are being copied already."""
        real = Path(os.path.realpath(source, strict=True))
        if real == self._root or not real.is_relative_to(self._root):
            raise _refused(errno.EPERM, name, "it lies outside the runbooks directory")
        if real in above:
            raise _refused(errno.ELOOP, name, "a link leads back to a folder around it")
        with self._folder(real.parent) as parent:
            self._copy_entry(parent, real, name, target, above)

    @contextmanager
    def _folder(self, path: Path) -> Iterator[int]:
        """A folder below the root, reached step by step."""
        descriptor = os.open(self._root, _FOLDER)
        try:
            for part in path.relative_to(self._root).parts:
                following = os.open(part, _FOLDER, dir_fd=descriptor)
                os.close(descriptor)
                descriptor = following
            yield descriptor
        finally:
            os.close(descriptor)

    def _copy_entry(
        self, parent: int, real: Path, name: str, target: int, above: tuple[Path, ...]
    ) -> None:
        mode = os.stat(real.name, dir_fd=parent, follow_symlinks=False).st_mode
        if stat.S_ISREG(mode):
            self._copy_file(parent, real.name, name, target)
        elif stat.S_ISDIR(mode):
            self._copy_folder(parent, real, name, target, above)
        else:
            raise _refused(errno.EINVAL, name, "it is neither a regular file nor a folder")

    def _copy_folder(
        self, parent: int, real: Path, name: str, target: int, above: tuple[Path, ...]
    ) -> None:
        if len(above) >= _MAX_DEPTH:
            raise _refused(errno.ELOOP, name, f"folders are nested deeper than {_MAX_DEPTH}")
        self._count(name)
        os.mkdir(name, 0o700, dir_fd=target)
        with _opened(real.name, _FOLDER, parent) as source, _opened(name, _FOLDER, target) as into:
            for entry in sorted(os.listdir(source)):  # noqa: PTH208 - by descriptor
                if entry.startswith(".."):
                    continue  # how Kubernetes names the versions of a mounted folder
                mode = os.stat(entry, dir_fd=source, follow_symlinks=False).st_mode
                if stat.S_ISLNK(mode):
                    self._copy_path(real / entry, entry, into, (*above, real))
                else:
                    self._copy_entry(source, real / entry, entry, into, (*above, real))

    def _copy_file(self, parent: int, source: str, name: str, target: int) -> None:
        self._count(name)
        with _opened(source, _FILE, parent) as reading:
            facts = os.fstat(reading)
            if not stat.S_ISREG(facts.st_mode):
                raise _refused(errno.EINVAL, name, "it is neither a regular file nor a folder")
            if facts.st_size > self._bytes_left:
                raise _refused(errno.EFBIG, name, "the input files are too large together")
            mode = 0o700 if facts.st_mode & 0o111 else 0o600
            with _opened(name, _NEW, target, mode) as writing:
                self._copy_bytes(reading, writing, name)

    def _copy_bytes(self, reading: int, writing: int, name: str) -> None:
        while chunk := os.read(reading, _CHUNK_BYTES):
            self._bytes_left -= len(chunk)
            if self._bytes_left < 0:  # it grew while it was read
                raise _refused(errno.EFBIG, name, "the input files are too large together")
            view = memoryview(chunk)
            while view:
                view = view[os.write(writing, view) :]

    def _count(self, name: str) -> None:
        self._files_left -= 1
        if self._files_left < 0:
            raise _refused(errno.EFBIG, name, "there are too many input files")


@contextmanager
def _opened(name: str, flags: int, parent: int | None = None, mode: int = 0) -> Iterator[int]:
    descriptor = os.open(name, flags, mode, dir_fd=parent)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _refused(number: int, name: str, reason: str) -> OSError:
    return OSError(number, reason, name)

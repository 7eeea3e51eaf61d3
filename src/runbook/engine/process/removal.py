"""Removing a directory, whatever a script has done to it."""

from __future__ import annotations

import os
import secrets
from collections import deque
from contextlib import suppress
from pathlib import Path

_ATTEMPTS = 3
_DEPTH = 3
"""Folders below this depth are removed without recursion."""
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def remove_tree(path: Path) -> list[str]:
    """Remove a directory with everything in it, whatever a script has done to it.

    Follows no link, opens what was made unreadable, and neither recurses deeply nor builds long
    paths: deep folders are moved up first. Never raises; returns a line for each file
    that couldn't be removed.
    """
    problems: list[str] = []
    for _ in range(_ATTEMPTS):  # something may still be writing into it
        try:
            _Remover(path).remove()
        except FileNotFoundError:
            return []
        except OSError as error:
            problems = [f"{error.filename or path.name}: {error.strerror}"]
        else:
            return []
    return problems


class _Remover:
    """One attempt to remove a tree. Finally raises the first OSError."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._failure: OSError | None = None
        self._waiting: deque[str] = deque()
        self._token = secrets.token_hex(8)
        self._moved = 0

    def remove(self) -> None:
        top = _open_directory(str(self._path), None)
        try:
            self._empty(top, top, _DEPTH)
            while self._waiting:
                self._remove_folder(self._waiting.popleft(), top, top, _DEPTH)
        finally:
            os.close(top)
        if self._failure is not None:
            raise self._failure
        self._path.rmdir()

    def _remove_folder(self, name: str, parent: int, top: int, depth: int) -> None:
        try:
            folder = _open_directory(name, parent)
            try:
                self._empty(folder, top, depth)
            finally:
                os.close(folder)
            os.rmdir(name, dir_fd=parent)
        except OSError as error:
            self._failure = self._failure or error

    def _empty(self, folder: int, top: int, depth: int) -> None:
        """Remove the contents of a folder; deep folders are moved up and removed later."""
        with os.scandir(folder) as entries:
            found = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries]
        for name, is_folder in found:
            try:
                if not is_folder:
                    os.unlink(name, dir_fd=folder)
                elif not _remove_empty(name, folder):
                    self._go_into(name, folder, top, depth)
            except OSError as error:
                self._failure = self._failure or error

    def _go_into(self, name: str, folder: int, top: int, depth: int) -> None:
        if depth:
            self._remove_folder(name, folder, top, depth - 1)
            return
        os.close(_open_directory(name, folder))  # a folder must be writable to be moved
        self._moved += 1
        aside = f"{self._token}-{self._moved}"
        os.rename(name, aside, src_dir_fd=folder, dst_dir_fd=top)
        self._waiting.append(aside)


def _remove_empty(name: str, folder: int) -> bool:
    """Remove a folder if it is empty."""
    try:
        os.rmdir(name, dir_fd=folder)
    except OSError:
        return False
    return True


def _open_directory(name: str, parent: int | None) -> int:
    """Open a directory after giving its owner all rights to it; never through a link."""
    handle = os.open(name, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
    try:
        with suppress(PermissionError):  # not our file: the next call fails if that matters
            os.chmod(f"/proc/self/fd/{handle}", 0o700)  # noqa: PTH101 - the only way to a handle
        return os.open(".", _DIRECTORY, dir_fd=handle)
    finally:
        os.close(handle)

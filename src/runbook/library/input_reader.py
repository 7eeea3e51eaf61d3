"""Reads input files and folders, never through links that lead out of their source.

Each folder is opened by name relative to its parent's descriptor, so that swapping a folder during
the read can't redirect it.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from runbook.core.document import Problem
from runbook.core.run_files import (
    EXECUTABLE_MODE,
    FOLDER_MODE,
    PLAIN_MODE,
    InputLimits,
    RunFile,
    RunFiles,
    digest_of,
)
from runbook.library.locking import is_transient
from runbook.library.refs import FILE, FOLDER, folder_below, is_below, shown

_CHUNK_BYTES = 1 << 20
_DEPTH_LIMIT = 64


class UnfitInputError(Exception):
    """An input file can't be read; `problem` says why."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


class InputReader:
    """Reads files below one root, within limits on their total; stores contents if `keep`.

    A link is followed if it resolves inside the root (Kubernetes mounts are links).
    """

    def __init__(self, root: Path, limits: InputLimits, *, keep: bool) -> None:
        self._root = Path(os.path.realpath(root))
        self._limits = limits
        self._keep = keep
        self._files_left = limits.files
        self._bytes_left = limits.bytes
        self._files: list[RunFile] = []
        self._contents: dict[str, bytes] = {}

    def read(self, source: Path, path: str) -> None:
        """Read a file, or a folder with all its contents; stored under its last name.

        `path` is the path as written in the runbook. Raises UnfitInputError.
        """
        try:
            self._read_path(source, source.name, path, ())
        except OSError as error:
            raise UnfitInputError(_unreadable(path, error)) from error

    def found(self) -> RunFiles:
        """The files read."""
        return RunFiles(tuple(sorted(self._files, key=lambda file: file.path)), self._contents)

    def _read_path(self, source: Path, name: str, path: str, above: tuple[Path, ...]) -> None:
        """Read the target of a path. `above` are the folders being read already."""
        real = Path(os.path.realpath(source, strict=True))
        if not is_below(real, self._root):
            raise UnfitInputError(outside(path))
        with folder_below(self._root, real.parent) as parent:
            self._read_entry(parent, real, name, path, above)

    def _read_entry(
        self, parent: int, real: Path, name: str, path: str, above: tuple[Path, ...]
    ) -> None:
        mode = os.stat(real.name, dir_fd=parent, follow_symlinks=False).st_mode
        if stat.S_ISREG(mode):
            self._read_file(parent, real.name, name, path)
        elif stat.S_ISDIR(mode):
            self._read_folder(parent, real, name, path, above)
        else:
            raise UnfitInputError(special(path))

    def _read_folder(
        self, parent: int, real: Path, name: str, path: str, above: tuple[Path, ...]
    ) -> None:
        if real in above or len(above) >= _DEPTH_LIMIT:
            raise UnfitInputError(_circle(path))
        self._count(path)
        self._files.append(RunFile(name, FOLDER_MODE))
        above = (*above, real)
        with _opened(real.name, FOLDER, parent) as folder:
            for entry in sorted(os.listdir(folder)):  # noqa: PTH208 - by descriptor
                if entry.startswith("..") or is_transient(entry):
                    continue  # Kubernetes' internal versions of a mounted folder, and our locks
                into, called = f"{name}/{entry}", f"{path}/{entry}"
                mode = os.stat(entry, dir_fd=folder, follow_symlinks=False).st_mode
                if stat.S_ISLNK(mode):
                    self._read_path(real / entry, into, called, above)
                else:
                    self._read_entry(folder, real / entry, into, called, above)

    def _read_file(self, parent: int, source: str, name: str, path: str) -> None:
        self._count(path)
        with _opened(source, FILE, parent) as descriptor:
            facts = os.fstat(descriptor)
            if not stat.S_ISREG(facts.st_mode):
                raise UnfitInputError(special(path))
            self._bytes_left -= facts.st_size
            if self._bytes_left < 0:
                raise UnfitInputError(_too_large(path, self._limits))
            if self._keep:
                mode = EXECUTABLE_MODE if facts.st_mode & 0o111 else PLAIN_MODE
                self._keep_file(name, mode, self._content(descriptor, facts, path))

    def _keep_file(self, name: str, mode: int, content: bytes) -> None:
        digest = digest_of(content)
        self._files.append(RunFile(name, mode, digest, len(content)))
        self._contents[digest] = content

    def _content(self, descriptor: int, facts: os.stat_result, path: str) -> bytes:
        """A consistent copy of the file. Raises UnfitInputError if it changes during the read."""
        content = bytearray()
        while chunk := os.read(descriptor, _CHUNK_BYTES):
            content += chunk
            if len(content) > facts.st_size:
                break
        if len(content) != facts.st_size or _state(os.fstat(descriptor)) != _state(facts):
            raise UnfitInputError(_changed(path))
        return bytes(content)

    def _count(self, path: str) -> None:
        self._files_left -= 1
        if self._files_left < 0:
            raise UnfitInputError(_too_many(path, self._limits))


def _state(facts: os.stat_result) -> tuple[int, int]:
    return facts.st_size, facts.st_mtime_ns


@contextmanager
def _opened(name: str, flags: int, parent: int) -> Iterator[int]:
    descriptor = os.open(name, flags, dir_fd=parent)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


# -- problems ------------------------------------------------------------------------------------


def outside(path: str) -> Problem:
    text = f"Input file is outside the runbooks directory: {shown(path)}"
    return Problem(
        "input_file_outside",
        text,
        hint="Copy it into the runbooks directory",
        params={"path": shown(path)},
    )


def special(path: str) -> Problem:
    text = f"Input file is neither a regular file nor a folder: {shown(path)}"
    return Problem("input_file_special", text, params={"path": shown(path)})


def _circle(path: str) -> Problem:
    text = f"A link points back to one of its parent folders: {shown(path)}"
    return Problem("input_file_cycle", text, params={"path": shown(path)})


def _changed(path: str) -> Problem:
    text = f"Input file changed during the read: {shown(path)}"
    return Problem("input_file_changed", text, hint="Try again", params={"path": shown(path)})


def _unreadable(path: str, error: OSError) -> Problem:
    text = f"Input file cannot be read: {shown(path)} ({error.strerror})"
    return Problem(
        "input_file_unreadable", text, params={"path": shown(path), "reason": error.strerror}
    )


def _too_many(path: str, limits: InputLimits) -> Problem:
    text = f"Too many input files at {shown(path)} (MAX_INPUT_FILES: {limits.files})"
    return Problem(
        "input_files_too_large",
        text,
        hint="List fewer files, or raise the limit",
        params={"path": shown(path), "files": limits.files},
    )


def _too_large(path: str, limits: InputLimits) -> Problem:
    text = f"Input files too large at {shown(path)} (MAX_INPUT_BYTES: {limits.bytes})"
    return Problem(
        "input_files_too_large",
        text,
        hint="List fewer files, or raise the limit",
        params={"path": shown(path), "bytes": limits.bytes},
    )

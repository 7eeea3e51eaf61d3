"""The directory that a run has for itself, from its start to its end."""

from __future__ import annotations

import fcntl
import os
import re
import secrets
import shutil
import stat
import sys
from collections import deque
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from runbook.core.document import Language, Script
from runbook.core.inputs.values import GivenFile
from runbook.engine.process.copying import InputCopier
from runbook.errors import RunbookError

PREFIX = "runbook-"
HIDDEN = ".runbook"
ARTIFACTS = ".runbook-artifacts"
INPUTS = "inputs"
SAFE_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

_RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_ENGINE_RUN_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_SCRIPT_NAMES = {
    Language.ZSH: "script.zsh",
    Language.BASH: "script.bash",
    Language.PYTHON: "script.py",
}
_OPTIONS = {
    Language.ZSH: ("-f",),  # no start-up files
    Language.BASH: ("--noprofile", "--norc"),
    # Isolated: no variables, no user's packages, nothing beside the script can be imported.
    # Unbuffered: output is seen as it is printed, and what was printed before a kill is kept.
    Language.PYTHON: ("-I", "-u"),
}
_ATTEMPTS = 3
_DEPTH = 3
"""Folders below this depth are removed without recursion."""
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class WorkspaceError(RunbookError):
    """The run's directory could not be prepared."""

    code = "workspace_failed"
    exit_code = 73


@dataclass(frozen=True, slots=True)
class HandOver:
    """Where a script leaves what it hands to the engine.

    It makes the files itself, but for `progress`, `plan` and `mask`: see LiveHandOver.
    """

    output: Path
    env: Path
    progress: Path
    plan: Path
    mask: Path
    summary: Path
    artifacts: Path
    """A directory."""

    @classmethod
    def below(cls, directory: Path) -> Self:
        hidden = directory / HIDDEN
        return cls(
            output=hidden / "output",
            env=hidden / "env",
            progress=hidden / "progress",
            plan=hidden / "plan",
            mask=hidden / "mask",
            summary=hidden / "summary",
            artifacts=directory / ARTIFACTS,
        )


class Workspace:
    """One run's directory, only for its user. Locked while in use, so that a crash frees it."""

    def __init__(self, path: Path, lock: int, search_path: str) -> None:
        self.path = path
        self.handover = HandOver.below(path)
        self.tmp = path / HIDDEN
        self._lock: int | None = lock
        self._search_path = search_path
        self._made = {f"{HIDDEN}/{name}" for name in ("progress", "plan", "mask")}
        self._interpreters: dict[Language, str] = {}
        self.input_paths: dict[str, str] = {}

    @classmethod
    def create(cls, execution_dir: Path, run_id: str, *, search_path: str = "") -> Self:
        """Make `runbook-<run id>` below the execution directory, which is made if absent.

        `search_path` is where interpreters are looked for besides the system's folders.
        Raises WorkspaceError, also where the directory exists.
        """
        if not _RUN_ID.fullmatch(run_id):
            raise WorkspaceError("The run's id is not fit for a directory's name")
        path = Path(os.path.abspath(execution_dir)) / f"{PREFIX}{run_id}"  # noqa: PTH100 - links stay
        try:
            workspace = cls(path, _make_locked(path), search_path)
        except OSError as error:
            raise _unusable(error) from error
        try:
            workspace._fill()
        except OSError as error:
            workspace.remove()
            raise _unusable(error) from error
        return workspace

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.remove()

    def exec_dir_host(self, mount_dir: str | None) -> str:
        """The directory's path as the Docker host sees it: below `mount_dir` where it is set."""
        return str(Path(mount_dir) / self.path.name) if mount_dir else str(self.path)

    def copy_inputs(self, root: Path, sources: Sequence[Path]) -> None:
        """Copy files and folders that lie below `root` into the directory, by basename.

        Raises WorkspaceError for one that is missing, not a regular file or folder, outside the
        root, too large, or named like another one or like a file of the engine.
        """
        reserved = {HIDDEN, ARTIFACTS, *_SCRIPT_NAMES.values()}
        for source in sources:
            if source.name in reserved:
                raise WorkspaceError(f"An input file cannot be named {source.name}")
        try:
            InputCopier(root, self.path).copy(sources)
        except OSError as error:
            name = Path(os.fsdecode(error.filename)).name if error.filename else "input file"
            raise WorkspaceError(f"Input file {name}: {error.strerror}") from error

    def write_input_files(self, files: Mapping[str, GivenFile]) -> dict[str, str]:
        """Write the files given for inputs; the path of each by the input's name.

        They lie where no script's own file can be in their way. Raises WorkspaceError.
        """
        for name, file in files.items():
            path = self.path / HIDDEN / INPUTS / name / file.name
            try:
                path.parent.mkdir(mode=0o700, parents=True)
                with os.fdopen(os.open(path, _CREATE, 0o600), "wb") as target:
                    target.write(file.content)
            except OSError as error:
                text = f"The file of {name} could not be written: {error.strerror}"
                raise WorkspaceError(text) from error
            self.input_paths[name] = str(path)
        return self.input_paths

    def write_script(self, script: Script, document: str = "") -> list[str]:
        """Write a script, replacing the one before. Returns the command.

        A Python script is called like `document`, the runbook's file, and begins on the same
        line as in there: a traceback shows where to look. Raises WorkspaceError, also where the
        interpreter is not installed.
        """
        is_first = not self._interpreters
        if script.language not in self._interpreters:
            self._interpreters[script.language] = self._interpreter(script.language)
        name, source = _SCRIPT_NAMES[script.language], script.source
        if script.language is Language.PYTHON and document:
            name, source = f"{HIDDEN}/{document}", "\n" * (script.line - 1) + source
        path = self.path / name
        try:
            if not is_first:
                path.unlink(missing_ok=True)  # never written through: it may be a link by now
            self._made.add(name)
            with os.fdopen(os.open(path, _CREATE, 0o700), "wb") as file:
                file.write(source.encode())
        except OSError as error:
            raise WorkspaceError(f"The script could not be written: {error.strerror}") from error
        return [self._interpreters[script.language], *_OPTIONS[script.language], str(path)]

    def read_handover(self, path: Path, max_bytes: int) -> bytes:
        """What a script left in a hand-over file, at most so much of it.

        Nothing where it has put something other than a file there.
        """
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        try:
            with os.fdopen(os.open(path, flags), "rb") as file:
                regular = stat.S_ISREG(os.fstat(file.fileno()).st_mode)
                return file.read(max_bytes) if regular else b""
        except OSError:
            return b""

    def discard(self, path: Path) -> None:
        """Remove what a script left at a hand-over path, so that the next one finds nothing."""
        try:
            path.unlink()
        except OSError:
            remove_tree(path)

    def remove(self) -> list[str]:
        """Remove the directory and free its lock. Returns a line for each thing that resisted."""
        problems = [] if self._remove_untouched() else remove_tree(self.path)
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None
        return problems

    def _remove_untouched(self) -> bool:
        """Remove it at few strokes, if the script left nothing in it: most do not."""
        try:
            for name in self._made:
                os.unlink(name, dir_fd=self._lock)
            for folder in (HIDDEN, ARTIFACTS):
                os.rmdir(folder, dir_fd=self._lock)
            self.path.rmdir()
        except (OSError, TypeError):  # something is left, or the lock is gone
            return False
        return True

    def _fill(self) -> None:
        for directory in (self.path / HIDDEN, self.handover.artifacts):
            directory.mkdir(mode=0o700)

    def _interpreter(self, language: Language) -> str:
        if language is Language.PYTHON:
            return sys.executable
        folders = f"{SAFE_PATH}:{self._search_path}" if self._search_path else SAFE_PATH
        program = shutil.which(language.value, path=folders)
        if program is None:
            raise WorkspaceError(f"{language.value} is not installed: the script needs it")
        return os.path.abspath(program)  # noqa: PTH100 - links stay: a program may go by its name


def _unusable(error: OSError) -> WorkspaceError:
    return WorkspaceError(f"EXECUTION_DIR cannot be used: {error.strerror}")


def _make_locked(path: Path) -> int:
    """Make the directory and lock it; again where a clean-up was faster than the lock."""
    path.parent.mkdir(parents=True, exist_ok=True)
    while True:
        path.mkdir(mode=0o700)
        try:
            descriptor = os.open(path, _DIRECTORY)
        except FileNotFoundError:
            continue
        with suppress(OSError):  # a file system without locks
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        if os.fstat(descriptor).st_nlink:
            return descriptor
        os.close(descriptor)


def remove_stale(execution_dir: Path, active: Collection[str] = ()) -> list[str]:
    """Remove directories that crashed runs left: unlocked, this user's, and not of `active` runs.

    A directory in use is locked by its process, also by that of another engine. Returns a line
    for each thing that resisted.
    """
    problems: list[str] = []
    with suppress(FileNotFoundError):
        for path in sorted(execution_dir.glob(f"{PREFIX}*")):
            run_id = path.name.removeprefix(PREFIX)
            # Only what looks like ours: the system's temp directory holds other things too.
            if _ENGINE_RUN_ID.fullmatch(run_id) and run_id not in active:
                problems += _remove_if_unused(path)
    return problems


def _remove_if_unused(path: Path) -> list[str]:
    try:
        descriptor = os.open(path, _DIRECTORY)
    except OSError:  # gone, a link, or not ours
        return []
    try:
        if os.fstat(descriptor).st_uid != os.geteuid():
            return []
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return remove_tree(path)
    except OSError:  # locked: in use
        return []
    finally:
        os.close(descriptor)


def remove_tree(path: Path) -> list[str]:
    """Remove a directory with everything in it, whatever a script has done to it.

    Follows no link, opens what was made unreadable, and neither recurses deeply nor builds long
    paths: a folder far inside is first moved up. Never raises; returns a line for each thing
    that resisted.
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
    """One attempt to remove a tree. Raises OSError for the first thing that resists, at its end."""

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
        """Remove what is in a folder; folders deep in it are moved up and wait for their turn."""
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
    """Remove a folder at one stroke, if nothing is in it."""
    try:
        os.rmdir(name, dir_fd=folder)
    except OSError:
        return False
    return True


def _open_directory(name: str, parent: int | None) -> int:
    """Open a directory after giving its owner all rights to it; never through a link."""
    handle = os.open(name, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
    try:
        with suppress(PermissionError):  # not ours: what follows says so where it matters
            os.chmod(f"/proc/self/fd/{handle}", 0o700)  # noqa: PTH101 - the only way to a handle
        return os.open(".", _DIRECTORY, dir_fd=handle)
    finally:
        os.close(handle)

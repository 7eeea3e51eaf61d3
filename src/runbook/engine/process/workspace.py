"""The working directory of one run."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import stat
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from runbook import script as script_package
from runbook.core.document import Language, Script
from runbook.core.inputs.values import GivenFile
from runbook.core.run_files import RunFile
from runbook.engine.process.removal import remove_tree
from runbook.engine.process.script_user import Acting, ScriptUser, as_ourselves
from runbook.errors import RunbookError
from runbook.quick_dataclass import dataclass
from runbook.script.limits import EARLIER_EFFECTS

PREFIX = "runbook-"
HIDDEN = ".runbook"
ARTIFACTS = ".runbook-artifacts"
INPUTS = "inputs"
PYTHON_STEP = "python_step.py"
CONNECTIONS = "connections"
SAFE_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

_RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
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
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def directory_of(execution_dir: Path, run_id: str) -> Path:
    """The path of a run's directory."""
    return Path(os.path.abspath(execution_dir)) / f"{PREFIX}{run_id}"  # noqa: PTH100 - links stay


class WorkspaceError(RunbookError):
    """The run's directory couldn't be prepared."""

    code = "workspace_failed"
    exit_code = 73


@dataclass(frozen=True, slots=True)
class HandOver:
    """The paths of a script's hand-over files.

    Scripts create the files, except `progress`, `plan`, `mask` and `effects`: see LiveHandOver.
    """

    output: Path
    env: Path
    progress: Path
    plan: Path
    mask: Path
    effects: Path
    summary: Path
    device: Path
    """Devices that the script reports."""
    artifacts: Path
    """A directory."""

    @property
    def earlier_effects(self) -> Path:
        """Written by the engine: see script/effects.py."""
        return self.effects.with_name(EARLIER_EFFECTS)

    @classmethod
    def below(cls, directory: Path) -> Self:
        hidden = directory / HIDDEN
        return cls(
            output=hidden / "output",
            env=hidden / "env",
            progress=hidden / "progress",
            plan=hidden / "plan",
            mask=hidden / "mask",
            effects=hidden / "effects",
            summary=hidden / "summary",
            device=hidden / "devices",
            artifacts=directory / ARTIFACTS,
        )


class Workspace:
    """One run's directory, accessible only to its user. Its lock is released by a crash."""

    def __init__(
        self, path: Path, lock: int, search_path: str, user: ScriptUser | None = None
    ) -> None:
        self.path = path
        self.acting: Acting = as_ourselves if user is None else user.acting
        """For all accesses: the directory is that of the scripts' user."""
        self.handover = HandOver.below(path)
        self.tmp = path / HIDDEN
        self._lock: int | None = lock
        self._search_path = search_path
        self._made = {f"{HIDDEN}/{name}" for name in ("progress", "plan", "mask", "effects")}
        self._interpreters: dict[Language, str] = {}
        self.input_paths: dict[str, str] = {}
        self.connections: Path | None = None
        """The folder with the connections of the run, if it has any."""

    @classmethod
    def create(
        cls,
        execution_dir: Path,
        run_id: str,
        *,
        search_path: str = "",
        user: ScriptUser | None = None,
    ) -> Self:
        """Make `runbook-<run id>` below the execution directory, which is made if absent.

        Interpreters are looked up in `search_path` and the system's folders. Scripts run as
        `user`; None is the engine's. Raises WorkspaceError, also if the directory exists.
        """
        if not _RUN_ID.fullmatch(run_id):
            raise WorkspaceError("The run's id is not fit for a directory's name")
        path = directory_of(execution_dir, run_id)
        try:
            workspace = cls(path, _make_locked(path, user), search_path, user)
        except OSError as error:
            raise _unusable(error) from error
        try:
            with workspace.acting():
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
        """The directory's path on the Docker host: below `mount_dir` if that is set."""
        return str(Path(mount_dir) / self.path.name) if mount_dir else str(self.path)

    def write_run_files(self, files: Sequence[RunFile], content_of: Callable[[str], bytes]) -> None:
        """Write the run's input files; `content_of` returns the content for a digest.

        Raises WorkspaceError, also for a file with the name of an engine file.
        """
        reserved = {HIDDEN, ARTIFACTS, *_SCRIPT_NAMES.values()}
        for file in files:
            if file.path in reserved:
                raise WorkspaceError(f"An input file cannot be named {file.path}")
            try:
                self._write_run_file(file, content_of)
            except OSError as error:
                name = Path(file.path).name
                raise WorkspaceError(f"Input file {name}: {error.strerror}") from error

    def _write_run_file(self, file: RunFile, content_of: Callable[[str], bytes]) -> None:
        path = self.path / file.path
        content = b"" if file.digest is None else content_of(file.digest)
        with self.acting():
            if file.digest is None:
                path.mkdir(mode=file.mode)
                return
            with os.fdopen(os.open(path, _CREATE, file.mode), "wb") as target:
                target.write(content)

    def write_input_files(self, files: Mapping[str, GivenFile]) -> dict[str, str]:
        """Write the files given for inputs; the path of each by the input's name.

        Scripts' own files can't collide with them. Raises WorkspaceError.
        """
        for name, file in files.items():
            path = self.path / HIDDEN / INPUTS / name / file.name
            try:
                with self.acting():
                    path.parent.mkdir(mode=0o700, parents=True)
                    with os.fdopen(os.open(path, _CREATE, 0o600), "wb") as target:
                        target.write(file.content)
            except OSError as error:
                text = f"The file of {name} could not be written: {error.strerror}"
                raise WorkspaceError(text) from error
            self.input_paths[name] = str(path)
        return self.input_paths

    def write_connections(self, contents: Mapping[str, str]) -> None:
        """Write the connections of inputs, each as JSON; by the inputs' names.

        Raises WorkspaceError.
        """
        folder = self.path / HIDDEN / CONNECTIONS
        try:
            with self.acting():
                folder.mkdir(mode=0o700)
                for name, content in contents.items():
                    descriptor = os.open(folder / f"{name}.json", _CREATE, 0o600)
                    with os.fdopen(descriptor, "wb") as target:
                        target.write(content.encode())
        except OSError as error:
            text = f"The connections could not be written: {error.strerror}"
            raise WorkspaceError(text) from error
        self.connections = folder

    def write_script(
        self, script: Script, document: str = "", library: Path | None = None
    ) -> list[str]:
        """Write a script, replacing the one before. Returns the command.

        A Python script gets the name of `document`, the runbook's file, and starts on the same
        line, so that tracebacks point into the runbook. It can import from `library`. Raises
        WorkspaceError, also if the interpreter is not installed.
        """
        is_first = not self._interpreters
        if script.language not in self._interpreters:
            self._interpreters[script.language] = self._interpreter(script.language)
        name, source = _SCRIPT_NAMES[script.language], script.source
        if script.language is Language.PYTHON and document:
            name, source = f"{HIDDEN}/{document}", "\n" * (script.line - 1) + source
        path = self.path / name
        try:
            with self.acting():
                if not is_first:
                    # Replaced rather than overwritten: it may be a link by now.
                    path.unlink(missing_ok=True)
                self._made.add(name)
                with os.fdopen(os.open(path, _CREATE, 0o700), "wb") as file:
                    file.write(source.encode())
        except OSError as error:
            raise WorkspaceError(f"The script could not be written: {error.strerror}") from error
        command = [self._interpreters[script.language], *_OPTIONS[script.language]]
        if script.language is Language.PYTHON and library is not None:
            return [
                *command,
                f"{script_package.__path__[0]}/{PYTHON_STEP}",
                str(path),
                str(library),
            ]
        return [*command, str(path)]

    def read_handover(self, path: Path, max_bytes: int) -> bytes:
        """The contents of a hand-over file, up to a maximum size.

        Empty if it is not a regular file.
        """
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        try:
            with self.acting(), os.fdopen(os.open(path, flags), "rb") as file:
                regular = stat.S_ISREG(os.fstat(file.fileno()).st_mode)
                return file.read(max_bytes) if regular else b""
        except OSError:
            return b""

    def discard(self, path: Path) -> None:
        """Remove a hand-over file before the next script starts."""
        with self.acting():
            try:
                path.unlink()
            except OSError:
                remove_tree(path)

    def remove(self) -> list[str]:
        """Remove the directory and release its lock. Returns a line for each file that remained."""
        problems = [] if self._remove_untouched() else remove_tree(self.path)
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None
        return problems

    def _remove_untouched(self) -> bool:
        """Remove it with few calls if the script left nothing in it, as most do."""
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


def _make_locked(path: Path, user: ScriptUser | None = None) -> int:
    """Create and lock the directory, which is the user's; again if a cleanup removed it before."""
    path.parent.mkdir(parents=True, exist_ok=True)
    while True:
        path.mkdir(mode=0o700)
        try:
            descriptor = os.open(path, _DIRECTORY)
        except FileNotFoundError:
            continue
        with suppress(OSError):  # a file system without locks
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        if user is not None:
            os.fchown(descriptor, user.uid, user.gid)
        if os.fstat(descriptor).st_nlink:
            return descriptor
        os.close(descriptor)

"""A bare repository, used through the program git. One writer at a time; readers need no lock.

Scripts can write the repository, and the engine reads it. So reading commands use only its objects:
they never see its configuration, hooks and attributes, which can name programs to run.
"""

from __future__ import annotations

import fcntl
import os
import re
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from runbook.errors import RunbookError

BRANCH = "refs/heads/main"
SECONDS = 120
_OPTIONS = (
    *("-c", "core.fsync=all", "-c", "core.fsyncMethod=fsync", "-c", "safe.directory=*"),
    *("-c", "gc.autoDetach=false", "-c", "core.quotePath=false"),
    *("-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false"),
)
_ENVIRONMENT = {
    "PATH": os.defpath,
    "LC_ALL": "C.UTF-8",
    "HOME": "/nonexistent",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_ATTR_NOSYSTEM": "1",
    "GIT_NO_LAZY_FETCH": "1",
}
_CONFIG = "[core]\n\trepositoryformatversion = 0\n\tbare = true\n"
_COMMIT = re.compile(r"[0-9a-f]{40}")
_MOST_REFERENCES = 1024 * 1024
_AUTHOR = {
    f"GIT_{who}_{what}": value
    for who in ("AUTHOR", "COMMITTER")
    for what, value in (("NAME", "runbook"), ("EMAIL", "runbook@localhost"))
}


class GitError(RunbookError):
    """Git refuses, or isn't installed."""

    code = "git_failed"
    exit_code = 74


class _Held(threading.local):
    """What a thread that writes keeps locked."""

    descriptors: tuple[int, ...] = ()


class Git:
    """`folder` gets the repository; it is made when something is written for the first time."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._repository = folder / "repository.git"
        self._held = _Held()

    @property
    def exists(self) -> bool:
        return (self._repository / "HEAD").exists()

    @contextmanager
    def writing(self) -> Iterator[None]:
        """The only writer of all processes."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with (self._folder / "lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            # Also held by git itself: if we are killed, the next writer waits for it to end.
            self._held.descriptors = (lock.fileno(),)
            try:
                self._remove_leftovers()
                if not self.exists:
                    self._create()
                yield
            finally:
                self._held.descriptors = ()

    def _create(self) -> None:
        """Beside its place at first: others may read at any time, and must not see half of it."""
        # What is left of a damaged one is kept: git adds what it lacks.
        new = self._repository if self._repository.exists() else self._folder / "repository.new"
        new.mkdir(mode=0o700, exist_ok=True)
        init = ["init", "--quiet", "--bare", "--initial-branch=main"]
        self._run(init, more={"GIT_DIR": str(new)})
        if new != self._repository:
            new.rename(self._repository)

    def _remove_leftovers(self) -> None:
        """What a writer that was killed has left: nobody else writes now."""
        for path in (*self._repository.glob("refs/heads/*.lock"), *self._repository.glob("*.lock")):
            path.unlink(missing_ok=True)
        for path in self._folder.glob("index*"):
            path.unlink(missing_ok=True)

    def head(self) -> str | None:
        """The latest commit; None if there is none yet. Raises GitError if that can't be told."""
        if not self.exists:
            return None
        found = self._run(["rev-parse", "--verify", "--quiet", BRANCH], fails=True)
        if not found and self._is_damaged():
            if self._branch() is not None:  # a writer has made it meanwhile
                return self.head()
            raise GitError(f"The repository {self._repository} is damaged: restore it from a copy")
        return found.decode().strip() or None

    def _is_damaged(self) -> bool:
        """Whether there is a branch that git can't read: its commits only seem not to be there."""
        self._run(["rev-parse", "--git-dir"])  # raises GitError if it is no repository any more
        return (self._repository / BRANCH).exists()

    def read(self, commit: str, path: str) -> bytes | None:
        """The content of a file; None if the commit doesn't have it. Raises GitError."""
        if not self._run(["ls-tree", "--full-tree", commit, "--", path]):
            return None
        return self._run(["cat-file", "blob", f"{commit}:{path}"])

    def commit(self, files: Mapping[str, bytes], message: str) -> str:
        """Write these files, and keep all others. Only while `writing`."""
        index = {"GIT_INDEX_FILE": str(self._folder / "index")}
        parent = self.head()
        if parent:
            self._run(["read-tree", parent], more=index)
        for path, content in files.items():
            blob = self._run(["hash-object", "-w", "--stdin"], content).decode().strip()
            self._run(["update-index", "--add", "--cacheinfo", f"100644,{blob},{path}"], more=index)
        tree = self._run(["write-tree"], more=index).decode().strip()
        parents = ["-p", parent] if parent else []
        made = self._run(["commit-tree", tree, *parents], message.encode()).decode().strip()
        self._run(["update-ref", BRANCH, made, parent or "0" * 40])
        (self._folder / "index").unlink(missing_ok=True)
        return made

    def tidy(self) -> None:
        """Pack what has piled up, if possible. Only while `writing`."""
        with suppress(GitError):
            self._run(["gc", "--auto", "--quiet"])

    def text(self, *arguments: str) -> str:
        """What a reading command prints."""
        return self._run(list(arguments)).decode("utf-8", "replace")

    def _run(
        self,
        arguments: list[str],
        data: bytes = b"",
        *,
        more: Mapping[str, str] | None = None,
        fails: bool = False,
    ) -> bytes:
        with self._used() as repository:
            environment = {**_ENVIRONMENT, **_AUTHOR, **repository, **(more or {})}
            return self._done(arguments, data, environment, fails=fails)

    @contextmanager
    def _used(self) -> Iterator[Mapping[str, str]]:
        """The repository, as variables: for a reader, one of its own with the same objects."""
        if self._held.descriptors:
            yield {"GIT_DIR": str(self._repository)}
            return
        with tempfile.TemporaryDirectory(prefix="runbook-git-") as name:
            own, commit = Path(name), self._branch()
            (own / "refs/heads").mkdir(parents=True)
            (own / "HEAD").write_text(f"ref: {BRANCH}\n")
            (own / "config").write_text(_CONFIG)
            if commit is not None:
                (own / BRANCH).write_text(f"{commit}\n")
            objects = str(self._repository / "objects")
            yield {"GIT_DIR": name, "GIT_OBJECT_DIRECTORY": objects}

    def _branch(self) -> str | None:
        """The commit of the branch, whether git has packed it or not."""
        loose = _text_of(self._repository / BRANCH)
        if loose:
            return loose.strip() if _COMMIT.fullmatch(loose.strip()) else None
        for line in _text_of(self._repository / "packed-refs").splitlines():
            commit, _, name = line.partition(" ")
            if name == BRANCH and _COMMIT.fullmatch(commit):
                return commit
        return None

    def _done(
        self, arguments: list[str], data: bytes, environment: Mapping[str, str], *, fails: bool
    ) -> bytes:
        try:
            done = subprocess.run(
                ["git", *_OPTIONS, *arguments],
                input=data,
                capture_output=True,
                check=False,
                cwd=self._folder,
                env=environment,
                timeout=SECONDS,
                pass_fds=self._held.descriptors,
            )
        except FileNotFoundError:
            raise GitError("The program git isn't installed; backups of devices need it") from None
        except subprocess.TimeoutExpired:
            raise GitError(f"git {arguments[0]} didn't end within {SECONDS} s") from None
        if done.returncode and not fails:
            said = done.stderr.decode("utf-8", "replace").strip()
            raise GitError(f"git {arguments[0]}: {said}")
        return done.stdout


def _text_of(path: Path) -> str:
    """A file of the repository; empty if it isn't one. Follows no link."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            return file.read(_MOST_REFERENCES).decode("utf-8", "replace")
    except OSError:
        return ""

"""The git repository that a stack's folder is in, through the program git."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from runbook.connectors.errors import ConnectorError, ErrorCode

REMOTE = "origin"
SECONDS = 300
# Hooks and the configuration of others don't run: the folder's commits may come from anybody.
_OPTIONS = ("-c", "core.hooksPath=/dev/null", "-c", "safe.directory=*", "-c", "gc.auto=0")
_CODES = (
    (ErrorCode.AUTH, r"Authentication failed|Permission denied|could not read Username"),
    (ErrorCode.HOST_KEY, "Host key verification failed"),
    (ErrorCode.NOT_FOUND, r"couldn't find remote ref|not found|does not appear to be a git"),
    (ErrorCode.UNREACHABLE, "Could not resolve host|unable to access|Connection (refused|timed)"),
    (ErrorCode.CONFLICT, "not uptodate|would be overwritten|local changes"),
)


@dataclass(frozen=True, slots=True)
class Repository:
    """`folder` is in its working tree. Methods raise ConnectorError."""

    folder: Path

    def head(self) -> str:
        return self._git("rev-parse", "--verify", "HEAD")

    def changed_files(self) -> list[str]:
        """That git knows, and that differ from the commit."""
        text = self._git("status", "--porcelain", "--untracked-files=no")
        return [line[3:] for line in text.splitlines()]

    def fetch(self, ref: str) -> str:
        """The commit that a branch, tag or commit of the remote has now. Nothing else changes."""
        self._git("fetch", "--quiet", "--no-tags", REMOTE, ref)
        return self._git("rev-parse", "--verify", "FETCH_HEAD^{commit}")

    def reset(self, commit: str) -> None:
        """The files of this commit; fails if that would lose a change which isn't committed."""
        self._git("reset", "--quiet", "--keep", commit)

    def summary(self, old: str, new: str) -> str:
        """Which files differ."""
        return self._git("diff", "--stat", old, new)

    @contextmanager
    def preview(self, ref: str) -> Iterator[tuple[str, Path]]:
        """The commit, and a copy of the folder with its files; the repository is only read."""
        with tempfile.TemporaryDirectory(prefix="stack-") as scratch:
            bare, tree = Path(scratch) / "bare", Path(scratch) / "tree"
            top = Path(self._git("rev-parse", "--show-toplevel"))
            self._git("clone", "--quiet", "--bare", "--shared", str(top), str(bare))
            address = self._git("remote", "get-url", REMOTE)
            self._git("--git-dir", str(bare), "fetch", "--quiet", "--no-tags", address, ref)
            copy = ("--git-dir", str(bare))
            commit = self._git(*copy, "rev-parse", "--verify", "FETCH_HEAD^{commit}")
            tree.mkdir()
            self._git(*copy, "--work-tree", str(tree), "checkout", "--force", commit, "--", ".")
            yield commit, tree / self.folder.resolve().relative_to(top.resolve())

    def _git(self, *arguments: str) -> str:
        environment = {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": os.environ.get("HOME", "/nonexistent"),
            "LC_ALL": "C.UTF-8",
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_SSH_COMMAND": "ssh -o BatchMode=yes",
        }
        try:
            done = subprocess.run(
                ["git", *_OPTIONS, "-C", str(self.folder), *arguments],
                check=False,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=SECONDS,
                env=environment,
                stdin=subprocess.DEVNULL,
            )
        except FileNotFoundError:
            raise ConnectorError("git is missing", ErrorCode.MISSING_EXTRA) from None
        except subprocess.TimeoutExpired:
            raise ConnectorError(f"git {arguments[0]} hangs", ErrorCode.TIMEOUT) from None
        if done.returncode:
            said = done.stderr.strip()[-500:]
            found = (code for code, pattern in _CODES if re.search(pattern, said, re.IGNORECASE))
            raise ConnectorError(f"git {arguments[0]}: {said}", next(found, ErrorCode.SERVER))
        return done.stdout.strip()

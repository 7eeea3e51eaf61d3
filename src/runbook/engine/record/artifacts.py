"""Artifacts: files that scripts leave, stored in DATA_DIR/artifacts with a folder per run."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import field
from pathlib import Path

from runbook.core.document import Problem, warning
from runbook.core.outcome import Artifact
from runbook.core.times import Millis
from runbook.engine.process.removal import remove_tree
from runbook.engine.process.script_user import Acting, as_ourselves
from runbook.engine.regular_files import regular_files
from runbook.errors import NotFoundError
from runbook.quick_dataclass import dataclass

MOST_ARTIFACTS = 1000
DEEPEST = 16
READ_BYTES = 256 * 1024
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_WRITE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC


@dataclass(slots=True)
class Collected:
    """The stored artifacts, and a warning for each file that was not stored."""

    artifacts: list[Artifact] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)


class ArtifactStore:
    """Stores regular files, up to `max_bytes` per run. Skips links and special files."""

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self._folder = folder
        self._max_bytes = max_bytes

    def collect(
        self,
        source: Path,
        run_id: str,
        may_show: Callable[[str], bool],
        acting: Acting = as_ourselves,
    ) -> Collected:
        """Copy the files in `source`, except names that `may_show` refuses: they have a secret.

        They are read with the rights of `acting`.
        """
        found = Collected()
        room = self._max_bytes
        for number, path in enumerate(_files(source)):
            name = path.relative_to(source).as_posix()
            if number == MOST_ARTIFACTS:
                text = f"Only the first {MOST_ARTIFACTS} artifacts were stored"
                found.warnings.append(warning("too_many_artifacts", text, limit=MOST_ARTIFACTS))
                break
            if not may_show(name) or not _is_plain(name):
                text = "An artifact was not stored: its name can't be shown"
                found.warnings.append(warning("artifact_not_kept", text))
            else:
                room -= self._keep(path, name, run_id, room, found, acting)
        return found

    def path(self, run_id: str, name: str) -> Path:
        """The path of a stored artifact. Raises NotFoundError if the file is gone."""
        path = self._folder / run_id / name
        if not path.is_file():
            raise NotFoundError("This artifact is not stored here.")
        return path

    def purge(self, known: Callable[[Sequence[str]], Collection[str]], before: Millis) -> int:
        """Remove the artifacts of deleted runs that finished before a time. Returns how many.

        `known` returns which of the given runs still exist. Younger artifacts of unknown runs stay:
        DATABASE_URL may name another database by mistake.
        """
        try:
            kept = sorted(path.name for path in self._folder.iterdir() if _is_older(path, before))
        except OSError:  # no artifacts so far
            return 0
        gone = set(kept).difference(known(kept))
        for run_id in gone:
            remove_tree(self._folder / run_id)
        return len(gone)

    def _keep(
        self, path: Path, name: str, run_id: str, room: int, found: Collected, acting: Acting
    ) -> int:
        """Copy one file. Returns its size in bytes."""
        target = self._folder / run_id / name
        try:
            target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            artifact = _copy(path, target, name, room, acting)
        except OSError as error:
            with suppress(OSError):  # a partial copy, if the disk is full
                target.unlink()
            found.warnings.append(_not_kept(name, error.strerror or type(error).__name__))
            return 0
        if artifact is None:
            limit = f"MAX_ARTIFACT_BYTES is {self._max_bytes}"
            found.warnings.append(_not_kept(name, limit))
            return 0
        found.artifacts.append(artifact)
        return artifact.size


def _is_older(folder: Path, before: Millis) -> bool:
    """Whether nothing was added to the folder since; a run's artifacts are stored as it ends."""
    return folder.lstat().st_mtime_ns // 1_000_000 < before


def _not_kept(name: str, reason: str) -> Problem:
    text = f"Artifact {name} was not stored: {reason}"
    return warning("artifact_not_kept", text, artifact=name, reason=reason)


def _files(source: Path) -> Iterator[Path]:
    """The files that may become artifacts; a folder that is a link now has none."""
    return iter(()) if source.is_symlink() else regular_files(source, deepest=DEEPEST)


def _is_plain(name: str) -> bool:
    """Whether a name can be stored and shown as it is."""
    return name.isprintable() and "\\" not in name and len(name.encode("utf-8", "replace")) <= 1024


def _copy(source: Path, target: Path, name: str, room: int, acting: Acting) -> Artifact | None:
    """None if the file is larger than the remaining space."""
    digest, size = hashlib.sha256(), 0
    with acting():
        opened = os.open(source, _READ)
    with (
        os.fdopen(opened, "rb") as reading,
        os.fdopen(os.open(target, _WRITE, 0o600), "wb") as writing,
    ):
        while data := reading.read(READ_BYTES):
            size += len(data)
            if size > room:
                break
            digest.update(data)
            writing.write(data)
    if size > room:
        target.unlink()
        return None
    return Artifact(name, size, digest.hexdigest())

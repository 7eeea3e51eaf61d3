"""The files that a run's directory begins with: read when it is submitted, kept by their digest."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

FOLDER_MODE = 0o700
PLAIN_MODE = 0o600
EXECUTABLE_MODE = 0o700


@dataclass(frozen=True, slots=True)
class RunFile:
    """A file, or with neither digest nor size a folder. `path` is below the run's directory.

    `digest` is the SHA-256 of the content, `mode` what its owner may do.
    """

    path: str
    mode: int
    digest: str | None = None
    size: int = 0

    @property
    def is_folder(self) -> bool:
        return self.digest is None


@dataclass(frozen=True, slots=True)
class RunFiles:
    """`files` are sorted: a folder comes before what is in it.

    `contents` are by digest; what an earlier run has kept already need not be there.
    """

    files: tuple[RunFile, ...] = ()
    contents: Mapping[str, bytes] = field(default_factory=dict)


NO_FILES = RunFiles()


def digest_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@dataclass(frozen=True, slots=True)
class InputLimits:
    """What the input files of one run may amount to together; folders count as files."""

    files: int = 1000
    bytes: int = 16 * 1024 * 1024

"""The input files of a run: read on submission, stored by digest."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import field

from runbook.quick_dataclass import dataclass

FOLDER_MODE = 0o700
PLAIN_MODE = 0o600
EXECUTABLE_MODE = 0o700


@dataclass(frozen=True, slots=True)
class RunFile:
    """A file, or a folder if it has no digest. `path` is relative to the run's directory.

    `digest` is the SHA-256 of the content, `mode` the owner's permission bits.
    """

    path: str
    mode: int
    digest: str | None = None
    size: int = 0


@dataclass(frozen=True, slots=True)
class RunFiles:
    """`files` are sorted: a folder comes before its contents.

    `contents` maps digests to bytes; content that is already stored may be omitted.
    """

    files: tuple[RunFile, ...] = ()
    contents: Mapping[str, bytes] = field(default_factory=dict)


NO_FILES = RunFiles()


def digest_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@dataclass(frozen=True, slots=True)
class InputLimits:
    """Limits on all input files of one run together; folders count as files."""

    files: int = 1000
    bytes: int = 16 * 1024 * 1024

"""From a ref to a file, without ever leaving the folder of its source.

Links are followed only where they resolve inside it (mounts of Kubernetes are links), and only
regular files are opened: a FIFO or a device can neither hang nor leak anything.
"""

from __future__ import annotations

import errno
import os
import stat
import unicodedata
from dataclasses import dataclass
from pathlib import Path

from runbook.errors import NotFoundError

SUFFIX = ".md"
REF_LIMIT = 1024
"""Bytes of UTF-8."""
SEGMENT_LIMIT = 255
"""Bytes of UTF-8; what file systems take for one name."""

_FORBIDDEN_CATEGORIES = frozenset({"Cc", "Cs", "Zl", "Zp"})
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_NOCTTY | os.O_CLOEXEC
_ABSENT = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG, errno.EINVAL})


@dataclass(frozen=True, slots=True)
class Place:
    """Where a ref's file is to be looked for: its name below a folder that nothing may leave."""

    root: Path
    name: str
    ref: str


def parse_ref(text: str) -> str:
    """The ref, if it may name a runbook. Raises NotFoundError."""
    if not text.endswith(SUFFIX):
        raise NotFoundError(f"A runbook's name ends in {SUFFIX}: {shown(text)}")
    if len(text.encode("utf-8", "replace")) > REF_LIMIT:
        raise NotFoundError(f"A runbook's name has at most {REF_LIMIT} bytes")
    if not all(valid_segment(segment) for segment in text.split("/")):
        raise NotFoundError(f"This cannot be a runbook's name: {shown(text)}")
    return text


def valid_segment(name: str) -> bool:
    """Whether a file or folder of this name may be part of a ref."""
    if not name or name.startswith(".") or "\\" in name or "/" in name:
        return False
    if not (name.isascii() and name.isprintable()) and has_forbidden(name):
        return False
    return len(name.encode()) <= SEGMENT_LIMIT


def has_forbidden(text: str) -> bool:
    """Whether control characters stand in it, or what else breaks lines."""
    return any(unicodedata.category(char) in _FORBIDDEN_CATEGORIES for char in text)


def open_runbook(place: Place) -> int:
    """A descriptor of the runbook's file, for reading. The caller closes it.

    Raises NotFoundError where there is no such regular file below the root, and OSError where
    there is one that cannot be opened.
    """
    parse_ref(place.ref)
    real = locate(place)
    try:
        descriptor = open_below(Path(os.path.realpath(place.root)), real)
    except OSError as error:
        # Whatever was exchanged on the way since it was resolved, or is no file (ENXIO).
        if error.errno in _ABSENT | {errno.ENXIO, errno.ENODEV}:
            raise not_found(place.ref) from None
        raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise not_found(place.ref)
    return descriptor


def read_runbook(place: Place) -> bytes:
    """The whole file. Raises as open_runbook does."""
    with os.fdopen(open_runbook(place), "rb", buffering=0) as file:
        return file.read()


def not_found(ref: str) -> NotFoundError:
    return NotFoundError(f"Runbook not found: {shown(ref)}", runbook=ref)


def is_below(path: Path, root: Path) -> bool:
    """Whether a resolved path lies below a resolved folder, and is not that folder."""
    return path != root and path.is_relative_to(root)


def locate(place: Place) -> Path:
    """Where the ref's file really stands, links resolved. Raises NotFoundError."""
    try:
        real = Path(os.path.realpath(place.root / place.name, strict=True))
    except (OSError, ValueError):
        raise not_found(place.ref) from None
    if not is_below(real, Path(os.path.realpath(place.root))):
        raise not_found(place.ref)
    return real


def open_below(root: Path, real: Path) -> int:
    """Open a resolved path step by step from the root, through no link: none can be slipped in.

    Never waits for a FIFO's other end; what was opened may be no regular file. Raises OSError.
    """
    folder = os.open(root, _FOLDER)
    try:
        *folders, name = real.relative_to(root).parts
        for part in folders:
            following = os.open(part, _FOLDER, dir_fd=folder)
            os.close(folder)
            folder = following
        return os.open(name, _FILE, dir_fd=folder)
    finally:
        os.close(folder)


def shown(text: str) -> str:
    """A name as it may stand in an error: short, and without control characters."""
    plain = "".join(
        "\ufffd" if unicodedata.category(char) in _FORBIDDEN_CATEGORIES else char
        for char in text[:200]
    )
    return plain + ("…" if len(text) > 200 else "")

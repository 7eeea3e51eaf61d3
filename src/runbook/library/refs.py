"""Maps a ref to a file, never outside the folder of its source.

Links are followed only if they resolve inside it (Kubernetes mounts are links), and only regular
files are opened, so a FIFO or a device can't block or leak anything.
"""

from __future__ import annotations

import errno
import os
import stat
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from runbook.errors import NotFoundError
from runbook.quick_dataclass import dataclass

SUFFIX = ".md"
REF_LIMIT = 1024
"""In UTF-8 bytes."""
SEGMENT_LIMIT = 255
"""In UTF-8 bytes; the limit of common file systems for a name."""

FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# Opening a FIFO must not block, and a terminal must not become our controlling terminal.
FILE = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_NOCTTY | os.O_CLOEXEC

_FORBIDDEN_CATEGORIES = frozenset({"Cc", "Cs", "Zl", "Zp"})
_ABSENT = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG, errno.EINVAL})


@dataclass(frozen=True, slots=True)
class Place:
    """Where to look for a ref's file: a name below a folder that must not be left."""

    root: Path
    name: str
    ref: str


def parse_ref(text: str) -> str:
    """The ref, if it can name a runbook. Raises NotFoundError."""
    if not text.endswith(SUFFIX):
        raise NotFoundError(f"A runbook name must end in {SUFFIX}: {shown(text)}")
    if len(text.encode("utf-8", "replace")) > REF_LIMIT:
        raise NotFoundError(f"The runbook name is too long (max: {REF_LIMIT} bytes)")
    if not all(valid_segment(segment) for segment in text.split("/")):
        raise NotFoundError(f"Invalid runbook name: {shown(text)}")
    return text


def valid_segment(name: str) -> bool:
    """Whether a file or folder name can be part of a ref."""
    if not name or name.startswith(".") or "\\" in name or "/" in name:
        return False
    if not (name.isascii() and name.isprintable()) and has_forbidden(name):
        return False
    return len(name.encode()) <= SEGMENT_LIMIT


def has_forbidden(text: str) -> bool:
    """Whether the text contains control characters or other line breaks."""
    return any(unicodedata.category(char) in _FORBIDDEN_CATEGORIES for char in text)


def open_runbook(place: Place) -> int:
    """A descriptor of the runbook's file, for reading. The caller closes it.

    Raises NotFoundError if there is no such regular file below the root, and OSError if it can't be
    opened.
    """
    parse_ref(place.ref)
    root = Path(os.path.realpath(place.root))
    try:
        descriptor = open_below(root, _locate(place, root))
    except OSError as error:
        # A part of the path was swapped after it was resolved, or is not a file (ENXIO).
        if error.errno in _ABSENT | {errno.ENXIO, errno.ENODEV}:
            raise not_found(place.ref) from None
        raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise not_found(place.ref)
    return descriptor


def read_runbook(place: Place, limit: int | None = None) -> bytes:
    """The whole file, or its first `limit` bytes. Raises as open_runbook does."""
    with os.fdopen(open_runbook(place), "rb", buffering=0) as file:
        return file.read() if limit is None else os.pread(file.fileno(), limit, 0)


def not_found(ref: str) -> NotFoundError:
    return NotFoundError(f"Runbook not found: {shown(ref)}", runbook=ref)


def is_below(path: Path, root: Path) -> bool:
    """Whether a resolved path is below a resolved folder, and not that folder itself."""
    return path != root and path.is_relative_to(root)


def locate(place: Place) -> Path:
    """The real path of the ref's file, links resolved. Raises NotFoundError."""
    return _locate(place, Path(os.path.realpath(place.root)))


def _locate(place: Place, root: Path) -> Path:
    try:
        real = Path(os.path.realpath(root / place.name, strict=True))
    except (OSError, ValueError):
        raise not_found(place.ref) from None
    if not is_below(real, root):
        raise not_found(place.ref)
    return real


def open_below(root: Path, real: Path) -> int:
    """Open a resolved path step by step from the root, following no links.

    Never blocks on a FIFO; the result may not be a regular file. Raises OSError.
    """
    with folder_below(root, real.parent) as folder:
        return os.open(real.name, FILE, dir_fd=folder)


@contextmanager
def folder_below(root: Path, real: Path) -> Iterator[int]:
    """A resolved folder, opened step by step from the root, following no links. Raises OSError."""
    folder = os.open(root, FOLDER)
    try:
        for part in real.relative_to(root).parts:
            following = os.open(part, FOLDER, dir_fd=folder)
            os.close(folder)
            folder = following
        yield folder
    finally:
        os.close(folder)


def shown(text: str) -> str:
    """A name for use in an error: short, and without control characters."""
    plain = "".join(
        "\ufffd" if unicodedata.category(char) in _FORBIDDEN_CATEGORIES else char
        for char in text[:200]
    )
    return plain + ("…" if len(text) > 200 else "")

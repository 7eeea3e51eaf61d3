"""From a ref to a file, without ever leaving the runbooks directory.

Links are followed only where they resolve inside it (mounts of Kubernetes are links), and only
regular files are opened: a FIFO or a device can neither hang nor leak anything.
"""

from __future__ import annotations

import errno
import os
import posixpath
import stat
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from runbook.core.document import Problem, Runbook
from runbook.errors import InvalidRunbookError, NotFoundError

SUFFIX = ".md"
REF_LIMIT = 1024
"""Bytes of UTF-8."""
SEGMENT_LIMIT = 255
"""Bytes of UTF-8; what file systems take for one name."""
INPUT_FILES_LIMIT = 10_000
INPUT_BYTES_LIMIT = 1 << 30
_DEPTH_LIMIT = 64

_FORBIDDEN_CATEGORIES = frozenset({"Cc", "Cs", "Zl", "Zp"})
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_NOCTTY | os.O_CLOEXEC
_ABSENT = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG, errno.EINVAL})


def parse_ref(text: str) -> str:
    """The ref, if it may name a runbook. Raises NotFoundError."""
    if not text.endswith(SUFFIX):
        raise NotFoundError(f"A runbook's name ends in {SUFFIX}: {_shown(text)}")
    if len(text.encode("utf-8", "replace")) > REF_LIMIT:
        raise NotFoundError(f"A runbook's name has at most {REF_LIMIT} bytes")
    if not all(valid_segment(segment) for segment in text.split("/")):
        raise NotFoundError(f"This cannot be a runbook's name: {_shown(text)}")
    return text


def valid_segment(name: str) -> bool:
    """Whether a file or folder of this name may be part of a ref."""
    if not name or name.startswith(".") or "\\" in name or "/" in name:
        return False
    if not (name.isascii() and name.isprintable()) and _has_forbidden(name):
        return False
    return len(name.encode()) <= SEGMENT_LIMIT


def _has_forbidden(text: str) -> bool:
    return any(unicodedata.category(char) in _FORBIDDEN_CATEGORIES for char in text)


def open_runbook(root: Path, ref: str) -> int:
    """A descriptor of the runbook's file, for reading. The caller closes it.

    Raises NotFoundError where there is no such regular file below `root`, and OSError where
    there is one that cannot be opened.
    """
    real = locate(root, parse_ref(ref))
    try:
        descriptor = open_below(Path(os.path.realpath(root)), real)
    except OSError as error:
        # Whatever was exchanged on the way since it was resolved, or is no file (ENXIO).
        if error.errno in _ABSENT | {errno.ENXIO, errno.ENODEV}:
            raise not_found(ref) from None
        raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise not_found(ref)
    return descriptor


def read_runbook(root: Path, ref: str) -> bytes:
    """The whole file. Raises as open_runbook does."""
    with os.fdopen(open_runbook(root, ref), "rb", buffering=0) as file:
        return file.read()


def not_found(ref: str) -> NotFoundError:
    return NotFoundError(f"Runbook not found: {_shown(ref)}", runbook=ref)


def is_below(path: Path, root: Path) -> bool:
    """Whether a resolved path lies below a resolved folder, and is not that folder."""
    return path != root and path.is_relative_to(root)


def locate(root: Path, ref: str) -> Path:
    """Where the ref's file really stands, links resolved. Raises NotFoundError."""
    try:
        real = Path(os.path.realpath(root / ref, strict=True))
    except (OSError, ValueError):
        raise not_found(ref) from None
    if not is_below(real, Path(os.path.realpath(root))):
        raise not_found(ref)
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


def _shown(text: str) -> str:
    """A name as it may stand in an error: short, and without control characters."""
    plain = "".join(
        "\ufffd" if unicodedata.category(char) in _FORBIDDEN_CATEGORIES else char
        for char in text[:200]
    )
    return plain + ("…" if len(text) > 200 else "")


# -- input files ------------------------------------------------------------------------------


def resolve_input_file(root: Path, ref: str, path: str) -> Path:
    """Where a path under `Input:` leads: from the runbook's folder, else from the root.

    The path still ends in the basename under which it is copied. Raises InvalidRunbookError for
    one that is missing, outside the root, or neither a regular file nor a folder.
    """
    outcome = _locate(root, ref, path)
    if isinstance(outcome, Problem):
        raise InvalidRunbookError(outcome.message, problem=outcome.code)
    return outcome


def input_sources(root: Path, ref: str, runbook: Runbook) -> tuple[Path, ...]:
    """Where each input file or folder of a runbook stands. Raises InvalidRunbookError."""
    return tuple(resolve_input_file(root, ref, item.path) for item in runbook.files_in)


def check_input_files(root: Path, ref: str, runbook: Runbook) -> list[Problem]:
    """Everything that is wrong with a runbook's input files."""
    problems: list[Problem] = []
    names: dict[str, int] = {}
    budget = _Budget()
    real_root = Path(os.path.realpath(root))
    for item in runbook.files_in:
        outcome = _locate(root, ref, item.path)
        if isinstance(outcome, Problem):
            problems.append(replace(outcome, line=item.line))
            continue
        if outcome.name in names:
            problems.append(_collision(outcome.name, item.line, names[outcome.name]))
        names.setdefault(outcome.name, item.line)
        if problem := budget.check(real_root, outcome, item.path):
            problems.append(replace(problem, line=item.line))
    return problems


def _collision(name: str, line: int, first: int) -> Problem:
    text = f"Two input files would be copied as {name}; the first is on line {first}"
    return Problem(
        "input_file_collision",
        text,
        line,
        hint="Rename one of them",
        params={"file": name, "first_line": first},
    )


def _locate(root: Path, ref: str, path: str) -> Path | Problem:
    """The first place that exists, as a path whose last part is the name to copy it under."""
    if not _usable_path(path):
        return _outside(path)
    real_root = Path(os.path.realpath(root))
    outside = False
    for folder in dict.fromkeys((posixpath.dirname(ref), "")):
        relative = posixpath.normpath(posixpath.join(folder, path))
        if relative == "." or relative.startswith("../") or relative == "..":
            outside = True
            continue
        found = root / relative
        try:
            real = Path(os.path.realpath(found, strict=True))
            mode = real.stat().st_mode if is_below(real, real_root) else 0
        except (OSError, ValueError):
            continue
        if not mode:
            return _outside(path)
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            return _special(path)
        return found
    return _outside(path) if outside and ".." in path.split("/") else _absent(path)


def _usable_path(path: str) -> bool:
    return not path.startswith("/") and not _has_forbidden(path)


def _absent(path: str) -> Problem:
    text = f"Required input file does not exist: {_shown(path)}"
    hint = "Give it relative to the runbook's folder or to the runbooks directory"
    return Problem("input_file_missing", text, hint=hint, params={"path": _shown(path)})


def _outside(path: str) -> Problem:
    text = f"Input file lies outside the runbooks directory: {_shown(path)}"
    return Problem(
        "input_file_outside",
        text,
        hint="Copy it into the runbooks directory",
        params={"path": _shown(path)},
    )


def _special(path: str) -> Problem:
    text = f"Input file is neither a regular file nor a folder: {_shown(path)}"
    return Problem("input_file_special", text, params={"path": _shown(path)})


@dataclass(slots=True)
class _Budget:
    """What all input files of a runbook may amount to."""

    files: int = INPUT_FILES_LIMIT
    bytes: int = INPUT_BYTES_LIMIT

    def check(self, root: Path, source: Path, path: str) -> Problem | None:
        """Count a file, or all that a folder holds."""
        try:
            for outcome in _walk(root, Path(os.path.realpath(source)), path, ()):
                if isinstance(outcome, Problem):
                    return outcome
                self.files -= 1
                self.bytes -= outcome
                if self.files < 0 or self.bytes < 0:
                    return _too_much()
        except OSError as error:
            text = f"Input file cannot be read: {_shown(path)} ({error.strerror})"
            return Problem(
                "input_file_unreadable",
                text,
                params={"path": _shown(path), "reason": error.strerror},
            )
        return None


def _too_much() -> Problem:
    text = (
        f"The input files are more than {INPUT_FILES_LIMIT} "
        f"or larger than {INPUT_BYTES_LIMIT >> 20} MiB together"
    )
    return Problem(
        "input_files_too_large",
        text,
        params={"files": INPUT_FILES_LIMIT, "bytes": INPUT_BYTES_LIMIT},
    )


def _walk(root: Path, real: Path, shown: str, above: tuple[Path, ...]) -> Iterator[int | Problem]:
    """The size of each file at a resolved path; links are followed inside the root."""
    if not is_below(real, root):
        yield _outside(shown)
        return
    facts = real.stat()
    if stat.S_ISREG(facts.st_mode):
        yield facts.st_size
    elif not stat.S_ISDIR(facts.st_mode):
        yield _special(shown)
    elif real in above or len(above) >= _DEPTH_LIMIT:
        text = f"A link leads back to a folder around it: {_shown(shown)}"
        yield Problem("input_file_cycle", text, params={"path": _shown(shown)})
    else:
        yield 0
        with os.scandir(real) as entries:
            for entry in entries:
                # `..data` and the like are how Kubernetes names versions of a mounted folder.
                if not entry.name.startswith(".."):
                    path = Path(os.path.realpath(entry.path, strict=True))
                    yield from _walk(root, path, f"{shown}/{entry.name}", (*above, real))

"""The input files of a runbook: where they stand, and what is wrong with them.

They lie below the root of the runbook's own source.
"""

from __future__ import annotations

import os
import posixpath
import stat
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from runbook.core.document import Problem, Runbook
from runbook.errors import InvalidRunbookError
from runbook.library.refs import Place, has_forbidden, is_below, shown

INPUT_FILES_LIMIT = 10_000
INPUT_BYTES_LIMIT = 1 << 30
_DEPTH_LIMIT = 64


def resolve_input_file(place: Place, path: str) -> Path:
    """Where a path under `Input:` leads: from the runbook's folder, else from the root.

    The path still ends in the basename under which it is copied. Raises InvalidRunbookError for
    one that is missing, outside the root, or neither a regular file nor a folder.
    """
    outcome = _locate(place, path)
    if isinstance(outcome, Problem):
        raise InvalidRunbookError(outcome.message, problem=outcome.code)
    return outcome


def input_sources(place: Place, runbook: Runbook) -> tuple[Path, ...]:
    """Where each input file or folder of a runbook stands. Raises InvalidRunbookError."""
    return tuple(resolve_input_file(place, item.path) for item in runbook.files_in)


def check_input_files(place: Place, runbook: Runbook) -> list[Problem]:
    """Everything that is wrong with a runbook's input files."""
    problems: list[Problem] = []
    names: dict[str, int] = {}
    budget = _Budget()
    real_root = Path(os.path.realpath(place.root))
    for item in runbook.files_in:
        outcome = _locate(place, item.path)
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
    return Problem("input_file_collision", text, line, hint="Rename one of them")


def _locate(place: Place, path: str) -> Path | Problem:
    """The first place that exists, as a path whose last part is the name to copy it under."""
    if not _usable_path(path):
        return _outside(path)
    real_root = Path(os.path.realpath(place.root))
    outside = False
    for folder in dict.fromkeys((posixpath.dirname(place.name), "")):
        relative = posixpath.normpath(posixpath.join(folder, path))
        if relative == "." or relative.startswith("../") or relative == "..":
            outside = True
            continue
        found = place.root / relative
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
    return not path.startswith("/") and not has_forbidden(path)


def _absent(path: str) -> Problem:
    text = f"Required input file does not exist: {shown(path)}"
    hint = "Give it relative to the runbook's folder or to the runbooks directory"
    return Problem("input_file_missing", text, hint=hint)


def _outside(path: str) -> Problem:
    text = f"Input file lies outside the runbooks directory: {shown(path)}"
    return Problem("input_file_outside", text, hint="Copy it into the runbooks directory")


def _special(path: str) -> Problem:
    text = f"Input file is neither a regular file nor a folder: {shown(path)}"
    return Problem("input_file_special", text)


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
            text = f"Input file cannot be read: {shown(path)} ({error.strerror})"
            return Problem("input_file_unreadable", text)
        return None


def _too_much() -> Problem:
    text = (
        f"The input files are more than {INPUT_FILES_LIMIT} "
        f"or larger than {INPUT_BYTES_LIMIT >> 20} MiB together"
    )
    return Problem("input_files_too_large", text)


def _walk(root: Path, real: Path, name: str, above: tuple[Path, ...]) -> Iterator[int | Problem]:
    """The size of each file at a resolved path; links are followed inside the root."""
    if not is_below(real, root):
        yield _outside(name)
        return
    facts = real.stat()
    if stat.S_ISREG(facts.st_mode):
        yield facts.st_size
    elif not stat.S_ISDIR(facts.st_mode):
        yield _special(name)
    elif real in above or len(above) >= _DEPTH_LIMIT:
        text = f"A link leads back to a folder around it: {shown(name)}"
        yield Problem("input_file_cycle", text)
    else:
        yield 0
        with os.scandir(real) as entries:
            for entry in entries:
                # `..data` and the like are how Kubernetes names versions of a mounted folder.
                if not entry.name.startswith(".."):
                    path = Path(os.path.realpath(entry.path, strict=True))
                    yield from _walk(root, path, f"{name}/{entry.name}", (*above, real))

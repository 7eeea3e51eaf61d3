"""Writes a formatted runbook under the same lock as history writers.

    .Name.md.formatted    exists only while the file is written: its whole new content

The file is written in place, as it may be a bind mount. If a crash interrupts that, the other file
has the complete new content, and the next call reports it.
"""

from __future__ import annotations

import os
from pathlib import Path

from runbook.core.authoring.format import formatted
from runbook.core.document import Problem
from runbook.core.language.parse import parse_head
from runbook.core.syntax.markdown import HEAD_READ
from runbook.errors import HistoryError
from runbook.library.history import LOCK_SECONDS
from runbook.library.locking import locked, read_at, size_of, sync_data, write_all, write_at
from runbook.library.rotation import positioned, recover
from runbook.quick_dataclass import dataclass

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW


@dataclass(frozen=True, slots=True)
class Formatting:
    """A file before and after formatting. `problem` says why it can't be formatted."""

    before: bytes
    after: bytes
    problem: Problem | None = None

    @property
    def changed(self) -> bool:
        return self.before != self.after


def plan_format(path: Path, *, lock_seconds: float = LOCK_SECONDS) -> Formatting:
    """Preview formatting a file. Raises HistoryError."""
    with locked(path, seconds=lock_seconds, write=False) as descriptor:
        return _formatting(_read(descriptor))


def format_file(path: Path, *, lock_seconds: float = LOCK_SECONDS) -> Formatting:
    """Format a file if that changes anything; it is on disk on return.

    Raises HistoryReadOnlyError if the file is read-only, else HistoryError.
    """
    planned = plan_format(path, lock_seconds=lock_seconds)
    if planned.problem or not planned.changed:
        return planned
    with locked(path, seconds=lock_seconds, write=True) as descriptor:
        recover(path, descriptor)
        found = _formatting(_read(descriptor))
        if found.problem is None and found.changed:
            _write(path, descriptor, found.after)
        return found


def _read(descriptor: int) -> bytes:
    """The whole file, or its beginning if that shows that it can't be formatted."""
    beginning = read_at(descriptor, 0, HEAD_READ)
    size = size_of(descriptor)
    if size <= len(beginning) or parse_head(beginning).document.runbook is None:
        return beginning
    return read_at(descriptor, 0, size)


def _formatting(data: bytes) -> Formatting:
    outcome = formatted(data)
    if isinstance(outcome, Problem):
        return Formatting(data, data, outcome)
    return Formatting(data, outcome)


def spare_path(path: Path) -> Path:
    """The path of the new content until the file has it."""
    return path.with_name(f".{path.name}.formatted")


def _write(path: Path, descriptor: int, content: bytes) -> None:
    spare = spare_path(path)
    if spare.exists():
        raise HistoryError(
            f"{spare.name} exists because formatting was interrupted; it has the complete new "
            "text. Compare it with the runbook, keep the right version and delete the file."
        )
    try:
        copy = os.open(spare, _NEW, os.fstat(descriptor).st_mode & 0o666)
        try:
            write_all(copy, content)
            os.fsync(copy)
        finally:
            os.close(copy)
    except OSError:
        spare.unlink(missing_ok=True)
        raise
    with positioned(descriptor):
        write_at(descriptor, 0, content)
        os.ftruncate(descriptor, len(content))
    sync_data(descriptor)
    spare.unlink()

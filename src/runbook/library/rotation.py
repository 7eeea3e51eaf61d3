"""Moves the oldest history entries out of a runbook, in place and crash-safe.

    Name.md                 the runbook; nothing above its History heading is written
    Name.history            the archive; Name.history + the runbook's history is the chain
    .Name.history.journal   exists only while entries are moved

The journal is a copy of the whole history. Once it is on disk under its name, the older part
is written to `Name.history`, then the newer part over the runbook's history, which is cut to
its new length; then the journal is deleted. After a crash, the next holder of the lock completes
the move, or undoes it if the runbook's history was not touched yet. The runbook is never renamed,
as it may be a bind mount. All functions here require the lock on the runbook.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

from runbook.core.history.chain import entry_start, repeated, sha256
from runbook.core.prefix import common_length
from runbook.core.syntax.markdown import HEAD_READ, read_head
from runbook.library.locking import (
    COPY_BYTES,
    journal_path,
    read_at,
    size_of,
    sync_data,
    write_all,
    write_at,
)
from runbook.quick_dataclass import dataclass

_FRONT_BYTES = 1024 * 1024
_HEADER_BYTES = 512
_NEW = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW


def reached(step: str) -> None:
    """Called after each step at which a crash matters; tests crash here."""


def archive_path(path: Path) -> Path:
    """The archive file."""
    return path.with_suffix(".history")


def history_offset(descriptor: int) -> int | None:
    """The current offset of the history in the file."""
    return read_head(read_at(descriptor, 0, HEAD_READ)).history_bytes


def rotate(path: Path, descriptor: int, first_kept: int) -> bool:
    """Move everything before entry `first_kept`. False if there is nothing to move.

    Raises OSError; `recover` then completes or undoes a partial move.
    """
    offset = history_offset(descriptor)
    moved = _bytes_before(descriptor, offset, first_kept) if offset is not None else 0
    if offset is None or not moved:
        return False
    with _opened(archive_path(path), _mode(descriptor)) as archive:
        dropped = repeated_bytes(archive, descriptor, offset)
        moved = max(moved, dropped)
        plan = _Plan(
            offset=offset,
            moved=moved,
            kept=size_of(descriptor) - offset - moved,
            archived=size_of(archive),
            head=sha256(read_at(descriptor, 0, offset)),
            dropped=dropped,
        )
        _write_journal(path, descriptor, plan)
    with _opened(journal_path(path), 0o600) as journal:
        _complete(path, descriptor, journal, plan)
    return True


def recover(path: Path, descriptor: int) -> None:
    """Complete or undo an interrupted move. Cheap if there was none. Raises OSError."""
    name = journal_path(path)
    if not os.path.lexists(name):
        return
    with _opened(name, 0o600) as journal:
        plan = _read_plan(journal)
        if plan is None:
            _set_aside(name)
            return
        _settle(path, descriptor, journal, plan)


@dataclass(frozen=True, slots=True)
class _Plan:
    """The move, in bytes. `head` is the digest of the bytes above the history.

    The archive already has the first `dropped` bytes of those to move.
    """

    offset: int
    moved: int
    kept: int
    archived: int
    head: str
    dropped: int = 0


def repeated_bytes(archive: int, descriptor: int, offset: int) -> int:
    """The size of the start of the history that the archive has too; see chain.repeated."""
    archived = size_of(archive)
    if not archived:
        return 0
    history = read_at(descriptor, offset, size_of(descriptor))
    at = max(0, archived - 2 * len(history))
    return repeated(read_at(archive, at, archived - at), history)


def _bytes_before(descriptor: int, offset: int, first_kept: int) -> int:
    """The size of the history before an entry; reads only as much as needed."""
    size = size_of(descriptor) - offset
    window = _FRONT_BYTES
    while True:
        front = read_at(descriptor, offset, window)
        start = entry_start(front, first_kept, whole=window >= size)
        if start is not None or window >= size:
            return start or 0
        window *= 2


# -- the journal -------------------------------------------------------------------------------


def _write_journal(path: Path, descriptor: int, plan: _Plan) -> None:
    name = journal_path(path)
    unfinished = name.with_name(name.name + ".tmp")
    try:
        with _opened(unfinished, 0o600) as journal:
            os.ftruncate(journal, 0)
            write_all(journal, json.dumps(asdict(plan)).encode().ljust(_HEADER_BYTES))
            _copy(descriptor, plan.offset, plan.moved + plan.kept, journal, _HEADER_BYTES)
            os.fsync(journal)
        reached("journal written")
        unfinished.rename(name)
    except OSError:
        unfinished.unlink(missing_ok=True)
        raise
    _sync_folder(path)
    reached("journal valid")


def _read_plan(journal: int) -> _Plan | None:
    try:
        plan = _Plan(**json.loads(read_at(journal, 0, _HEADER_BYTES)))
        whole = size_of(journal) == _HEADER_BYTES + plan.moved + plan.kept
    except (ValueError, TypeError):
        return None
    return plan if whole else None


def _set_aside(name: Path) -> None:
    """Set an unusable journal aside for inspection, because it contains entries."""
    name.rename(name.with_name(name.name + ".unused"))


# -- moving ------------------------------------------------------------------------------------


def _complete(path: Path, descriptor: int, journal: int, plan: _Plan) -> None:
    _fill_archive(path, descriptor, journal, plan)
    _shorten(descriptor, journal, plan)
    _drop_journal(path)


def _fill_archive(path: Path, descriptor: int, journal: int, plan: _Plan) -> None:
    with _opened(archive_path(path), _mode(descriptor)) as archive:
        at = min(plan.archived, size_of(archive))
        _copy(journal, _HEADER_BYTES + plan.dropped, plan.moved - plan.dropped, archive, at)
        os.ftruncate(archive, at + plan.moved - plan.dropped)
        sync_data(archive)
    _sync_folder(path)
    reached("archive written")


def _shorten(descriptor: int, journal: int, plan: _Plan) -> None:
    with positioned(descriptor):
        _copy(journal, _HEADER_BYTES + plan.moved, plan.kept, descriptor, plan.offset)
        reached("history written")
        os.ftruncate(descriptor, plan.offset + plan.kept)
        sync_data(descriptor)
    reached("history cut")


def _drop_journal(path: Path) -> None:
    journal_path(path).unlink(missing_ok=True)
    _sync_folder(path)
    reached("journal gone")


def _copy(source: int, at: int, size: int, target: int, to: int) -> None:
    while size > 0:
        part = read_at(source, at, min(size, COPY_BYTES))
        if not part:
            raise OSError(0, "a file was truncated during the copy")
        write_at(target, to, part)
        reached("part copied")
        at, to, size = at + len(part), to + len(part), size - len(part)


@contextlib.contextmanager
def positioned(descriptor: int) -> Iterator[None]:
    """Makes pwrite honor its offset, which O_APPEND overrides."""
    flags = fcntl.fcntl(descriptor, fcntl.F_GETFL)
    fcntl.fcntl(descriptor, fcntl.F_SETFL, flags & ~os.O_APPEND)
    try:
        yield
    finally:
        fcntl.fcntl(descriptor, fcntl.F_SETFL, flags)


@contextlib.contextmanager
def _opened(name: Path, mode: int) -> Iterator[int]:
    descriptor = os.open(name, _NEW, mode)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _mode(descriptor: int) -> int:
    """The runbook's permissions, for files with its content."""
    return os.fstat(descriptor).st_mode & 0o666


def _sync_folder(path: Path) -> None:
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


# -- after a crash -----------------------------------------------------------------------------


def _settle(path: Path, descriptor: int, journal: int, plan: _Plan) -> None:
    """Recover from a crash. If the runbook may have been edited since, nothing is written."""
    offset = history_offset(descriptor)
    if offset is None:
        _set_aside(journal_path(path))
        return
    now = read_at(descriptor, offset, size_of(descriptor))
    before = read_at(journal, _HEADER_BYTES, plan.moved + plan.kept)
    after = before[plan.moved :]
    if now.startswith(before):
        _undo(path, plan)
    elif _is_half_moved(descriptor, plan, now, before):
        placed = replace(plan, offset=offset)
        _complete(path, descriptor, journal, placed)
    elif now.startswith(after):
        _fill_archive(path, descriptor, journal, plan)
        _drop_journal(path)
    elif now.startswith(before[: plan.moved]):  # an older copy was saved
        _empty_archive_again(path, plan)
        _set_aside(journal_path(path))
    else:
        _set_aside(journal_path(path))


def _is_half_moved(descriptor: int, plan: _Plan, now: bytes, before: bytes) -> bool:
    """Whether the history is the old one, partly or fully overwritten by the new one."""
    after = before[plan.moved :]
    if now == after:
        return True
    if len(now) != len(before):
        return False
    same = common_length(now, after)
    return now[same:] == before[same:] or plan.head == sha256(read_at(descriptor, 0, plan.offset))


def _undo(path: Path, plan: _Plan) -> None:
    """Undo: the runbook's history is unchanged, so remove what was added to the archive."""
    _empty_archive_again(path, plan)
    _drop_journal(path)


def _empty_archive_again(path: Path, plan: _Plan) -> None:
    with _opened(archive_path(path), 0o600) as archive:
        if size_of(archive) > plan.archived:
            os.ftruncate(archive, plan.archived)
            sync_data(archive)

"""Reads a runbook's history from its end, including the archive, without reading all of it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import dropwhile, islice
from pathlib import Path

from runbook.core.history.backwards import Backward, Found, legacy_page
from runbook.core.history.entry import EntryRecord
from runbook.core.history.legacy import LegacyRecord
from runbook.library.loading import Entry
from runbook.library.locking import failure, locked, read_at, size_of
from runbook.library.rotation import archive_path, history_offset

LOCK_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class PagedEntry:
    """An entry of a page. `sound`: see core.history.backwards.Found."""

    n: int
    record: EntryRecord
    sound: bool


@dataclass(frozen=True, slots=True)
class HistoryPage:
    """Entries, newest first, then legacy ones. `next_before` is the cursor of the next page.

    It is None on the last page.
    """

    entries: tuple[PagedEntry, ...] = ()
    legacy: tuple[LegacyRecord, ...] = ()
    next_before: int | None = None


@dataclass(frozen=True, slots=True)
class _Bytes:
    """A whole history: the archive file, then the history in the runbook."""

    archive: int | None
    archived: int
    descriptor: int
    offset: int

    @property
    def size(self) -> int:
        return self.archived + size_of(self.descriptor) - self.offset

    def read(self, at: int, size: int) -> bytes:
        older = b""
        if self.archive is not None and at < self.archived:
            older = read_at(self.archive, at, min(size, self.archived - at))
        at = max(0, at + len(older) - self.archived)
        return older + read_at(self.descriptor, self.offset + at, size - len(older))


def read_page(path: Path, entry: Entry, *, before: int | None, limit: int) -> HistoryPage:
    """The entries with numbers below `before`, newest first, at most `limit`.

    `path` is the real path of the runbook of `entry`. A negative `before` is the `next_before` of
    an earlier page among the legacy entries. Raises HistoryError.
    """
    with _opened(path, entry) as history:
        if history is None:
            return HistoryPage()
        if before is not None and before < 0:
            return _legacy(history, min(-before, history.size), limit, ())
        back = Backward(history.read, history.size)
        entries = tuple(islice(_entries(back, before), limit))
        if len(entries) == limit:
            return HistoryPage(entries, next_before=entries[-1].n if back.end > 0 else None)
        return _legacy(history, back.end, limit - len(entries), entries)


def read_entry(path: Path, entry: Entry, n: int) -> PagedEntry | None:
    """One entry; None if there is none with this number. Raises HistoryError."""
    with _opened(path, entry) as history:
        if history is None:
            return None
        found = next(_entries(Backward(history.read, history.size), n + 1), None)
    return found if found is not None and found.n == n else None


def _entries(back: Backward, before: int | None) -> Iterator[PagedEntry]:
    wanted = iter(back)
    if before is not None:
        wanted = dropwhile(lambda found: found.entry.n >= before, wanted)
    for found in wanted:
        if (entry := _paged(back, found)) is not None:
            yield entry


def _paged(back: Backward, found: Found) -> PagedEntry | None:
    record = back.record(found)
    return None if record is None else PagedEntry(found.entry.n, record, found.sound)


def _legacy(history: _Bytes, end: int, limit: int, entries: tuple[PagedEntry, ...]) -> HistoryPage:
    page = legacy_page(history.read, end, limit)
    return HistoryPage(entries, page.records, -page.rest or None)


@contextmanager
def _opened(path: Path, entry: Entry) -> Iterator[_Bytes | None]:
    """The history under a shared lock; None if the runbook has no History section."""
    with locked(path, seconds=LOCK_SECONDS, write=False) as descriptor:
        offset = _offset(descriptor, entry)
        if offset is None:
            yield None
            return
        archive = _open_archive(path)
        try:
            archived = 0 if archive is None else size_of(archive)
            yield _Bytes(archive, archived, descriptor, offset)
        finally:
            if archive is not None:
                os.close(archive)


def _offset(descriptor: int, entry: Entry) -> int | None:
    """The offset of the history; parsed again only if the file was just edited."""
    size = entry.document.head_bytes
    if entry.head and read_at(descriptor, 0, size) == entry.head:
        return entry.document.history_bytes
    return history_offset(descriptor)


def _open_archive(path: Path) -> int | None:
    try:
        return os.open(archive_path(path), os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise failure("read", error) from error

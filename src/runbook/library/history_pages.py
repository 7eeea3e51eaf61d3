"""Reads a runbook's history from its end, including the archive, without reading all of it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import dropwhile, islice
from pathlib import Path

from runbook.core.history.adoption import AdoptionRecord
from runbook.core.history.backwards import Backward, Found, legacy_page
from runbook.core.history.chain import last_link
from runbook.core.history.entry import LINK, LINK_BYTES, EntryRecord
from runbook.core.history.legacy import LegacyRecord
from runbook.library.loading import Entry
from runbook.library.locking import failure, locked, read_at, size_of
from runbook.library.rotation import archive_path, history_offset, repeated_bytes
from runbook.quick_dataclass import dataclass

LOCK_SECONDS = 5.0
_FRONT_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class PagedEntry:
    """An entry of a page. `sound`: see core.history.backwards.Found."""

    n: int
    record: EntryRecord
    sound: bool


@dataclass(frozen=True, slots=True)
class PagedAdoption:
    """An adoption between the entries of a page."""

    n: int
    record: AdoptionRecord
    sound: bool


@dataclass(frozen=True, slots=True)
class HistoryPage:
    """Entries, newest first, then legacy ones. `next_before` is the cursor of the next page.

    It is None on the last page. Entries and adoptions together are at most the page's limit.
    """

    entries: tuple[PagedEntry, ...] = ()
    legacy: tuple[LegacyRecord, ...] = ()
    next_before: int | None = None
    adoptions: tuple[PagedAdoption, ...] = ()


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
            return _legacy(history, min(-before, history.size), limit)
        back = Backward(history.read, history.size)
        items = list(islice(_items(back, before), limit))
        page = HistoryPage(
            entries=tuple(item for item in items if isinstance(item, PagedEntry)),
            adoptions=tuple(item for item in items if isinstance(item, PagedAdoption)),
        )
        if len(items) == limit:
            return replace(page, next_before=items[-1].n if back.end > 0 else None)
        older = _legacy(history, back.end, limit - len(items))
        return replace(page, legacy=older.legacy, next_before=older.next_before)


def read_entry(path: Path, entry: Entry, n: int) -> PagedEntry | None:
    """One entry; None if there is none with this number. Raises HistoryError."""
    with _opened(path, entry) as history:
        if history is None:
            return None
        found = next(_items(Backward(history.read, history.size), n + 1), None)
    return found if isinstance(found, PagedEntry) and found.n == n else None


def _items(back: Backward, before: int | None) -> Iterator[PagedEntry | PagedAdoption]:
    wanted = iter(back)
    if before is not None:
        wanted = dropwhile(lambda found: found.entry.n >= before, wanted)
    for found in wanted:
        if (item := _paged(back, found)) is not None:
            yield item


def _paged(back: Backward, found: Found) -> PagedEntry | PagedAdoption | None:
    record = back.record(found)
    if isinstance(record, AdoptionRecord):
        return PagedAdoption(found.entry.n, record, found.sound)
    return None if record is None else PagedEntry(found.entry.n, record, found.sound)


def _legacy(history: _Bytes, end: int, limit: int) -> HistoryPage:
    page = legacy_page(history.read, end, limit)
    return HistoryPage((), page.records, -page.rest or None)


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
            if archive is not None:
                offset += _repeated(archive, descriptor, offset)
            yield _Bytes(archive, archived, descriptor, offset)
        finally:
            if archive is not None:
                os.close(archive)


def _repeated(archive: int, descriptor: int, offset: int) -> int:
    """See repeated_bytes. Everything is read only if the first entry looks archived already."""
    last = last_link(read_at(archive, max(0, size_of(archive) - LINK_BYTES), LINK_BYTES))
    first = LINK.search(read_at(descriptor, offset, _FRONT_BYTES))
    if last is None or first is None or int(first["n"]) > last.n:
        return 0
    return repeated_bytes(archive, descriptor, offset)


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

"""Appends history entries to runbooks, from any number of processes and threads."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from runbook.core.history.adoption import AdoptionRecord, ChainFinding, render_adoption
from runbook.core.history.chain import (
    EntryRecord,
    Link,
    Recorded,
    chain_end,
    closing,
    find_run,
    fitted,
    last_digest,
    last_link,
    render,
    repeated,
    sha256,
)
from runbook.core.history.entry import LINK_BYTES
from runbook.core.history.line_ends import crlf, has_crlf, lf
from runbook.core.history.verification import Verification, verify
from runbook.core.syntax.markdown import read_head
from runbook.errors import HistoryError, HistoryReadOnlyError
from runbook.library.locking import (
    appending,
    failure,
    is_at,
    locked,
    read_at,
    size_of,
    sync_data,
    write_all,
)
from runbook.library.rotation import archive_path, history_offset, recover, rotate
from runbook.library.turns import Turns
from runbook.quick_dataclass import dataclass

LOCK_SECONDS = 30.0
_FIRST_LINE_BYTES = 4096
_REPLACEMENTS = 5
"""How often to follow a file that is replaced again and again while an entry is appended."""


@dataclass(frozen=True, slots=True)
class Appended:
    """The entry's place in the chain.

    `after` is the entry before it. `rotated` counts the entries that moved to the archive file;
    `warning` says why a due rotation failed. `existing` is the run's recorded result if it already
    had an entry. In that case nothing was written, and `n` and `digest` are those of the last one.
    """

    n: int
    digest: str
    after: Link | None = None
    rotated: int = 0
    warning: str | None = None
    existing: Recorded | None = None


@dataclass(frozen=True, slots=True)
class Adopted:
    """What an adoption took into the chain; None and empty if there was nothing to adopt.

    `after` is the verification of the history with it.
    """

    link: Link | None
    findings: tuple[ChainFinding, ...]
    after: Verification


@dataclass(frozen=True, slots=True)
class _End:
    """The position of the next entry: after `prelude`, in the chain after `link`."""

    link: Link
    prelude: bytes = b""


class HistoryWriter:
    """Writes entries below History and nothing else; leaves no file open.

    `entry_bytes` limits an entry's output. When there are more than `max_entries`, the oldest tenth
    moves to `Name.history`; 0 disables that.
    """

    def __init__(
        self, max_entries: int, entry_bytes: int, *, lock_seconds: float = LOCK_SECONDS
    ) -> None:
        self._max_entries = max_entries
        self._entry_bytes = entry_bytes
        self._lock_seconds = lock_seconds
        self._turns = Turns()

    def append(self, path: Path, record: EntryRecord, *, once: bool = False) -> Appended:
        """Append an entry; it is on disk on return. `once` skips a run that already has one.

        If an editor replaces the file meanwhile, the new file gets the entry too, unless it has it.
        Raises HistoryReadOnlyError if the file is read-only, and HistoryError if it has no History
        section, stays locked, or the disk is full; the file is then unchanged.
        """
        record = fitted(record, self._entry_bytes)
        appended, kept = self._try_to_append(path, record, once=once)
        for _ in range(_REPLACEMENTS):
            if kept:
                break
            appended, kept = self._try_to_append(path, record, once=True)
        return appended

    def _try_to_append(
        self, path: Path, record: EntryRecord, *, once: bool
    ) -> tuple[Appended, bool]:
        """The appended entry, and whether the file at `path` is still the one that has it."""
        with self._turns.at(path, self._lock_seconds):
            done = None if once else _append_alone(path, record)
            if done is None:
                with locked(path, seconds=self._lock_seconds, write=True) as descriptor:
                    _recover(path, descriptor)
                    appended = _append_entry(path, descriptor, record, once=once)
                    done = appended, is_at(descriptor, path)
            appended, kept = done
            if kept and appended.existing is None and 0 < self._max_entries < appended.n:
                rotated, warning = self._rotate(path, appended.n)
                appended = replace(appended, rotated=rotated, warning=warning)
            return appended, kept

    def find_run(self, path: Path, run_id: str) -> Recorded | None:
        """The run's result, if the history has its entry. Raises HistoryError."""
        with locked(path, seconds=self._lock_seconds, write=False) as descriptor:
            return find_run(_history(path, descriptor), run_id)

    def verify(self, path: Path, head: tuple[int, str] | None = None) -> Verification:
        """Verify the whole chain, including the archive; `head` is the last entry in the database.

        Reads everything into memory. Raises HistoryError.
        """
        return verify_file(path, head, lock_seconds=self._lock_seconds)

    def _rotate(self, path: Path, n: int) -> tuple[int, str | None]:
        """The entry is already on disk, so a failure to rotate is only a warning."""
        try:
            if n - _last_archived(path) <= self._max_entries:
                return 0, None
            with locked(path, seconds=self._lock_seconds, write=True) as descriptor:
                _recover(path, descriptor)
                older = _last_archived(path)
                if n - older <= self._max_entries:
                    return 0, None
                first_kept = n - max(1, self._max_entries * 9 // 10) + 1
                moved = rotate(path, descriptor, first_kept)
        except HistoryError as error:
            return 0, f"Couldn't move older history entries: {error.message}"
        return (first_kept - older - 1 if moved else 0), None


def verify_file(
    path: Path, head: tuple[int, str] | None = None, *, lock_seconds: float = LOCK_SECONDS
) -> Verification:
    """Verify a runbook's whole chain. Raises HistoryError."""
    try:
        with locked(path, seconds=lock_seconds, write=True) as descriptor:
            _recover(path, descriptor)
            return verify(_history(path, descriptor), head=head)
    except HistoryReadOnlyError:
        with locked(path, seconds=lock_seconds, write=False) as descriptor:
            return verify(_history(path, descriptor), head=head)


def adopt(
    path: Path,
    record: AdoptionRecord,
    head: tuple[int, str] | None = None,
    *,
    lock_seconds: float = LOCK_SECONDS,
) -> Adopted:
    """Take all problems of a history into its chain, by an entry that says what they are.

    It is on disk on return. `record` says who, when and why; `head` is the last entry in the
    database. Raises HistoryReadOnlyError, and HistoryError; the file is then unchanged.
    """
    with locked(path, seconds=lock_seconds, write=True) as descriptor:
        _recover(path, descriptor)
        line_break = _line_break(_tail(descriptor))
        history = _history(path, descriptor, line_break)
        prelude = closing(history[chain_end(history).offset :])
        found = verify(history + prelude, head=head)
        if not found.findings:
            return Adopted(None, (), found)
        tip = found.tip or Link(0, sha256(lf(history + prelude)))
        record = replace(record, findings=found.findings)
        entry = render_adoption(record, n=tip.n + 1, previous=tip.digest)
        after = verify(history + prelude + entry, head=head)
        if not after.ok:
            raise HistoryError(f"This can't be adopted: {after.problems[0].message}")
        _append(descriptor, line_break + prelude + entry)
        return Adopted(Link(tip.n + 1, last_digest(entry)), found.findings, after)


def _recover(path: Path, descriptor: int) -> None:
    try:
        recover(path, descriptor)
    except OSError as error:
        raise failure("recovered after a crash", error) from error


def _append_alone(path: Path, record: EntryRecord) -> tuple[Appended, bool] | None:
    """None if somebody else uses the file: then use `locked`."""
    with appending(path) as descriptor:
        if descriptor is None:
            return None
        return _append_entry(path, descriptor, record), is_at(descriptor, path)


def _append_entry(
    path: Path, descriptor: int, record: EntryRecord, *, once: bool = False
) -> Appended:
    if once:
        history = _history(path, descriptor)
        existing = find_run(history, record.run_id)
        link = chain_end(history).link
        if existing is not None and link is not None:
            return Appended(link.n, link.digest, existing=existing)
    end = _end(path, descriptor)
    entry = render(record, n=end.link.n + 1, previous=end.link.digest)
    _append(descriptor, end.prelude + entry)
    return Appended(end.link.n + 1, last_digest(entry), end.link)


def _append(descriptor: int, data: bytes) -> None:
    """Append everything or nothing, with the line ends of the file."""
    size = size_of(descriptor)
    if has_crlf(read_at(descriptor, 0, _FIRST_LINE_BYTES)):
        data = crlf(data)
    try:
        write_all(descriptor, data)
        sync_data(descriptor)
    except OSError as error:
        with suppress(OSError):
            os.ftruncate(descriptor, size)
        raise failure("written", error) from error


def _end(path: Path, descriptor: int) -> _End:
    """The end of the file is nearly always enough; otherwise everything is read."""
    tail = _tail(descriptor)
    link = last_link(tail)
    line_break = _line_break(tail)
    return _End(link, line_break) if link else _search_end(path, descriptor, line_break)


def _search_end(path: Path, descriptor: int, line_break: bytes) -> _End:
    """For the first entry, or if other text follows the last one."""
    history = _history(path, descriptor, line_break)
    end = chain_end(history)
    prelude = closing(history[end.offset :])
    if end.link is None:
        return _End(Link(0, sha256(lf(history + prelude))), line_break + prelude)
    return _End(end.link, line_break + prelude)


def _tail(descriptor: int) -> bytes:
    return read_at(descriptor, max(0, size_of(descriptor) - LINK_BYTES), LINK_BYTES)


def _line_break(text: bytes) -> bytes:
    """What the text needs to end with a line break."""
    return b"" if text.endswith(b"\n") else b"\n"


def _history(path: Path, descriptor: int, more: bytes = b"") -> bytes:
    """The archived entries and those in the runbook, with `more` at the end of the file.

    If a copy from before entries were archived was saved, it has these entries too.
    """
    if history_offset(descriptor) is None:  # then not much of the file is read
        raise HistoryError("The runbook has no History section. Add # History at its end.")
    older = _older(path)
    history = _below_heading(read_at(descriptor, 0, size_of(descriptor)) + more)
    return older + history[repeated(older, history) :]


def _below_heading(data: bytes) -> bytes:
    return data[read_head(data).history_bytes :]


def _older(path: Path) -> bytes:
    try:
        return archive_path(path).read_bytes()
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise failure("read", error) from error


def _last_archived(path: Path) -> int:
    """The number of the last archived entry; 0 if there is none."""
    try:
        with archive_path(path).open("rb") as archive:
            size = archive.seek(0, os.SEEK_END)
            archive.seek(max(0, size - LINK_BYTES))
            link = last_link(archive.read())
    except FileNotFoundError:
        return 0
    except OSError as error:
        raise failure("read", error) from error
    return link.n if link else 0

"""Reads one runbook, incrementally if its file only grew.

Every run appends to its runbook's file. If the bytes above History and the last known ones are
unchanged, only the appended part is scanned.
"""

from __future__ import annotations

import os
from dataclasses import replace
from io import FileIO
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from runbook.core.document import Document
from runbook.core.history.scan import HistoryScan, scan_history
from runbook.core.language.parse import (
    ParsedHead,
    is_readme,
    parse_head,
    unreadable,
    with_history,
)
from runbook.core.language.summary import NO_SUMMARY, Summary, summarize
from runbook.core.syntax.markdown import HEAD_READ
from runbook.errors import NotFoundError
from runbook.library.refs import Place, not_found, open_runbook
from runbook.quick_dataclass import dataclass

_TAIL_BYTES = 4096
_CHUNK_BYTES = 4 * 1024 * 1024
_SETTLED_NS = 50_000_000
"""Longer than a kernel clock tick: within one tick, a file can change without a new mtime."""


class Identity(NamedTuple):
    """Identifies one state of a file. Times are in nanoseconds.

    A named tuple, because listings create and compare thousands of them.
    """

    device: int
    inode: int
    modified_ns: int
    changed_ns: int
    size: int

    @classmethod
    def of(cls, facts: os.stat_result) -> Identity:
        return cls(facts.st_dev, facts.st_ino, facts.st_mtime_ns, facts.st_ctime_ns, facts.st_size)

    def is_settled(self, now_ns: int) -> bool:
        """Whether any later change is certain to change the times."""
        return abs(now_ns - self.changed_ns) > _SETTLED_NS


@dataclass(frozen=True, slots=True)
class Entry:
    """One runbook on disk. `head` is the bytes above its History heading.

    Entries of a listing are light: they have no `head` and no `document.runbook`, but a `summary`.
    """

    ref: str
    document: Document
    identity: Identity
    head: bytes = b""
    summary: Summary = NO_SUMMARY

    def light(self) -> Entry:
        document = replace(self.document, runbook=None, steps=())
        return replace(self, document=document, head=b"", summary=summarize(self.document))


@dataclass(frozen=True, slots=True)
class Loaded:
    """An entry with the state needed to resume reading when its file grows.

    `heading` is the History heading with its line ending; `tail` is the last bytes of the file.
    `settled` is false if the file changed so recently that it must be read again.
    """

    entry: Entry
    parsed: ParsedHead
    scan: HistoryScan | None
    heading: bytes
    tail: bytes
    settled: bool

    @property
    def opening(self) -> bytes | None:
        """All bytes up to the history; None if the following bytes might change their meaning."""
        return self.entry.head + self.heading if self.heading.endswith(b"\n") else None


def identify(place: Place) -> Identity:
    """The current state of the ref's file, links followed. Raises NotFoundError."""
    path = f"{place.root}/{place.name}"
    try:
        return Identity.of(os.stat(path))  # noqa: PTH116 - hot path of requests
    except (OSError, ValueError):
        raise not_found(place.ref) from None


def load(place: Place, previous: Loaded | None, now_ns: int) -> Loaded:
    """Read the runbook; an unreadable one is invalid. Raises NotFoundError."""
    try:
        with os.fdopen(open_runbook(place), "rb", buffering=0) as file:
            identity = Identity.of(os.fstat(file.fileno()))
            settled = identity.is_settled(now_ns)
            if previous and previous.scan and _is_continued(file, identity, previous):
                return _go_on(file, identity, previous, previous.scan, settled=settled)
            return _read(place.ref, file, identity, previous, settled=settled)
    except OSError as error:
        return _unreadable(place.ref, identify(place), error)


def load_file(path: Path) -> Entry:
    """Any file as a runbook of its own. Raises OSError."""
    with path.open("rb", buffering=0) as file:
        identity = Identity.of(os.fstat(file.fileno()))
        return _read(path.name, file, identity, None, settled=False).entry


def is_documentation(path: Path) -> bool:
    """Whether a file is a README without a runbook's sections. False if it can't be read."""
    try:
        return is_readme(path.stem) and load_file(path).document.is_documentation
    except OSError:
        return False


def read_above_history(place: Place, entry: Entry) -> bytes:
    """The current bytes above History for a light entry; empty if the file is gone."""
    try:
        with os.fdopen(open_runbook(place), "rb", buffering=0) as file:
            return os.pread(file.fileno(), entry.document.head_bytes, 0)
    except (OSError, NotFoundError):
        return b""


def _is_continued(file: FileIO, identity: Identity, previous: Loaded) -> bool:
    """Whether the known part of the file is unchanged; it may have grown."""
    opening, before = previous.opening, previous.entry.identity
    if opening is None or identity.size < before.size:
        return False
    tail_at = before.size - len(previous.tail)
    return (
        os.pread(file.fileno(), len(opening), 0) == opening
        and os.pread(file.fileno(), len(previous.tail), tail_at) == previous.tail
    )


def _go_on(
    file: FileIO, identity: Identity, previous: Loaded, scan: HistoryScan, *, settled: bool
) -> Loaded:
    known = min(previous.entry.identity.size, identity.size - 1)  # the last lines are read again
    scan, tail = _scan_rest(file, identity.size, known, scan, previous.tail)
    entry = replace(
        previous.entry, document=with_history(previous.parsed.document, scan), identity=identity
    )
    return replace(previous, entry=entry, scan=scan, tail=tail, settled=settled)


def _read(
    ref: str, file: FileIO, identity: Identity, previous: Loaded | None, *, settled: bool
) -> Loaded:
    """Read the part above History, and the history only of a valid runbook."""
    data = os.pread(file.fileno(), min(identity.size, HEAD_READ), 0)
    opening = previous.opening if previous else None
    if previous and opening is not None and data.startswith(opening):
        parsed = previous.parsed
    else:
        parsed = parse_head(data, stem=PurePosixPath(ref).stem)
    document, scan = parsed.document, parsed.scan
    tail = data[-_TAIL_BYTES:]
    if scan is not None:
        scan = scan_history(data, scan)
        if document.runbook is not None:
            scan, tail = _scan_rest(file, identity.size, len(data), scan, tail)
        document = with_history(document, scan)
    return Loaded(
        entry=Entry(ref, document, identity, data[: document.head_bytes]),
        parsed=parsed,
        scan=scan if parsed.document.runbook is not None else None,
        heading=data[document.head_bytes : document.history_bytes or document.head_bytes],
        tail=tail,
        settled=settled,
    )


def _scan_rest(
    file: FileIO, size: int, offset: int, scan: HistoryScan, tail: bytes
) -> tuple[HistoryScan, bytes]:
    """Scan from `offset` to the end, of which the last bytes are returned too."""
    while offset < size:
        base = min(scan.offset, max(offset - _TAIL_BYTES, 0))
        again = offset - base  # a long line is scanned again in larger and larger parts
        # Not beyond `size`: the file may have grown since, and the tail is that of this size.
        wanted = min(again + max(again, _CHUNK_BYTES), size - base)
        data = os.pread(file.fileno(), wanted, base)
        if base + len(data) <= offset:  # the file has become shorter
            break
        offset = base + len(data)
        scan = scan_history(data, scan, base=base)
        tail = data[-_TAIL_BYTES:]
    return scan, tail


def _unreadable(ref: str, identity: Identity, error: OSError) -> Loaded:
    document = unreadable(PurePosixPath(ref).stem, error.strerror or "unknown reason")
    return Loaded(
        entry=Entry(ref, document, identity),
        parsed=ParsedHead(document, None),
        scan=None,
        heading=b"",
        tail=b"",
        settled=True,
    )

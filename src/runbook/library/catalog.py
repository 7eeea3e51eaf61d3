"""The runbooks of all sources, parsed once and cached until their files change."""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from runbook.core.document import Problem, Runbook
from runbook.core.run_files import InputLimits, RunFiles
from runbook.core.syntax.markdown import HEAD_LIMIT
from runbook.core.toolkit import ToolkitVersion
from runbook.errors import NotFoundError
from runbook.library.input_files import check_input_files, read_input_files
from runbook.library.listing import Listing, Snapshot, merged
from runbook.library.loading import (
    Entry,
    Identity,
    Loaded,
    identify,
    load,
    read_above_history,
)
from runbook.library.refs import Place, locate, not_found, parse_ref, read_runbook
from runbook.library.search import Match, Needle
from runbook.library.sources import Source, Sources
from runbook.quick_dataclass import dataclass

__all__ = ["Catalog", "Entry", "Found", "Identity", "Snapshot", "Source"]

SOURCE_ID_DIGITS = 16
CACHED_RUNBOOKS = 5_000
CACHED_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Found:
    """A runbook that matches a search. `match` is None if no line of its text does."""

    entry: Entry
    match: Match | None = None


class Catalog:
    """Thread-safe. Files can change, appear or vanish, and sources be enabled, at any time.

    This is the only place that maps refs to paths.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        *,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], int] = time.time_ns,
        cached_runbooks: int = CACHED_RUNBOOKS,
        cached_bytes: int = CACHED_BYTES,
        input_limits: InputLimits | None = None,
        added: Callable[[], Mapping[str, Source]] = dict,
    ) -> None:
        """`clock` returns monotonic seconds, `wall_clock` nanoseconds since the epoch.

        `added` are more sources: see Sources. Raises SourceConflictError.
        """
        self.sources = Sources(sources, added)
        self._input_limits = input_limits or InputLimits()
        self._wall_clock = wall_clock
        self._cached_runbooks = cached_runbooks
        self._cached_bytes = cached_bytes
        self._lock = threading.Lock()
        self._loaded: OrderedDict[str, Loaded] = OrderedDict()
        self._bytes = 0
        self._new_listing = partial(Listing, load=self._read, clock=clock, wall_clock=wall_clock)
        self._listings: dict[tuple[str, Path], Listing] = {}
        self._parts: tuple[tuple[str, Snapshot], ...] = ()
        self._snapshot = merged(())

    def get(self, ref: str) -> Entry:
        """The current runbook; an unreadable file is an invalid runbook.

        Raises NotFoundError.
        """
        return self._read(self.sources.place(ref)).entry

    def content(self, ref: str) -> bytes:
        """The whole file; of a file that is not a valid runbook, the first 2 MiB.

        Raises NotFoundError.
        """
        valid = self.get(ref).document.runbook is not None
        try:
            return read_runbook(self.sources.place(ref), None if valid else HEAD_LIMIT)
        except OSError:
            raise not_found(ref) from None

    def path(self, ref: str) -> Path:
        """The real path of the runbook's file, with links resolved. Raises NotFoundError."""
        return locate(self._place(ref))

    def source_id(self, ref: str) -> str:
        """Identifies the folder of the ref's source: a digest of its real path.

        Everyone who may see a run sees it, so it doesn't show the path. Raises NotFoundError.
        """
        path = os.fsencode(self.sources.of(ref).folder.resolve())
        return hashlib.sha256(path).hexdigest()[:SOURCE_ID_DIGITS]

    def is_read_only(self, ref: str) -> bool:
        """Whether the runbook and its folder are read-only. Raises NotFoundError."""
        return self.sources.of(ref).read_only

    def toolkit(self, ref: str) -> ToolkitVersion | None:
        """The installed toolkit that the runbook belongs to. Raises NotFoundError."""
        return self.sources.of(ref).toolkit

    def check_inputs(self, ref: str, runbook: Runbook) -> list[Problem]:
        """All problems of a runbook's input files. Raises NotFoundError."""
        return check_input_files(self._place(ref), runbook, self._input_limits)

    def read_inputs(self, ref: str, runbook: Runbook) -> tuple[RunFiles, list[Problem]]:
        """A runbook's current input files, and all their problems.

        Raises NotFoundError.
        """
        return read_input_files(self._place(ref), runbook, self._input_limits)

    def list(self) -> Snapshot:
        """Every runbook. Changes inside a file may take a second to show."""
        enabled = self.sources.enabled()
        parts = tuple((each.prefix, self._listing(each).snapshot()) for each in enabled)
        with self._lock:
            if not _same(parts, self._parts):
                self._snapshot = merged(parts)
                self._parts = parts
            return self._snapshot

    def _listing(self, source: Source) -> Listing:
        key = source.prefix, source.folder
        with self._lock:
            if key not in self._listings:
                self._listings[key] = self._new_listing(source)
            return self._listings[key]

    def search(
        self, text: str, may_read: Callable[[Entry], bool] = lambda _: True
    ) -> tuple[Found, ...]:
        """The runbooks with the text in ref, name or anywhere above History, ignoring case.

        Of those that the caller may not read, only ref and name are searched.
        """
        needle = Needle(text)
        found = (self._found(entry, needle, may_read) for entry in self.list().entries)
        return tuple(one for one in found if one is not None)

    def _place(self, ref: str) -> Place:
        return self.sources.place(parse_ref(ref))

    def _found(
        self, entry: Entry, needle: Needle, may_read: Callable[[Entry], bool]
    ) -> Found | None:
        head = self._head(entry) if may_read(entry) else b""
        if needle.is_in(head):
            return Found(entry, needle.first_line(head))
        names = f"{entry.ref}\n{entry.document.name}".encode("utf-8", "replace")
        return Found(entry) if needle.is_in(names) else None

    def _head(self, entry: Entry) -> bytes:
        """The bytes above History. Searching doesn't parse, and doesn't affect the cache."""
        with self._lock:
            loaded = self._loaded.get(entry.ref)
        if loaded is not None and loaded.entry.document.digest == entry.document.digest:
            return loaded.entry.head
        try:
            return read_above_history(self.sources.place(entry.ref), entry)
        except NotFoundError:  # its source was just disabled
            return b""

    def _read(self, place: Place) -> Loaded:
        with self._lock:
            loaded = self._loaded.get(place.ref)
            if loaded is not None:
                self._loaded.move_to_end(place.ref)
        if loaded is not None and loaded.settled and identify(place) == loaded.entry.identity:
            return loaded
        loaded = load(place, loaded, self._wall_clock())
        self._keep(place.ref, loaded)
        return loaded

    def _keep(self, ref: str, loaded: Loaded) -> None:
        """Cache it, and evict the least recently used."""
        with self._lock:
            self._forget(ref)
            self._loaded[ref] = loaded
            self._bytes += len(loaded.entry.head)
            while len(self._loaded) > 1 and (
                len(self._loaded) > self._cached_runbooks or self._bytes > self._cached_bytes
            ):
                self._forget(next(iter(self._loaded)))

    def _forget(self, ref: str) -> None:
        loaded = self._loaded.pop(ref, None)
        if loaded is not None:
            self._bytes -= len(loaded.entry.head)


def _same(some: Sequence[tuple[str, Snapshot]], others: Sequence[tuple[str, Snapshot]]) -> bool:
    """Whether these are identical snapshots of the same sources."""
    return len(some) == len(others) and all(
        one[0] == other[0] and one[1] is other[1] for one, other in zip(some, others, strict=True)
    )

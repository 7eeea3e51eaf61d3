"""The runbooks of a directory, parsed once and kept as long as their files stay the same."""

from __future__ import annotations

import hashlib
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from runbook.errors import NotFoundError
from runbook.library.folders import Folders
from runbook.library.loading import (
    Entry,
    Identity,
    Loaded,
    identify,
    load,
    read_above_history,
)
from runbook.library.refs import not_found, parse_ref, read_runbook
from runbook.library.search import Match, Needle

__all__ = ["Catalog", "Entry", "Found", "Identity", "Snapshot"]

CACHED_RUNBOOKS = 5_000
CACHED_BYTES = 64 * 1024 * 1024
RESCAN_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All runbooks, invalid ones too, sorted by ref; their entries are light.

    `generation` is another number whenever anything is different, and the same in every
    process that sees the same files.
    """

    entries: tuple[Entry, ...]
    generation: int


@dataclass(frozen=True, slots=True)
class Found:
    """A runbook that holds what was sought. `match` is None where no line of its text does."""

    entry: Entry
    match: Match | None = None


class Catalog:
    """Thread-safe. Files may change, appear and vanish at any moment."""

    def __init__(
        self,
        root: Path,
        *,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], int] = time.time_ns,
        cached_runbooks: int = CACHED_RUNBOOKS,
        cached_bytes: int = CACHED_BYTES,
    ) -> None:
        """`clock` counts seconds from anywhere, `wall_clock` nanoseconds since the epoch."""
        self._root = root
        self._clock = clock
        self._wall_clock = wall_clock
        self._cached_runbooks = cached_runbooks
        self._cached_bytes = cached_bytes
        self._lock = threading.Lock()
        self._loaded: OrderedDict[str, Loaded] = OrderedDict()
        self._bytes = 0
        self._scan_lock = threading.Lock()
        self._folders = Folders(root)
        self._listed: dict[str, tuple[Entry, bool]] = {}
        self._snapshot = Snapshot((), 0)
        self._scanned_at: float | None = None

    def get(self, ref: str) -> Entry:
        """The runbook as it is now; a file that cannot be read is an invalid runbook.

        Raises NotFoundError.
        """
        return self._current(ref).entry

    def content(self, ref: str) -> bytes:
        """The whole file. Raises NotFoundError."""
        try:
            return read_runbook(self._root, ref)
        except OSError:
            raise not_found(ref) from None

    def list(self) -> Snapshot:
        """Every runbook. What changed inside a file may go unnoticed for a second."""
        with self._scan_lock:
            now = self._clock()
            expired = self._scanned_at is None or now - self._scanned_at > RESCAN_SECONDS
            if expired or self._folders.changed():
                self._rescan()
                self._scanned_at = now
            return self._snapshot

    def search(self, text: str) -> tuple[Found, ...]:
        """The listed runbooks whose ref, name or text above History holds it, whatever its case."""
        needle = Needle(text)
        found = (self._found(entry, needle) for entry in self.list().entries)
        return tuple(one for one in found if one is not None)

    def _found(self, entry: Entry, needle: Needle) -> Found | None:
        head = self._head(entry)
        if needle.is_in(head):
            return Found(entry, needle.first_line(head))
        names = f"{entry.ref}\n{entry.document.name}".encode("utf-8", "replace")
        return Found(entry) if needle.is_in(names) else None

    def _head(self, entry: Entry) -> bytes:
        """The bytes above History. A search neither parses nor displaces what is kept."""
        with self._lock:
            loaded = self._loaded.get(entry.ref)
        if loaded is not None and loaded.entry.document.digest == entry.document.digest:
            return loaded.entry.head
        return read_above_history(self._root, entry)

    def _current(self, ref: str) -> Loaded:
        with self._lock:
            loaded = self._loaded.get(ref)
            if loaded is not None:
                self._loaded.move_to_end(ref)
        if loaded is None:
            parse_ref(ref)
        elif loaded.settled and identify(self._root, ref) == loaded.entry.identity:
            return loaded
        loaded = load(self._root, ref, loaded, self._wall_clock())
        self._keep(ref, loaded)
        return loaded

    def _keep(self, ref: str, loaded: Loaded) -> None:
        """Remember it, and forget what was not asked for the longest time."""
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

    def _rescan(self) -> None:
        listed: dict[str, tuple[Entry, bool]] = {}
        changed = False
        for ref, identity in self._folders.files(self._wall_clock()).items():
            entry, settled = self._listed.get(ref, (None, False))
            if entry is None or not settled or entry.identity != identity:
                try:
                    loaded = self._current(ref)
                except NotFoundError:  # gone meanwhile, or a link that leads outside
                    continue
                entry, settled = loaded.entry.light(), loaded.settled
                changed = True
            listed[ref] = entry, settled
        if not changed and listed.keys() == self._listed.keys():
            return
        self._listed = listed
        entries = tuple(listed[ref][0] for ref in sorted(listed))
        self._snapshot = Snapshot(entries, _generation(entries))


def _generation(entries: Iterable[Entry]) -> int:
    state = hashlib.blake2b(digest_size=6)
    for entry in entries:
        now = entry.identity
        times = f"{now.inode} {now.modified_ns} {now.changed_ns} {now.size}"
        state.update(f"{entry.ref}\0{times} {entry.document.digest}\0".encode())
    return int.from_bytes(state.digest())

"""The runbooks of one source; only changed files are read again."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterable

from runbook import log
from runbook.errors import NotFoundError
from runbook.library.folders import Folders
from runbook.library.loading import Entry, Loaded
from runbook.library.refs import Place
from runbook.library.sources import Source
from runbook.quick_dataclass import dataclass

RESCAN_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All runbooks, including invalid ones but no READMEs, sorted by ref; their entries are light.

    `generation` changes whenever anything changes, and is the same in every process that sees the
    same files.
    """

    entries: tuple[Entry, ...]
    generation: int


class Listing:
    """Thread-safe. `load` reads the current runbook, and raises NotFoundError."""

    def __init__(
        self,
        source: Source,
        load: Callable[[Place], Loaded],
        *,
        clock: Callable[[], float],
        wall_clock: Callable[[], int],
    ) -> None:
        self._source = source
        self._load = load
        self._clock = clock
        self._wall_clock = wall_clock
        self._lock = threading.Lock()
        self._folders = Folders(source.folder)
        self._listed: dict[str, tuple[Entry, bool]] = {}
        self._snapshot = Snapshot((), 0)
        self._scanned_at: float | None = None
        self._unusable = ""

    def snapshot(self) -> Snapshot:
        """The same object until something changes. Empty if the folder can't be read."""
        with self._lock:
            now = self._clock()
            expired = self._scanned_at is None or now - self._scanned_at > RESCAN_SECONDS
            if expired or self._folders.changed():
                self._rescan()
                self._scanned_at = now
            return self._snapshot

    def _rescan(self) -> None:
        self._note_unusable()
        listed: dict[str, tuple[Entry, bool]] = {}
        changed = False
        for name, identity in self._folders.files(self._wall_clock()).items():
            entry, settled = self._listed.get(name, (None, False))
            if entry is None or not settled or entry.identity != identity:
                try:
                    loaded = self._load(self._source.place(name))
                except NotFoundError:  # just deleted, or a link that leads outside
                    continue
                entry, settled = loaded.entry.light(), loaded.settled
                changed = True
            listed[name] = entry, settled
        if not changed and listed.keys() == self._listed.keys():
            return
        self._listed = listed
        every = (listed[name][0] for name in sorted(listed))
        entries = tuple(entry for entry in every if not entry.document.is_documentation)
        self._snapshot = Snapshot(entries, _generation(entries))

    def _note_unusable(self) -> None:
        """Log once why a source has no runbooks."""
        reason = self._folders.problem()
        if reason and reason != self._unusable:
            prefix = self._source.prefix
            log.warning("source.unusable", prefix=prefix, reason=reason)
        self._unusable = reason


def merged(parts: Iterable[tuple[str, Snapshot]]) -> Snapshot:
    """Merges the snapshots of several sources, each with its prefix.

    Runbooks of the unprefixed source below another source's prefix are left out.
    """
    parts = tuple(parts)
    if len(parts) == 1:
        return parts[0][1]
    taken = tuple(prefix for prefix, _ in parts if prefix)
    entries = [
        entry
        for prefix, snapshot in parts
        for entry in snapshot.entries
        if prefix or not entry.ref.startswith(taken)
    ]
    state = hashlib.blake2b(digest_size=6)
    for prefix, snapshot in sorted(parts, key=lambda part: part[0]):
        state.update(f"{prefix}\0{snapshot.generation}\0".encode())
    entries.sort(key=lambda entry: entry.ref)
    return Snapshot(tuple(entries), int.from_bytes(state.digest()))


def _generation(entries: Iterable[Entry]) -> int:
    state = hashlib.blake2b(digest_size=6)
    for entry in entries:
        now = entry.identity
        times = f"{now.inode} {now.modified_ns} {now.changed_ns} {now.size}"
        state.update(f"{entry.ref}\0{times} {entry.document.digest}\0".encode())
    return int.from_bytes(state.digest())

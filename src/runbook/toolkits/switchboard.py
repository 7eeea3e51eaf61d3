"""Which toolkits are enabled, known to every process at once.

The database has the truth. A file in DATA_DIR is replaced with each change, so that looking at its
state tells a process whether to ask the database again; processes on other hosts, which don't see
the file, ask once a second.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from runbook.errors import RunbookError
from runbook.library.sources import Source
from runbook.store.store import Store

ASK_SECONDS = 1.0


class Switchboard:
    """The sources of the enabled toolkits. Thread-safe; usable after a fork."""

    def __init__(
        self,
        store: Store,
        root: Path,
        marker: Path,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`root` is TOOLKITS_DIR, `marker` the file that is replaced with each change."""
        self._store = store
        self._root = root
        self._marker = marker
        self._clock = clock
        self._lock = threading.Lock()
        self._sources: Mapping[str, Source] = {}
        self._seen: tuple[int, int] | None = None
        self._ask_at = 0.0

    def sources(self) -> Mapping[str, Source]:
        """By prefix. What was known before, while the database can't be read."""
        state = self._state()
        if state != self._seen or self._clock() >= self._ask_at:
            self._ask(state)
        return self._sources

    def changed(self) -> None:
        """Tell the processes of this host. Call after the change is in the database."""
        new = self._marker.with_name(f".{self._marker.name}-{os.getpid()}")
        new.write_bytes(b"")
        new.replace(self._marker)

    def _state(self) -> tuple[int, int] | None:
        try:
            status = os.stat(self._marker)  # noqa: PTH116 - called for each request
        except FileNotFoundError:
            return None
        return status.st_ino, status.st_mtime_ns

    def _ask(self, state: tuple[int, int] | None) -> None:
        with self._lock:
            try:
                toolkits = self._store.toolkits.all()
            except RunbookError:  # the caller needs the database, too, and reports it
                return
            self._sources = {
                f"{it.slug}/": Source(self._root / it.slug, f"{it.slug}/", toolkit=it.recorded)
                for it in toolkits
                if it.enabled
            }
            self._seen = state
            self._ask_at = self._clock() + ASK_SECONDS

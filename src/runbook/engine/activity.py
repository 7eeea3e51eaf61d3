"""Streams the active runs. The store is read once for all followers."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Callable, Iterator

from runbook.core.access import Principal
from runbook.engine.parts import Parts
from runbook.engine.wakeups import ANY_RUN
from runbook.store.models import Activity

LOOK_SECONDS = 1.0
"""Interval of reading the store without a wake-up."""
PAUSE_SECONDS = 0.5
"""Minimum interval between two reads, and between two updates to one follower."""
HEARTBEAT_SECONDS = 15.0


class Live:
    """One per process, for any number of followers. Thread-safe."""

    def __init__(self, parts: Parts, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._parts = parts
        self._clock = clock
        self._lock = threading.Lock()
        self._seen: Activity | None = None
        self._looked_at = 0.0
        self._heard = 0

    def follow(
        self, principal: Principal, *, heartbeat_s: float = HEARTBEAT_SECONDS
    ) -> Iterator[Activity | None]:
        """Stream the active runs that the principal may see: now, then after each change.

        Yields None whenever `heartbeat_s` has passed without a change. Never ends by itself.
        Raises AuthenticationError once the run of a following script has ended.
        """
        sent: Activity | None = None
        quiet_since = self._clock()
        with self._parts.wakeups.following(ANY_RUN) as news:
            while True:
                news.clear()
                shown = self.visible(self.look(), principal)
                if shown != sent:
                    sent = shown
                    yield shown
                    quiet_since = self._clock()
                    time.sleep(PAUSE_SECONDS)
                elif self._clock() - quiet_since >= heartbeat_s:
                    quiet_since = self._clock()
                    yield None
                self._wait(news, quiet_since + heartbeat_s)

    def look(self) -> Activity:
        """The store's answer, or the last one if it is recent enough."""
        with self._lock:
            if self._seen is None or self._due() <= 0:
                # Before reading: later wake-ups may be missed.
                self._heard = self._parts.wakeups.heard
                self._seen = self._parts.store.runs.activity()
                self._looked_at = self._clock()
            return self._seen

    def visible(self, activity: Activity, principal: Principal) -> Activity:
        """The part that the principal may see, as RunReader.get decides."""
        readable = self._parts.authorizer.readable(principal, activity.active)
        return dataclasses.replace(activity, active=readable)

    def _wait(self, news: threading.Event, heartbeat_at: float) -> None:
        """Wait until the store may have changed or a heartbeat is due."""
        rest = max(0.0, heartbeat_at - self._clock())
        due = max(0.0, self._due())
        if self._is_stale():
            time.sleep(min(due, rest))
        else:
            news.wait(min(due, rest))

    def _due(self) -> float:
        """Seconds until the next read of the store."""
        pause = PAUSE_SECONDS if self._is_stale() else LOOK_SECONDS
        return self._looked_at + pause - self._clock()

    def _is_stale(self) -> bool:
        """Whether a wake-up has come since the last read."""
        return self._heard != self._parts.wakeups.heard

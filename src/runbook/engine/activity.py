"""What goes on in the whole engine, for lists that are alive: looked at once for all who follow."""

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
"""So often is looked when nobody says that there is anything to see."""
PAUSE_SECONDS = 0.5
"""Two looks, and two reports to one follower, are at least so far apart."""
HEARTBEAT_SECONDS = 15.0


class Live:
    """One for each process, however many follow. Thread-safe."""

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
        """What goes on and the principal may see: at once, then whenever that has changed.

        Yields None where `heartbeat_s` passed without a change. Never ends by itself.
        Raises AuthenticationError once the run of a script that follows has ended.
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
        """The store's answer, or the last one where it is fresh enough."""
        with self._lock:
            if self._seen is None or self._due() <= 0:
                self._heard = self._parts.wakeups.heard  # before: what comes now may be missed
                self._seen = self._parts.store.runs.activity()
                self._looked_at = self._clock()
            return self._seen

    def visible(self, activity: Activity, principal: Principal) -> Activity:
        """What of it the principal may see: see Engine.run."""
        readable = self._parts.authorizer.readable(principal, activity.active)
        return dataclasses.replace(activity, active=readable)

    def _wait(self, news: threading.Event, heartbeat_at: float) -> None:
        """Until another look may show something, or a heartbeat is due."""
        rest = max(0.0, heartbeat_at - self._clock())
        due = max(0.0, self._due())
        if self._is_stale():
            time.sleep(min(due, rest))
        else:
            news.wait(min(due, rest))

    def _due(self) -> float:
        """Seconds until the store is asked again."""
        pause = PAUSE_SECONDS if self._is_stale() else LOOK_SECONDS
        return self._looked_at + pause - self._clock()

    def _is_stale(self) -> bool:
        """Whether anything was heard of since the last look."""
        return self._heard != self._parts.wakeups.heard

"""Periodic maintenance: retention, and files that nothing refers to any more."""

from __future__ import annotations

import threading
import time

from runbook import log
from runbook.core.times import Millis, iso
from runbook.engine.parts import Parts
from runbook.engine.process.leftovers import remove_stale, run_directories
from runbook.host import scratch
from runbook.quick_dataclass import dataclass

DAY_MS = 24 * 3600 * 1000
CLOCK_CHECK = "check-clock"
"""The lease that remembers when the clock was last seen to jump ahead, across restarts."""


@dataclass(frozen=True, slots=True)
class _Clocks:
    """The time, and the time since boot, which nobody can set."""

    wall: Millis
    elapsed: Millis


class Upkeep:
    """`Engine.upkeep`: the work of periodic tasks."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._store = parts.store
        self._checking = threading.Lock()
        self._seen = self._look()

    def check_clock_at_start(self) -> None:
        """Compare the clock with what was recorded last. Call before this process records anything.

        If it is more than a day ahead, the server was off, or the clock is wrong: nothing is
        purged for a day.
        """
        last = self._store.maintenance.last_recorded()
        if last is not None and self._parts.clock() - last > DAY_MS:
            self._note_jump(self._parts.clock() - last)

    def purge_runs(self, days: int) -> None:
        """Delete runs that finished more than `days` ago."""
        if self._may_purge():
            self._store.maintenance.purge(self._parts.clock() - days * DAY_MS)

    def purge_audit(self, days: int) -> None:
        """Delete audit events older than `days`; none if that is 0."""
        if days and self._may_purge():
            self._store.audit.purge(self._parts.clock() - days * DAY_MS)

    def _may_purge(self) -> bool:
        """Whether the clock has not jumped ahead within the last day. One task checks at a time."""
        with self._checking:
            self._note_if_jumped()
        checks = [one.last_run for one in self._store.leases.all() if one.task == CLOCK_CHECK]
        now = self._parts.clock()
        waits = [at for at in checks if 0 <= now - at < DAY_MS]
        if waits:
            log.warning(
                "purge.skipped", until=iso(waits[0] + DAY_MS), clock_jumped_at=iso(waits[0])
            )
        return not waits

    def _note_if_jumped(self) -> None:
        before, now = self._seen, self._look()
        jump = (now.wall - before.wall) - (now.elapsed - before.elapsed)
        if jump > DAY_MS:
            self._note_jump(jump)
        self._seen = now  # last: what could not be noted is noticed again

    def _note_jump(self, ahead: Millis) -> None:
        log.warning("clock.jumped", ahead_s=ahead // 1000)
        if not self._store.leases.take(CLOCK_CHECK, CLOCK_CHECK, DAY_MS):
            self._store.leases.give_back(CLOCK_CHECK, CLOCK_CHECK, done=True)

    def _look(self) -> _Clocks:
        return _Clocks(self._parts.clock(), time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000)

    def purge_artifacts(self, days: int) -> None:
        """Delete the artifacts of deleted runs that finished more than `days` ago."""
        before = self._parts.clock() - days * DAY_MS
        self._parts.artifacts.purge(self._store.runs.known, before)

    def remove_stale_directories(self) -> None:
        """Remove the directories of runs that have ended, and what else killed processes left."""
        scratch.remove_abandoned()
        found = run_directories(self._parts.options.execution_dir)
        if found:
            # In this order: a directory that is there already belongs to a run that is known.
            known = self._store.runs.known(found)
            active = {run.id for run in self._store.runs.active()}
            user = self._parts.options.isolation.user
            for problem in remove_stale(found.values(), active, ended=known - active, user=user):
                log.warning("workspace.left", problem=problem)

    def reap_orphans(self) -> None:
        """See Families.reap_orphans."""
        self._parts.families.reap_orphans()

"""Periodic maintenance: retention, and files that nothing refers to any more."""

from __future__ import annotations

from runbook import log
from runbook.engine.parts import Parts
from runbook.engine.process.leftovers import remove_stale, run_directories
from runbook.host import scratch

DAY_MS = 24 * 3600 * 1000


class Upkeep:
    """`Engine.upkeep`: the work of periodic tasks."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._store = parts.store

    def purge_runs(self, days: int) -> None:
        """Delete runs that finished more than `days` ago."""
        self._store.maintenance.purge(self._parts.clock() - days * DAY_MS)

    def purge_audit(self, days: int) -> None:
        """Delete audit events older than `days`; none if that is 0."""
        if days:
            self._store.audit.purge(self._parts.clock() - days * DAY_MS)

    def purge_artifacts(self) -> None:
        """Delete the artifacts of deleted runs."""
        self._parts.artifacts.purge(self._store.runs.known)

    def remove_stale_directories(self) -> None:
        """Remove the directories of runs that have ended, and what else killed processes left."""
        scratch.remove_abandoned()
        found = run_directories(self._parts.options.execution_dir)
        if found:
            # In this order: a directory that is there already belongs to a run that is known.
            known = self._store.runs.known(found)
            active = {run.id for run in self._store.runs.active()}
            for problem in remove_stale(found.values(), active, ended=known - active):
                log.warning("workspace.left", problem=problem)

    def reap_orphans(self) -> None:
        """See Families.reap_orphans."""
        self._parts.families.reap_orphans()

"""Finds and kills every process that a script started.

A script leads its own session. A process that left it, by setsid or as a daemon, is found by
the mark in its environment, by an ancestor, or as an orphan: the engine process is a child
subreaper, so that a process whose parent ended becomes its child.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from runbook.host.proctable import (
    ProcessEntry,
    descendants,
    innermost_pid,
    kill_until_gone,
    last_pid,
    list_processes,
    read_process,
    reap,
    ticks_since_boot,
    variable_of,
)

RUN_MARK = "RUNBOOK_RUN_ID"
"""The environment variable that names the run that a process belongs to."""

_SHORT_S = 0.5
"""Process IDs can't wrap around in this time."""

_EXEC_S = 0.001
"""While a program is loading, its process has no environment for some microseconds."""


class Family:
    """The processes of one script. Enter before the script starts, exit after it ends.

    An orphan whose working directory is `directory` belongs to the run.
    """

    def __init__(self, families: Families, run_id: str, directory: Path) -> None:
        self.run_id = run_id
        self.directory = directory
        self.leader: int | None = None
        self.sandboxed = False
        self.since = 0
        self.known: set[tuple[int, int]] = set()
        """Known members. Of a zombie, only the process ID is known."""
        self._began = 0.0
        self._families = families

    def __enter__(self) -> Self:
        self.since = ticks_since_boot()
        self._began = time.monotonic()
        self._families.add(self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._families.remove(self)
        self.known.clear()
        self.leader = None

    def lead(self, pid: int, *, sandboxed: bool = False) -> None:
        """Set the script's process: leader of its session, our child, not reaped yet.

        With `sandboxed`, it is that of the sandbox. Its only child leads the script's session.
        """
        self.leader = pid
        self.sandboxed = sandboxed

    def signal(self, number: signal.Signals) -> None:
        """Signal the script's process group. The leader must not have been reaped."""
        group = self._first_inside() if self.sandboxed else self.leader
        if group is not None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(group, number)

    def _first_inside(self) -> int | None:
        """The first process of the sandbox."""
        table = list_processes()
        return next((pid for pid, one in table.items() if one.parent == self.leader), None)

    def kill(self, *, grace_s: float = 0.0) -> list[ProcessEntry]:
        """Kill all processes including the leader, which alone remains to be reaped by its parent.

        The leader must not have been reaped, so that its ID isn't reused. Returns the other
        processes that were alive after `grace_s`, in which they may end by themselves.
        """
        if self.leader is None:
            return []
        seen: dict[int, ProcessEntry] = {}

        def find() -> list[ProcessEntry]:
            members = self._members()
            for entry in members:
                if entry.pid not in seen:
                    seen[entry.pid] = self._as_the_script_knows(entry)
            return members

        killed = kill_until_gone(find, group=self.leader, grace_s=grace_s)
        found = [seen[pid] for pid in sorted(killed - {self.leader})]
        return [one for one in found if not (self.sandboxed and one.parent == self.leader)]

    def _as_the_script_knows(self, entry: ProcessEntry) -> ProcessEntry:
        """The process with the ID that it has in its sandbox."""
        if not self.sandboxed or entry.pid == self.leader:
            return entry
        inside = innermost_pid(entry.pid)
        return entry if inside is None else entry.with_pid(inside)

    def may_have_started(self, entry: ProcessEntry) -> bool:
        """Whether the process started after the leader."""
        return self.since <= entry.started

    def _members(self) -> list[ProcessEntry]:
        table = self._younger_than_leader()
        kinship = _Kinship(self, self._families.others(self), table)
        members = [entry for entry in table.values() if kinship.belongs(entry)]
        self.known.update(entry.identity for entry in members)
        return [entry for entry in members if not (entry.pid == self.leader and entry.ended)]

    def _younger_than_leader(self) -> dict[int, ProcessEntry]:
        """Process IDs rise, so in a short run only IDs above the leader's matter.

        Often there are none: if the leader's ID is the latest one, it has started nothing.
        """
        leader = self.leader or 0
        last = last_pid() if time.monotonic() - self._began < _SHORT_S else 0
        if last == leader != 0:
            entry = read_process(leader)
            return {} if entry is None else {leader: entry}
        return list_processes(leader if last > leader else 0)


class _Kinship:
    """Decides which processes of one snapshot belong to a family."""

    def __init__(
        self, family: Family, others: list[Family], table: Mapping[int, ProcessEntry]
    ) -> None:
        self._family = family
        self._others = others
        self._other_leaders = {other.leader for other in others}
        self._other_runs = {other.run_id for other in others}
        self._table = table
        self._own_pid = os.getpid()
        self._own_session = os.getsid(0)
        self._verdicts = {self._own_pid: False}

    def belongs(self, entry: ProcessEntry) -> bool:
        """By its own mark or session, else by those of its nearest ancestor that has one."""
        chain: list[int] = []
        current: ProcessEntry | None = entry
        verdict: bool | None = None
        while current is not None and current.pid not in chain:
            known = self._verdicts.get(current.pid)
            verdict = self._evidence(current) if known is None else known
            if verdict is not None:
                self._verdicts[current.pid] = verdict
                break
            chain.append(current.pid)
            current = self._table.get(current.parent)
        self._verdicts.update(dict.fromkeys(chain, bool(verdict)))
        return bool(verdict)

    def _evidence(self, entry: ProcessEntry) -> bool | None:
        if entry.session == self._family.leader or entry.identity in self._family.known:
            return True
        if entry.session == self._own_session or entry.session in self._other_leaders:
            return False
        if not self._family.may_have_started(entry):
            return False
        run_id = variable_of(entry.pid, RUN_MARK)
        if run_id == self._family.run_id:
            return True
        if run_id in self._other_runs:
            return False
        return self._adopted(entry) if entry.parent == self._own_pid else None

    def _adopted(self, orphan: ProcessEntry) -> bool:
        """An orphan without a mark belongs to this run unless another run may have started it."""
        if not any(other.may_have_started(orphan) for other in self._others):
            return True
        time.sleep(_EXEC_S)
        if variable_of(orphan.pid, RUN_MARK) == self._family.run_id:
            return True
        return works_in(orphan.pid, self._family.directory)


def works_in(pid: int, directory: Path) -> bool:
    """Whether a process's working directory is `directory` or below it."""
    try:
        current = Path(f"/proc/{pid}/cwd").readlink()
    except OSError:
        return False
    return current.is_relative_to(directory)


class Families:
    """The scripts that this process is running. Thread-safe.

    The engine process must start nothing else in its own session while scripts run:
    an unknown child counts as an orphan.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._active: set[Family] = set()

    def family(self, run_id: str, directory: Path) -> Family:
        return Family(self, run_id, directory)

    def add(self, family: Family) -> None:
        with self._lock:
            self._active.add(family)

    def remove(self, family: Family) -> None:
        with self._lock:
            self._active.discard(family)

    def others(self, family: Family) -> list[Family]:
        with self._lock:
            return [other for other in self._active if other is not family]

    def reap_orphans(self) -> int:
        """Reap zombies that long-running scripts left to this process.

        Cheap enough for every heartbeat. Returns how many were reaped.
        """
        return sum(reap(entry) for entry in self._strangers() if entry.ended)

    def _strangers(self) -> list[ProcessEntry]:
        """Descendants outside this session, without zombies that their own parents reap."""
        own_session = os.getsid(0)
        below = descendants(os.getpid(), list_processes())
        strangers = [entry for entry in below if entry.session != own_session]
        return [entry for entry in strangers if not (entry.ended and self._awaited(entry))]

    def _awaited(self, zombie: ProcessEntry) -> bool:
        with self._lock:
            return any(
                family.leader == zombie.pid
                or (family.leader is None and family.may_have_started(zombie))
                for family in self._active
            )

"""Ends what is left of a run whose engine process and guardian were both killed.

They have lost the process that waited for them. They are found by the run's mark in their
environment, from there by session and ancestry, and by their working directory. Only this machine
is searched.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from pathlib import Path

from runbook.engine.process.family import RUN_MARK, works_in
from runbook.host.proctable import ProcessEntry, kill_until_gone, list_processes, variable_of
from runbook.quick_dataclass import dataclass

PATIENCE_S = 2.0
"""How long to wait for processes to end after SIGKILL, in seconds."""

Table = Mapping[int, ProcessEntry]


@dataclass(frozen=True, slots=True)
class Survivors:
    """A run's processes that were `killed`, and those that are `left` because they can't be."""

    killed: tuple[ProcessEntry, ...] = ()
    left: tuple[ProcessEntry, ...] = ()


def end_survivors(run_id: str, directory: Path) -> Survivors:
    """Kill what is left of a run that no worker executes anymore. `directory` is the run's."""
    seen: dict[tuple[int, int], ProcessEntry] = {}

    def find() -> list[ProcessEntry]:
        table = _living()
        found = _members(run_id, directory, table)
        seen.update({entry.identity: entry for entry in found})
        # A script may have started another engine, perhaps this one.
        own_line = _line_of(os.getpid(), table)
        return [entry for entry in found if entry.pid not in own_line]

    kill_until_gone(find, patience_s=PATIENCE_S)
    left = {entry.identity: entry for entry in _members(run_id, directory, _living())}
    killed = tuple(entry for identity, entry in seen.items() if identity not in left)
    return Survivors(killed, tuple(left.values()))


def _living() -> Table:
    return {pid: entry for pid, entry in list_processes().items() if not entry.ended}


def _members(run_id: str, directory: Path, table: Table) -> list[ProcessEntry]:
    marked = {pid for pid in table if variable_of(pid, RUN_MARK) == run_id}
    sessions = {table[pid].session for pid in marked} - {os.getsid(0)}
    members = {
        pid
        for pid, entry in table.items()
        if pid in marked or entry.session in sessions or _is_inside(entry, directory)
    }
    return [entry for pid, entry in table.items() if not members.isdisjoint(_line_of(pid, table))]


def _is_inside(entry: ProcessEntry, directory: Path) -> bool:
    """A shell that somebody opened in the directory has a terminal; what scripts start has none."""
    return not entry.terminal and works_in(entry.pid, directory)


def _line_of(pid: int, table: Table) -> Collection[int]:
    """A process and its ancestors."""
    line: set[int] = set()
    while pid in table and pid not in line:
        line.add(pid)
        pid = table[pid].parent
    return line

"""A control group for each run, where this process may make one: version 2, or the hybrid of both.

Limits apply to all processes of a run together. A script can't leave its group: the files of
groups are root's, or the engine's, and in a sandbox they are read-only.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from runbook.engine.isolation.isolated import MEMORY, PIDS, RunLimits
from runbook.quick_dataclass import dataclass

ROOT = Path("/sys/fs/cgroup")
OWN = Path("/proc/self/cgroup")
PREFIX = "runbook-"
ENGINE = "runbook-engine"
"""The group of the engine's own processes: a group with groups in it has no processes (v2)."""

_JOIN = 'for group in $0; do echo 0 >"$group/cgroup.procs" || exit 126; done; exec "$@"'
_REMOVE_S = 2.0
_RETRY_S = 0.005
_STALE_S = 3600.0


class CgroupError(Exception):
    """No group can be made here."""


@dataclass(frozen=True, slots=True)
class Hierarchy:
    """A folder in which groups of runs are made, with these controllers."""

    folder: Path
    controllers: Sequence[str]
    version: int


def find_hierarchies(
    limits: RunLimits, enabled: bool, root: Path = ROOT, own: Path = OWN
) -> tuple[Hierarchy, ...]:
    """Where to make groups for these limits. Raises CgroupError if there is no place.

    With `enabled`, the controllers of version 2 are enabled, for which our processes are moved.
    """
    groups = dict(_own_groups(own))
    missing = [name for name in limits.controllers if name not in groups]
    found = [
        Hierarchy(_usable(root / name / groups[name].lstrip("/")), (name,), 1)
        for name in limits.controllers
        if name in groups
    ]
    if missing and "" in groups:
        found.append(_unified(root / groups[""].lstrip("/"), missing, enabled))
    elif missing:
        raise CgroupError(f"this system has no control groups for {' and '.join(missing)}")
    return tuple(found)


def _own_groups(own: Path) -> Iterator[tuple[str, str]]:
    """Of each controller, and of version 2 as that without a name."""
    try:
        lines = own.read_text().splitlines()
    except OSError as error:
        raise CgroupError(f"{own}: {error.strerror}") from None
    for line in lines:
        _, controllers, path = line.split(":", 2)
        for name in controllers.split(","):
            yield name, path


def _usable(folder: Path) -> Path:
    if not os.access(folder, os.W_OK) or not (folder / "cgroup.procs").is_file():
        raise CgroupError(f"{folder} is not writable")
    return folder


def _unified(folder: Path, controllers: Sequence[str], enabled: bool) -> Hierarchy:
    # After a restart, we are in our own group already.
    folder = _usable(folder.parent if folder.name == ENGINE else folder)
    try:
        offered = (folder / "cgroup.controllers").read_text().split()
        lacking = set(controllers).difference(offered)
        if lacking:
            raise CgroupError(f"{folder} has no controller for {' and '.join(sorted(lacking))}")
        known = (folder / "cgroup.subtree_control").read_text().split()
        if enabled and not set(controllers) <= set(known):
            _move_processes(folder, folder / ENGINE)
            wanted = " ".join(f"+{name}" for name in controllers)
            (folder / "cgroup.subtree_control").write_text(wanted)
    except OSError as error:
        raise CgroupError(f"{folder}: {error.strerror}") from None
    return Hierarchy(folder, tuple(controllers), 2)


def _move_processes(source: Path, target: Path) -> None:
    target.mkdir(exist_ok=True)
    for pid in (source / "cgroup.procs").read_text().split():
        with suppress(ProcessLookupError):
            (target / "cgroup.procs").write_text(pid)


def remove_stale(hierarchies: Sequence[Hierarchy]) -> None:
    """Remove the groups that killed engines left. Those in use have processes, or are new."""
    for hierarchy in hierarchies:
        for folder in hierarchy.folder.glob(f"{PREFIX}*-*-*-*-*"):
            with suppress(OSError):
                if folder.stat().st_mtime < time.time() - _STALE_S:
                    folder.rmdir()


class Cgroups:
    """Makes the groups of runs."""

    def __init__(self, hierarchies: Sequence[Hierarchy], limits: RunLimits) -> None:
        self._hierarchies = hierarchies
        self._limits = limits

    @contextmanager
    def group(self, run_id: str) -> Iterator[list[str]]:
        """A group for one script. Gives the command that enters it and becomes another one.

        Raises OSError.
        """
        folders: list[Path] = []
        try:
            for hierarchy in self._hierarchies:
                folder = hierarchy.folder / f"{PREFIX}{run_id}"
                folder.mkdir(exist_ok=True)
                folders.append(folder)
                self._limit(folder, hierarchy)
            yield ["/bin/sh", "-c", _JOIN, " ".join(str(folder) for folder in folders)]
        finally:
            for folder in folders:
                _remove(folder)

    def _limit(self, folder: Path, hierarchy: Hierarchy) -> None:
        if PIDS in hierarchy.controllers:
            (folder / "pids.max").write_text(str(self._limits.processes))
        if MEMORY in hierarchy.controllers:
            limit = str(self._limits.memory_bytes)
            name = "memory.max" if hierarchy.version == 2 else "memory.limit_in_bytes"
            (folder / name).write_text(limit)
            swap = folder / ("memory.swap.max" if hierarchy.version == 2 else "")
            if swap.is_file():
                swap.write_text("0")


def _remove(folder: Path) -> None:
    """Its processes have been killed; the kernel may need a moment to forget them."""
    until = time.monotonic() + _REMOVE_S
    while True:
        try:
            folder.rmdir()
        except FileNotFoundError:
            return
        except OSError:
            if time.monotonic() > until:
                return
            _kill_all(folder)
            time.sleep(_RETRY_S)
        else:
            return


def _kill_all(folder: Path) -> None:
    with suppress(OSError):
        for pid in (folder / "cgroup.procs").read_text().split():
            with suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)

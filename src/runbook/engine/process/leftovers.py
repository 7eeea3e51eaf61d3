"""Removes the directories that runs left when their engine process was killed.

Each engine process holds a lock on the directories that it uses. Only directories of this user are
touched. On a network file system, the lock of another host may be invisible: there, only the
directories of runs that are known to have ended are removed.
"""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Collection, Iterable
from contextlib import suppress
from pathlib import Path

from runbook.engine.process.removal import remove_tree
from runbook.engine.process.script_user import ScriptUser
from runbook.engine.process.workspace import PREFIX

_ENGINE_RUN_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NETWORK = re.compile(r"nfs4?|cifs|smb3|9p|ceph|lustre|gfs2|ocfs2|afs|fuse\..*|virtiofs")


def run_directories(execution_dir: Path) -> dict[str, Path]:
    """The directories with the name of an engine's run, by the run's id."""
    found: dict[str, Path] = {}
    with suppress(OSError), os.scandir(execution_dir) as entries:
        for entry in entries:
            run_id = entry.name.removeprefix(PREFIX)
            # Only our own: the system's temp directory has other contents, too.
            if run_id != entry.name and _ENGINE_RUN_ID.fullmatch(run_id):
                found[run_id] = Path(entry.path)
    return dict(sorted(found.items()))


def remove_stale(
    directories: Iterable[Path],
    active: Collection[str],
    *,
    ended: Collection[str] = (),
    user: ScriptUser | None = None,
) -> list[str]:
    """Remove directories that crashed runs left: unlocked, and not of `active` runs.

    Those of `user` are ours, too. Returns a line for each file that couldn't be removed.
    """
    owners = {os.geteuid(), os.geteuid() if user is None else user.uid}
    problems: list[str] = []
    for path in directories:
        run_id = path.name.removeprefix(PREFIX)
        if run_id not in active and (not _is_on_network(path) or run_id in ended):
            problems += _remove_unused(path, owners)
    return problems


def _remove_unused(path: Path, owners: Collection[int]) -> list[str]:
    try:
        descriptor = os.open(path, _DIRECTORY)
    except OSError:  # gone, a link, or not ours
        return []
    try:
        if os.fstat(descriptor).st_uid not in owners:
            return []
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return remove_tree(path)
    except OSError:  # locked: in use
        return []
    finally:
        os.close(descriptor)


def _is_on_network(path: Path) -> bool:
    """Whether other hosts may use the path's file system."""
    try:
        device = path.lstat().st_dev
        mounts = Path("/proc/self/mountinfo").read_text(errors="replace")
    except OSError:
        return False
    number = f"{os.major(device)}:{os.minor(device)}"
    return any(_is_network_mount(line, number) for line in mounts.splitlines())


def _is_network_mount(line: str, device: str) -> bool:
    """One line of mountinfo: `36 35 98:0 / /mnt rw,noatime master:1 - ext4 /dev/root rw`."""
    mount, _, source = line.partition(" - ")
    return mount.split()[2] == device and bool(_NETWORK.fullmatch(source.split()[0]))

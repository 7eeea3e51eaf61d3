"""Configurations of devices in a git repository: one commit for each change.

    from runbook.connectors import backups

    store = backups.open_store()                 # DATA_DIR/device-backups, in a run
    taken = Snapshot("edge-1", export, {"version": "7.18"})
    saved = store.save(taken, Origin.SEEN, step="Back up", binary=lambda: router_backup)
    saved.is_new                                 # False: nothing has changed, so no commit
    for version in store.history("edge-1"):      # the latest first
        print(version.at, version.origin, version.run_id, version.requested_by)
    store.export("edge-1")                       # the latest; commit=... is another one
    store.binary("edge-1")                       # decrypted; raises DamagedError

`runbook blame` uses it too.
"""

from __future__ import annotations

import json
from pathlib import Path

from runbook.connectors.backups.sealing import DamagedError
from runbook.connectors.backups.store import BackupStore, Origin, Saved, Snapshot, Source, Version
from runbook.script import commands
from runbook.script.limits import DEVICE_BACKUPS

__all__ = [
    "BackupStore",
    "DamagedError",
    "Origin",
    "Saved",
    "Snapshot",
    "Source",
    "Version",
    "folder_of",
    "key_of",
    "open_store",
    "source_of_run",
]

FOLDER = "RUNBOOK_BACKUPS"


def open_store() -> BackupStore:
    """The store of this run's engine. Raises NotInRunError."""
    folder = Path(commands.variable(FOLDER))
    return BackupStore(folder, key_of(folder.parent))


def folder_of(data_dir: Path) -> Path:
    return data_dir / DEVICE_BACKUPS


def key_of(data_dir: Path) -> Path:
    """Not in the folder of the repository, which may be copied elsewhere."""
    return data_dir / "keys" / DEVICE_BACKUPS


def source_of_run(step: str) -> Source:
    """Who saves: this run. `step` is the name of the step."""
    chain = json.loads(commands.variable("RUNBOOK_RECURSION_STACK"))
    return Source(
        run_id=commands.variable("RUNBOOK_RUN_ID"),
        runbook=str(chain[-1]) if chain else "",
        step=step,
        requested_by=commands.variable("RUNBOOK_REQUESTED_BY"),
    )

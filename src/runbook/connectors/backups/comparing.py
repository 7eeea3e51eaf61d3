"""What differs between two stored configurations of a device."""

from __future__ import annotations

from dataclasses import dataclass

from runbook.connectors.backups.sealing import DamagedError
from runbook.connectors.backups.store import EXPORT, BackupStore, Version

_NOTHING = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
"""Git's name for a folder without files."""
_SHORT = 10


@dataclass(frozen=True, slots=True)
class Compared:
    """A unified diff; empty if only a secret differs. Without `before`, all of `after` is new."""

    before: Version | None
    after: Version
    diff: str


def compared(
    store: BackupStore, device: str, before: str | None = None, after: str | None = None
) -> Compared:
    """By default, what the latest version changed. Raises DamagedError for an unknown version."""
    new = store.version(device, after) if after else _latest(store, device)
    old = store.version(device, before) if before else _previous(store, device, new)
    said = store.git.text(
        *("diff", "--no-color", "--no-ext-diff", "--unified=3"),
        *(old.commit if old else _NOTHING, new.commit, "--", f"{device}/{EXPORT}"),
    )
    _, begin, hunks = said.partition("\n@@ ")
    if not begin:
        return Compared(old, new, "")
    names = f"--- {_name(device, old)}\n+++ {_name(device, new)}\n"
    return Compared(old, new, f"{names}@@ {hunks}")


def _latest(store: BackupStore, device: str) -> Version:
    found = store.history(device, limit=1)
    if not found:
        raise DamagedError(f"{device} has no backup")
    return found[0]


def _previous(store: BackupStore, device: str, version: Version) -> Version | None:
    found = store.history(device, limit=2, until=version.commit)
    return found[1] if len(found) > 1 else None


def _name(device: str, version: Version | None) -> str:
    return f"{device} {version.commit[:_SHORT]}" if version else "nothing"

"""What an installer is about to change, kept on disk until it is recorded.

A toolkit's files and its row can't change in one step. If the process dies between the two, the
next one compares the files with both sides of the change, and records the side that is in place.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from runbook import log
from runbook.core.audit import SYSTEM, AuditAction, NewAuditEvent, Target, TargetKind
from runbook.core.toolkit import InstalledToolkit, ToolkitOrigin
from runbook.errors import ToolkitRefusedError
from runbook.quick_dataclass import dataclass
from runbook.store.toolkits import Toolkits as StoredToolkits
from runbook.toolkits.folder import digest_of
from runbook.toolkits.installation import LEFT_OVER, Installation

_INTENT = ".intent-"


@dataclass(frozen=True, slots=True)
class Intent:
    """The row before and after a change; None where the toolkit isn't installed."""

    slug: str
    before: InstalledToolkit | None
    after: InstalledToolkit | None

    def in_place(self, digest: str | None) -> tuple[InstalledToolkit | None, bool]:
        """The side whose files these are, and whether there is one."""
        for side in (self.after, self.before):
            if _digest_in(side) == digest:
                return side, True
        return None, False


@contextmanager
def intended(installation: Installation, intent: Intent) -> Iterator[None]:
    """The block makes the change and records it. If it fails, `settle` decides later."""
    path = installation.root / f"{_INTENT}{intent.slug}"
    new = path.with_name(f"{path.name}.new")
    with new.open("w") as file:
        json.dump(asdict(intent), file)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
    yield
    path.unlink()


def is_unsettled(installation: Installation) -> bool:
    """Whether an installer is at work or has died at it."""
    root = installation.root
    return root.is_dir() and any(
        path.name.startswith((_INTENT, *LEFT_OVER)) for path in root.iterdir()
    )


def settle(installation: Installation, store: StoredToolkits) -> bool:
    """Record what dead installers left, and say whether there was anything.

    For a caller that excludes other installers. Raises what the store raises.
    """
    paths = sorted(installation.root.glob(f"{_INTENT}*"))
    for path in paths:
        intent = _read(path)
        if intent is not None:
            _settle(intent, installation, store)
        path.unlink()
    return bool(paths)


def _settle(intent: Intent, installation: Installation, store: StoredToolkits) -> None:
    digest = _digest_on_disk(installation.folder(intent.slug))
    side, is_known = intent.in_place(digest)
    row = store.get(intent.slug)
    installation.complete(intent.slug, replaced=is_known and side is intent.after)
    if not is_known or _digest_in(row) == digest:
        return
    log.warning("toolkit.recovered", toolkit=intent.slug, digest=digest)
    if side is None:
        store.remove(intent.slug, _event(AuditAction.TOOLKIT_REMOVE, intent.slug))
    else:
        event = _event(AuditAction.TOOLKIT_INSTALL, intent.slug, version=side.version)
        store.put(side, event)


def _event(action: AuditAction, slug: str, **details: object) -> NewAuditEvent:
    return NewAuditEvent(SYSTEM, action, Target(TargetKind.TOOLKIT, slug), details)


def _digest_in(row: InstalledToolkit | None) -> str | None:
    return None if row is None else row.digest


def _digest_on_disk(folder: Path) -> str | None:
    if not folder.is_dir():
        return None
    try:
        return digest_of(folder)
    except (ToolkitRefusedError, OSError):
        return ""


def _read(path: Path) -> Intent | None:
    try:
        found = json.loads(path.read_text())
        return Intent(found["slug"], _row(found["before"]), _row(found["after"]))
    except (OSError, ValueError, LookupError, TypeError):  # half written: nothing had changed yet
        return None


def _row(found: dict[str, Any] | None) -> InstalledToolkit | None:
    if found is None:
        return None
    return InstalledToolkit(**found | {"origin": ToolkitOrigin(found["origin"])})

"""What is known of a change that hasn't ended, next to the store of backups.

It is on disk before each phase begins, so that another run can end the change: PushRecover, a
retry, a resume or an undo.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from pathlib import Path

from mikrotik_toolkit import durable, guarding
from mikrotik_toolkit.outcomes import Outcome
from runbook.connectors import backups


class Phase(StrEnum):
    ARMING = "arming"
    """The revert may be armed; nothing is applied."""
    APPLYING = "applying"
    """Anything may be applied."""
    APPLIED = "applied"
    """The router has said that all of it was applied."""
    VERIFIED = "verified"
    CONFIRMING = "confirming"
    """The revert may be gone: what is there stays."""
    CONFIRMED = "confirmed"
    """The revert is gone. Only in a transaction, which may still take it back."""
    RESTORING = "restoring"
    """It may load a stored backup, which makes it all new or leaves it all old."""
    REVERTING = "reverting"
    """It was decided that it is not to stay."""
    ENDED = "ended"


@dataclass(frozen=True)
class Pending:
    """`before` and `after` are fingerprints; `after` is empty until it is known.

    `commit` has the configuration from before. `until` is when the revert is due, in seconds since
    the epoch; `due` is the same by the router's clock, as it writes it, and `seconds` is how long
    that was after it was armed. `checks` says that a new connection alone doesn't verify it.
    `address` is where the router was then.
    """

    device: str
    run_id: str
    runbook: str
    requested_by: str
    phase: Phase
    script: str
    before: str
    commit: str
    until: float
    seconds: int
    due: str = ""
    checks: bool = False
    after: str = ""
    outcome: str = ""
    """Once it has ended."""
    transaction: str = ""
    """The transaction that it is a part of, which decides how it ends."""
    step: str = "Apply"
    """That changes the router."""
    guard: bool = False
    """Whether its revert is the guard: see guarding."""
    address: str = ""

    @property
    def source(self) -> backups.Source:
        return backups.Source(self.run_id, self.runbook, self.step, self.requested_by)

    @property
    def revert_of(self) -> str:
        """What `reaching.state` finds its revert by."""
        return guarding.GUARD if self.guard else self.run_id

    def at(self, phase: Phase, **more: str | float) -> Pending:
        """Go on to this phase: on disk when this returns."""
        new = replace(self, phase=phase, **more)  # type: ignore[arg-type]
        durable.write(_path(self.device), json.dumps(asdict(new)))
        return new

    def ended(self, outcome: Outcome) -> Pending:
        """The record stays: the run may die before it says how it ended."""
        return self.at(Phase.ENDED, outcome=outcome.value)


def last(device: str) -> Pending | None:
    """The latest change of this device."""
    try:
        found = json.loads(_path(device).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return Pending(**{**found, "phase": Phase(found["phase"])})


def pending(device: str) -> Pending | None:
    """The change of this device that hasn't ended."""
    known = last(device)
    return None if known is None or known.phase is Phase.ENDED else known


def of_run(run_id: str) -> Pending | None:
    """The change of a run, under whatever name of the device; rather one that hasn't ended."""
    names = sorted(path.stem for path in _folder().glob("*.json"))
    found = [one for one in map(last, names) if one is not None and one.run_id == run_id]
    return next((one for one in found if one.phase is not Phase.ENDED), next(iter(found), None))


def _folder() -> Path:
    return Path(os.environ[backups.FOLDER]) / "pending"


def _path(device: str) -> Path:
    return _folder() / f"{device}.json"

"""Why a run waits. Each kind of reason is a type; their JSON and text are defined only here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from enum import StrEnum
from typing import Any, ClassVar, TypeAlias

from runbook.core.document import Params
from runbook.core.times import Millis, iso
from runbook.quick_dataclass import dataclass


class WaitKind(StrEnum):
    LOCK = "lock"


@dataclass(frozen=True, slots=True)
class LockWait:
    """The run waits for a lock: run `run_id` of runbook `ref`, requested by `by`, holds it.

    `code`, `text` and `params` are those of the problem that a run has if it does not wait.
    """

    kind: ClassVar[WaitKind] = WaitKind.LOCK
    code: ClassVar[str] = "lock_held"

    lock: str
    run_id: str
    ref: str
    by: str
    since: Millis

    @property
    def text(self) -> str:
        """`Lock L is held by run R of X.md, started by ada since 2026-01-31T12:00:00.000Z`"""
        return f"Lock {self.lock} is {self._held_by}"

    @property
    def params(self) -> Params:
        return {
            "lock": self.lock,
            "run_id": self.run_id,
            "runbook": self.ref,
            "by": self.by,
            "since": iso(self.since),
        }

    @property
    def event_data(self) -> dict[str, object]:
        """The data of the `waiting` event."""
        return {
            "kind": self.kind,
            "code": self.code,
            "params": self.params,
            "lock": self.lock,
            "held_by": self.run_id,
            "runbook": self.ref,
            "by": self.by,
            "since": iso(self.since),
            "reason": f"waits for lock {self.lock}, {self._held_by}",
        }

    @property
    def _held_by(self) -> str:
        who = f"held by run {self.run_id} of {self.ref}, started by {self.by}"
        return f"{who} since {iso(self.since)}"


WaitReason: TypeAlias = LockWait
"""The union of all reasons. Each has a `kind`, a `code`, a `text`, `params` and `event_data`."""

_TYPES: Mapping[WaitKind, type[WaitReason]] = {WaitKind.LOCK: LockWait}


def stored_wait(reason: WaitReason) -> dict[str, object]:
    """The reason as it is stored with the run."""
    return {"kind": reason.kind.value, **asdict(reason)}


def read_wait(stored: Mapping[str, Any]) -> WaitReason:
    """The reason that `stored_wait` stored. Earlier versions stored no `kind`: only locks."""
    members = {name: value for name, value in stored.items() if name != "kind"}
    return _TYPES[WaitKind(stored.get("kind", WaitKind.LOCK))](**members)

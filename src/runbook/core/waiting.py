"""Why a run waits. Each kind of reason is a type; their JSON and text are defined only here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, ClassVar, TypeAlias

from runbook.core.document import Params
from runbook.core.times import Millis, iso


class WaitKind(StrEnum):
    LOCK = "lock"


@dataclass(frozen=True, slots=True)
class LockWait:
    """The run waits for a lock: run `run_id` of runbook `ref`, requested by `by`, holds it."""

    kind: ClassVar[WaitKind] = WaitKind.LOCK

    lock: str
    run_id: str
    ref: str
    by: str
    since: Millis


WaitReason: TypeAlias = LockWait
"""The union of all reasons. Each has a `kind`."""


def wait_text(reason: WaitReason) -> str:
    """`Lock L is held by run R of X.md, started by ada since 2026-01-31T12:00:00.000Z`"""
    match reason:
        case LockWait():
            return f"Lock {reason.lock} is {_held_by(reason)}"


def wait_code(reason: WaitReason) -> str:
    """The code of the problem that a run has if it does not wait."""
    match reason:
        case LockWait():
            return "lock_held"


def wait_params(reason: WaitReason) -> Params:
    """The parameters of that problem."""
    match reason:
        case LockWait(lock, run_id, ref, by, since):
            return {
                "lock": lock,
                "run_id": run_id,
                "runbook": ref,
                "by": by,
                "since": iso(since),
            }


def wait_data(reason: WaitReason) -> dict[str, object]:
    """The data of the `waiting` event."""
    common = {"kind": reason.kind, "code": wait_code(reason), "params": wait_params(reason)}
    match reason:
        case LockWait(lock, run_id, ref, by, since):
            return {
                **common,
                "lock": lock,
                "held_by": run_id,
                "runbook": ref,
                "by": by,
                "since": iso(since),
                "reason": f"waits for lock {lock}, {_held_by(reason)}",
            }


def stored_wait(reason: WaitReason) -> dict[str, object]:
    """The reason as it is stored with the run."""
    return {"kind": reason.kind.value, **asdict(reason)}


def read_wait(stored: Mapping[str, Any]) -> WaitReason:
    """The reason that `stored_wait` stored. Earlier versions stored no `kind`: only locks."""
    members = {name: value for name, value in stored.items() if name != "kind"}
    match WaitKind(stored.get("kind", WaitKind.LOCK)):
        case WaitKind.LOCK:
            return LockWait(**members)


def _held_by(wait: LockWait) -> str:
    who = f"held by run {wait.run_id} of {wait.ref}, started by {wait.by}"
    return f"{who} since {iso(wait.since)}"

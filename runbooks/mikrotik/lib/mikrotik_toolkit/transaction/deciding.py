"""What comes next in a transaction, from what is decided and what its devices say. No I/O."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum

from mikrotik_toolkit.recovery import LEAST_LEFT_S

PASSES = 4
"""How often each device is looked at while its revert is armed: to arm it, to apply the change, to
verify it, and before it is confirmed."""


class Stand(StrEnum):
    """Where a device stands once the change was verified on it."""

    ARMED = "armed"
    """It has the change, and the revert is armed."""
    CONFIRMED = "confirmed"
    """It has the change, and the revert is gone."""
    REVERTED = "reverted"
    """It has gone back, or is about to."""
    AWAY = "away"
    """It can't be reached, and nobody knows whether its revert is gone."""


@dataclass(frozen=True)
class Answer:
    """`left_s` is how long its revert is still away: by our own clock, if it can't be asked."""

    device: str
    stand: Stand
    left_s: float = 0.0


class Act(StrEnum):
    CONFIRM = "confirm"
    """Cancel all reverts that are left."""
    WAIT = "wait"
    """Ask again: some devices can't be reached, and there is still time."""
    FINISH = "finish"
    """All devices are confirmed."""
    GO_BACK = "go back"


@dataclass(frozen=True)
class Next:
    act: Act
    reason: str = ""
    devices: tuple[str, ...] = ()
    """Those that are the reason."""


def next_act(answers: Collection[Answer], parallel: int, look_s: float, margin_s: float) -> Next:
    """For a change that was decided to stay, or is about to be.

    Nothing is confirmed while a device can't be reached: if it stays away, all others can still go
    back by themselves. Once one is confirmed, the margin may be used up to confirm the others.
    """
    reverted = _with(answers, Stand.REVERTED)
    if reverted:
        return Next(Act.GO_BACK, "reverted_meanwhile", reverted)
    left = [one for one in answers if one.stand is not Stand.CONFIRMED]
    if not left:
        return Next(Act.FINISH)
    needed_s = confirm_s(len(left), parallel, look_s)
    if len(left) == len(answers):
        needed_s += margin_s
    late = tuple(one.device for one in left if one.left_s < needed_s)
    away = _with(answers, Stand.AWAY)
    if late:
        return Next(Act.GO_BACK, "cut_off" if away else "too_late", away or late)
    return Next(Act.WAIT, "cut_off", away) if away else Next(Act.CONFIRM)


def _with(answers: Collection[Answer], stand: Stand) -> tuple[str, ...]:
    return tuple(one.device for one in answers if one.stand is stand)


def pass_s(devices: int, parallel: int, look_s: float) -> float:
    """How long it takes to look at all of them, if each is as slow as the slowest."""
    return math.ceil(devices / parallel) * look_s


def confirm_s(devices: int, parallel: int, look_s: float) -> float:
    """How long before the first revert is due the first one has to be cancelled."""
    return pass_s(devices, parallel, look_s) + LEAST_LEFT_S


def needed_s(devices: int, parallel: int, look_s: float, margin_s: float) -> float:
    """How long reverts have to be armed, so that all devices can be confirmed in time."""
    return PASSES * pass_s(devices, parallel, look_s) + LEAST_LEFT_S + margin_s

"""What a script asks of a fan-out, and what it is told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from runbook.core.fanout.limits import WhenBusy
from runbook.quick_dataclass import dataclass


@dataclass(frozen=True, slots=True)
class FanoutPlan:
    """Runbook `ref` for each of the devices, whose name its input `input` gets.

    Without `input`, the runbook's only one of type device. `parallel` and `max_failures` are
    numbers or percentages. `session` is that of the script.
    """

    ref: str
    devices: Sequence[str]
    input: str | None
    parallel: str
    max_failures: str | None
    canary: int
    when_busy: WhenBusy
    session: str


@dataclass(frozen=True, slots=True)
class ChildInputs:
    """The inputs of every child run besides its device, and the call chain."""

    env_vars: Mapping[str, object]
    confirm: str | None = None
    recursion_stack: tuple[str, ...] = ()

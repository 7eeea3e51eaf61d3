"""Fan-outs and their devices, as stored and shown."""

from __future__ import annotations

from collections.abc import Sequence

from runbook.core.fanout.limits import Limits, WhenBusy
from runbook.core.fanout.progress import Counts, DeviceState, StopReason
from runbook.core.times import Millis
from runbook.quick_dataclass import dataclass


@dataclass(frozen=True, slots=True)
class FanoutPlace:
    """Which of a run's fan-outs it is: the `ordinal`-th of its step's script in one session."""

    step: int
    session: str
    ordinal: int


@dataclass(frozen=True, slots=True)
class Fanout:
    """The `n`-th fan-out of a run: runbook `ref` for each device, which is in input `input`."""

    run_seq: int
    n: int
    place: FanoutPlace
    ref: str
    input: str
    limits: Limits
    when_busy: WhenBusy
    created_at: Millis
    paused: bool = False
    finished_at: Millis | None = None
    stopped: StopReason | None = None


@dataclass(frozen=True, slots=True)
class FanoutDevice:
    """One device of the `n`-th fan-out. `run_id` is its child run, `earlier` one of another parent.

    `code` and `message` say why it failed or was skipped, `phase` and `percent` how far it came.
    """

    n: int
    place: int
    device: str
    state: DeviceState = DeviceState.PENDING
    run_id: str | None = None
    earlier: bool = False
    code: str | None = None
    message: str | None = None
    until: Millis | None = None
    phase: str | None = None
    percent: float | None = None
    started_at: Millis | None = None
    finished_at: Millis | None = None

    @property
    def duration_ms(self) -> int | None:
        if self.started_at is None or self.finished_at is None:
            return None
        return max(0, self.finished_at - self.started_at)


@dataclass(frozen=True, slots=True)
class CountedFanout:
    """A fan-out with the number of its devices in each state."""

    fanout: Fanout
    counts: Counts


@dataclass(frozen=True, slots=True)
class FanoutPage:
    """All fan-outs of a run, and a page of their devices. `next_cursor` leads to the next page."""

    fanouts: Sequence[CountedFanout]
    devices: Sequence[FanoutDevice]
    next_cursor: str | None = None


@dataclass(frozen=True, slots=True)
class Advanced:
    """Where the fan-out stands, and which devices changed since it was last asked.

    It is `over` once no device is left to start or to wait for.
    """

    counted: CountedFanout
    changes: Sequence[FanoutDevice] = ()
    stopped: StopReason | None = None
    over: bool = False

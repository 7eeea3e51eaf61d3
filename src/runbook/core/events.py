"""The events of a run."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from runbook.core.times import Millis
from runbook.quick_dataclass import dataclass


class EventType(StrEnum):
    QUEUED = "queued"
    WAITING = "waiting"
    STARTED = "started"
    STEP = "step"
    STDOUT = "stdout"
    STDERR = "stderr"
    PROGRESS = "progress"
    PLAN = "plan"
    CHILD = "child"
    NOTICE = "notice"
    DONE = "done"

    @property
    def is_output(self) -> bool:
        return self in (EventType.STDOUT, EventType.STDERR)


@dataclass(frozen=True, slots=True)
class RunEvent:
    """One event of a run. `n` counts from 1 without gaps.

    Output events carry `text`; all others carry `data`. `line` and `offset` locate an output
    event's text in the run's log (see `core/output/log_text.py`): the line number of its first
    character, counted from 1, and its offset in UTF-8 bytes.
    """

    n: int
    at: Millis
    type: EventType
    text: str | None = None
    data: Mapping[str, object] | None = None
    step: int | None = None
    line: int | None = None
    offset: int | None = None

"""What happens in a run, one event after the other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from runbook.core.times import Millis


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
    """What happened in a run. `n` counts from 1 without gaps.

    Output events carry `text`; all others carry `data`. `line` and `offset` say where an output
    event's text begins in the run's log (see `core/output/log_text.py`): the number of the line
    that its first character belongs to, from 1, and the byte offset in UTF-8.
    """

    n: int
    at: Millis
    type: EventType
    text: str | None = None
    data: Mapping[str, object] | None = None
    step: int | None = None
    line: int | None = None
    offset: int | None = None

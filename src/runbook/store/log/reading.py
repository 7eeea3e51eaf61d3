"""Converts rows to `RunEvent`, also rows that something else has damaged."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from runbook.core.events import EventType, RunEvent
from runbook.store.rows import EVENTS_PER_RUN
from runbook.store.tables import events

# In the order of `event_of`.
EVENT_COLUMNS = (
    events.c.key,
    events.c.at,
    events.c.type,
    events.c.text,
    events.c.data,
    events.c.step,
    events.c.line,
    events.c.offset,
)
# A lookup is faster than calling the enum class.
_EVENT_TYPES = {kind.value: kind for kind in EventType}
UNREADABLE_EVENT = {"message": "The database's record of this event is damaged"}


def event_of(row: Sequence[Any]) -> RunEvent:
    """The event; a damaged one becomes a notice that says so."""
    key, at, kind, text, data, step, line, offset = row
    n, type_ = key % EVENTS_PER_RUN, _EVENT_TYPES.get(kind)
    if type_ is None or not _fits(type_, at, text, data, step, line, offset):
        moment = at if isinstance(at, int) else 0
        return RunEvent(n, moment, EventType.NOTICE, data=UNREADABLE_EVENT)
    shown = None if text is None else text.decode("utf-8", "replace")
    return RunEvent(n, at, type_, shown, data, step, line, offset)


def _fits(type_: EventType, at: object, text: object, data: object, *numbers: object) -> bool:
    step, line, offset = numbers
    if not isinstance(at, int) or not isinstance(step, int | None):
        return False
    if type_.is_output:
        return isinstance(text, bytes) and isinstance(line, int) and isinstance(offset, int)
    return isinstance(data, dict | None)

"""One line of a run's log."""

from __future__ import annotations

from typing import Annotated, NotRequired

from typing_extensions import TypedDict

from runbook.core.events import EventType
from runbook.core.times import iso
from runbook.resources.forms import Doc
from runbook.store.models import LogLine


class LogLineJson(TypedDict):
    line: int
    at: str
    step: int | None
    stream: EventType
    text: str
    cut: NotRequired[Annotated[bool, Doc("True if the line is longer than the text returned")]]


class LogHitsJson(TypedDict):
    """The lines of a log that match a search."""

    query: str
    count: Annotated[int, Doc("Total number of matches")]
    hits: list[LogLineJson]


def log_line_json(line: LogLine) -> LogLineJson:
    value: LogLineJson = {
        "line": line.number,
        "at": iso(line.at),
        "step": line.step,
        "stream": line.stream,
        "text": line.text,
    }
    if line.cut:
        value["cut"] = True
    return value

"""A run's events, and the data of the last one, `done`."""

from __future__ import annotations

from typing import Annotated, Any, Literal, NotRequired, cast

from typing_extensions import TypedDict

from runbook.core.document import texts_of
from runbook.core.events import EventType, RunEvent
from runbook.core.outcome import Outcome, PlanLabel
from runbook.core.status import RunStatus
from runbook.core.times import iso
from runbook.resources.forms import Doc
from runbook.resources.problem import ProblemItemJson, problems_json


class EventJson(TypedDict):
    """An event. Other members depend on its type: see docs/api.md."""

    n: Annotated[int, Doc("Sequence number, from 1 without gaps")]
    at: str
    type: EventType
    step: NotRequired[int | None]
    stream: NotRequired[Literal["stdout", "stderr"] | None]
    text: NotRequired[str | None]
    line: NotRequired[int | None]


class DoneDataJson(TypedDict):
    """The data of the `done` event, without the output."""

    success: bool
    runbook: str
    return_code: int
    errors: list[str]
    warnings: list[str]
    problems: Annotated[list[ProblemItemJson], Doc("Errors and warnings with code and parameters")]
    run_id: str
    status: RunStatus
    outputs: dict[str, Any]
    dry_run: NotRequired[bool]
    label: NotRequired[Annotated[PlanLabel | None, Doc("How reliable the plan of a dry run is")]]


class DoneJson(DoneDataJson):
    """The last event of an execution, which is also its JSON response."""

    stdout: str
    stderr: str


def event_json(event: RunEvent) -> EventJson:
    """The form of events in `/api/runs/{id}/events` and `--json`."""
    value: dict[str, object] = {"n": event.n, "at": iso(event.at), "type": event.type.value}
    if event.step is not None:
        value["step"] = event.step
    if event.type.is_output:
        value["stream"] = event.type.value
        value["text"] = event.text or ""
        value["line"] = event.line
    return cast(EventJson, value | dict(event.data or {}))


def done_json(run_id: str, ref: str, outcome: Outcome, *, dry_run: bool) -> DoneDataJson:
    value: DoneDataJson = {
        "success": outcome.status is RunStatus.SUCCEEDED,
        "runbook": ref,
        "return_code": outcome.return_code,
        "errors": texts_of(outcome.errors),
        "warnings": texts_of(outcome.warnings),
        "problems": problems_json((*outcome.errors, *outcome.warnings)),
        "run_id": run_id,
        "status": outcome.status,
        "outputs": dict(outcome.outputs),
    }
    if dry_run:
        value["dry_run"], value["label"] = True, outcome.label
    return value

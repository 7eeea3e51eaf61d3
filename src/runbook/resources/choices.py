"""The choices for an input."""

from __future__ import annotations

from typing import Annotated

from typing_extensions import TypedDict

from runbook.core.inputs.live_choices import Choice, Offered
from runbook.resources.forms import Doc, optional_iso
from runbook.resources.problem import ProblemItemJson, problem_json


class ChoiceJson(TypedDict):
    value: str
    label: Annotated[str, Doc("What to show; the value if the source gives no label")]
    description: str | None


class ChoicesJson(TypedDict):
    """The choices for an input now. If there is a `problem`, there are none."""

    runbook: str
    input: Annotated[str, Doc("The input's name, or LIST.FIELD")]
    choices: list[ChoiceJson]
    problem: Annotated[ProblemItemJson | None, Doc("Why the choices aren't available")]
    cached: Annotated[bool, Doc("Whether an earlier answer was used again")]
    read_at: Annotated[str | None, Doc("When the source found them; null without a run")]
    run_id: Annotated[str | None, Doc("The run that found them")]


def choices_json(ref: str, path: str, offered: Offered) -> ChoicesJson:
    return {
        "runbook": ref,
        "input": path,
        "choices": [choice_json(choice) for choice in offered.choices],
        "problem": None if offered.problem is None else problem_json(offered.problem),
        "cached": offered.cached,
        "read_at": optional_iso(offered.read_at),
        "run_id": offered.run_id,
    }


def choice_json(choice: Choice) -> ChoiceJson:
    return {"value": choice.value, "label": choice.label, "description": choice.description}

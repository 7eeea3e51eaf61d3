"""The result of a validation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from typing_extensions import TypedDict

from runbook.core.document import Problem, texts_of
from runbook.resources.forms import Doc
from runbook.resources.problem import ProblemItemJson, problems_json


class ReportJson(TypedDict):
    success: bool
    runbook: str
    errors: list[str]
    warnings: list[str]
    problems: Annotated[
        list[ProblemItemJson], Doc("Errors and warnings with code, parameters, line and hint")
    ]


def report_json(ref: str, errors: Sequence[Problem], warnings: Sequence[Problem]) -> ReportJson:
    return {
        "success": not errors,
        "runbook": ref,
        "errors": texts_of(errors),
        "warnings": texts_of(warnings),
        "problems": problems_json((*errors, *warnings)),
    }

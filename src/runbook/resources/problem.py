"""Problems of a runbook, a request or a run, and the body of a refused request."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Literal, NotRequired

from typing_extensions import TypedDict

from runbook.core.document import Param, Problem, Severity
from runbook.resources.forms import Doc


class ProblemItemJson(TypedDict):
    code: Annotated[str, Doc("Stable code for programs: see docs/problems.md")]
    message: str
    severity: Severity
    params: Annotated[
        dict[str, Param],
        Doc("Values that the message mentions: variable, step, run_id, limit, ..."),
    ]
    line: NotRequired[Annotated[int | None, Doc("Line of the document, from 1")]]
    hint: NotRequired[str | None]


class MissingJson(TypedDict):
    """What a 403 lacks. `code` says which members it has."""

    code: Literal["claim", "permission", "required_claims_unreadable", "run_ownership"]
    text: str
    claim: NotRequired[Annotated[str, Doc("The claim that the token lacks")]]
    wanted: NotRequired[Annotated[list[str], Doc("The token needs one of these values")]]
    given: NotRequired[
        Annotated[
            list[str] | None, Doc("Values that the token has; null if it doesn't have the claim")
        ]
    ]
    permission: NotRequired[str]
    ref: NotRequired[
        Annotated[
            str | None,
            Doc("The runbook that the permission doesn't cover; null if it isn't granted at all"),
        ]
    ]


class RefusalJson(TypedDict):
    """The members of a refusal that don't depend on its request."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    errors: Annotated[list[ProblemItemJson], Doc("The individual problems, if there are any")]
    success: Literal[False]
    error: str


class ProblemJson(RefusalJson):
    """RFC 9457, with `success` and `error` for old clients."""

    instance: str
    correlation_id: NotRequired[str | None]
    runbook: NotRequired[str | None]
    missing: NotRequired[
        Annotated[list[MissingJson], Doc("With `access_denied`: claims and permissions")]
    ]
    reason: NotRequired[
        Annotated[str, Doc("With `invalid_token`: why the token was refused, if one was sent")]
    ]
    claim: NotRequired[
        Annotated[str, Doc("With `invalid_token`: the claim that is missing or invalid")]
    ]
    current_digest: NotRequired[
        Annotated[str, Doc("With `document_changed`: the digest of the current document")]
    ]
    diff: NotRequired[
        Annotated[str, Doc("With `document_changed`: the changes since the earlier document")]
    ]


def problem_json(problem: Problem) -> ProblemItemJson:
    value: ProblemItemJson = {
        "code": problem.code,
        "message": problem.message,
        "severity": problem.severity,
        "params": dict(problem.params),
    }
    if problem.line is not None:
        value["line"] = problem.line
    if problem.hint is not None:
        value["hint"] = problem.hint
    return value


def problems_json(problems: Iterable[Problem]) -> list[ProblemItemJson]:
    return [problem_json(problem) for problem in problems]


def refusal_json(status: int, code: str, text: str) -> RefusalJson:
    return {
        "type": f"/docs/problems#{code}",
        "title": code.replace("_", " ").capitalize(),
        "status": status,
        "detail": text,
        "code": code,
        "errors": [],
        "success": False,
        "error": text,
    }

"""A runbook: its declarations, and its row in the list."""

from __future__ import annotations

from typing import Annotated, Literal, NotRequired

from typing_extensions import TypedDict

from runbook.core.access import Decision
from runbook.core.status import RunStatus
from runbook.library.loading import Entry
from runbook.library.search import Match
from runbook.resources.declaration import (
    InputItemJson,
    PolicyItemJson,
    StepItemJson,
    input_json,
    policy_json,
    step_json,
)
from runbook.resources.forms import Doc, optional_iso, text_of
from runbook.resources.problem import ProblemItemJson, problems_json
from runbook.store.models import LastRun


class RequirementJson(TypedDict):
    claim: str
    wanted: Annotated[list[str], Doc("The token needs one of these values")]
    given: Annotated[
        list[str] | None, Doc("Values that the token has; null if it doesn't have the claim")
    ]


class AccessJson(TypedDict):
    """Whether a token may execute a runbook, and which claims it lacks."""

    executable: Annotated[bool, Doc("Whether the runbook is valid and your token may execute it")]
    missing_claims: list[str]
    requirements: Annotated[list[RequirementJson], Doc("The missing claims as objects")]


class LastRunJson(TypedDict):
    id: str | None
    status: RunStatus | None
    finished_at: str | None
    by: str | None
    last_success_at: str | None


class LineMatchJson(TypedDict):
    line: Annotated[int, Doc("Line number in the document, from 1")]
    text: Annotated[str, Doc("The line; if it is long, 200 characters around the match")]


class ListedRunbookJson(AccessJson):
    filename: str
    name: str
    path: str
    valid: bool
    description: Annotated[
        str,
        Doc("From the front matter, or the first paragraph, as plain text of up to 300 characters"),
    ]
    steps: Annotated[int, Doc("Number of steps; 0 if the runbook is invalid")]
    dry_run: Annotated[bool, Doc("Whether the runbook supports dry runs")]
    tags: Annotated[list[str], Doc("From the front matter")]
    owner: Annotated[str | None, Doc("From the front matter")]
    last_run: LastRunJson | None
    match: NotRequired[
        Annotated[LineMatchJson | None, Doc("With `q`: the first matching line above History")]
    ]


class RunbookListJson(TypedDict):
    success: Literal[True]
    runbooks: list[ListedRunbookJson]


class RunbookContentJson(AccessJson):
    success: Literal[True]
    filename: str
    name: str
    content: str
    valid: bool
    digest: Annotated[str, Doc("SHA-256 of the bytes above `# History`")]
    description: Annotated[str, Doc("From the front matter, or the Markdown below the name")]
    tags: Annotated[list[str], Doc("From the front matter")]
    owner: Annotated[str | None, Doc("From the front matter")]
    inputs: list[InputItemJson]
    claims: dict[str, list[str]] | None
    steps: list[StepItemJson]
    policy: PolicyItemJson | None
    problems: list[ProblemItemJson]


def access_json(entry: Entry, decision: Decision) -> AccessJson:
    return {
        "executable": decision.allowed and not entry.document.errors,
        "missing_claims": [str(one) for one in decision.missing],
        "requirements": [
            {
                "claim": one.claim,
                "wanted": list(one.wanted),
                "given": None if one.given is None else list(one.given),
            }
            for one in decision.unmet
        ],
    }


def listed_json(entry: Entry, decision: Decision, last_run: LastRun | None) -> ListedRunbookJson:
    access = access_json(entry, decision)
    return {
        "filename": entry.ref,
        "name": entry.document.name,
        "path": entry.ref,
        "valid": not entry.document.errors,
        "executable": access["executable"],
        "missing_claims": access["missing_claims"],
        "requirements": access["requirements"],
        "description": entry.summary.description,
        "steps": entry.summary.steps,
        "dry_run": entry.summary.dry_run,
        "tags": list(entry.document.front.tags),
        "owner": entry.document.front.owner or None,
        "last_run": last_run_json(last_run),
    }


def match_json(match: Match | None) -> LineMatchJson | None:
    """The line of a runbook that matches a search."""
    return None if match is None else {"line": match.line, "text": match.text}


def last_run_json(last: LastRun | None) -> LastRunJson | None:
    """The last run, or None if there were none or only dry runs."""
    if last is None or last.last_run_id is None:
        return None
    return {
        "id": last.last_run_id,
        "status": last.last_status,
        "finished_at": optional_iso(last.last_finished_at),
        "by": last.last_by,
        "last_success_at": optional_iso(last.last_success_at),
    }


def runbook_json(entry: Entry, decision: Decision, content: bytes) -> RunbookContentJson:
    """`content` is the part of the file that the caller may see."""
    document = entry.document
    runbook, claims = document.runbook, document.claims
    return {
        "success": True,
        "filename": entry.ref,
        "name": document.name,
        "valid": not document.errors,
        "digest": document.digest,
        "description": document.front.description or (runbook.description if runbook else ""),
        "tags": list(document.front.tags),
        "owner": document.front.owner or None,
        "inputs": [input_json(item) for item in document.inputs],
        "claims": None if claims is None else {name: list(claims[name]) for name in claims},
        "steps": [step_json(step) for step in runbook.steps] if runbook else [],
        "policy": policy_json(runbook.policy) if runbook else None,
        "problems": problems_json(document.problems),
        **access_json(entry, decision),
        "content": text_of(content),
    }

"""What a rerun starts from: the executed document, and the steps to undo."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

from typing_extensions import TypedDict

from runbook.core.reruns import Numbered
from runbook.resources.forms import Doc, text_of


class RunDocumentJson(TypedDict):
    """The document that a run executed."""

    digest: str
    content: Annotated[str, Doc("The text above # History")]
    changed: Annotated[bool, Doc("Whether the runbook has changed since, or is gone")]
    current_digest: Annotated[str | None, Doc("Digest of the runbook now; null if it is gone")]


class NumberedStepJson(TypedDict):
    n: Annotated[int, Doc("Number in the executed document, from 1")]
    name: str


class UndoingJson(TypedDict):
    """What an undo would do."""

    steps: Annotated[list[NumberedStepJson], Doc("Steps to reverse, the last completed first")]
    left: Annotated[list[NumberedStepJson], Doc("Completed steps that have no Undo")]


def run_document_json(digest: str, content: bytes, current_digest: str | None) -> RunDocumentJson:
    return {
        "digest": digest,
        "content": text_of(content),
        "changed": current_digest != digest,
        "current_digest": current_digest,
    }


def undoing_json(steps: Iterable[Numbered], left: Iterable[Numbered]) -> UndoingJson:
    return {"steps": _steps_json(steps), "left": _steps_json(left)}


def _steps_json(steps: Iterable[Numbered]) -> list[NumberedStepJson]:
    return [{"n": item.n, "name": item.step.name} for item in steps]

"""The JSON of who changed the lines of a device's configuration."""

from __future__ import annotations

from typing import TypedDict

from runbook.connectors.backups.blame import BlamedLine


class BlamedLineJson(TypedDict):
    """`origin` is `run`, `seen` if it was changed outside, or `first`.

    `run`, `runbook`, `step` and `by` are those of the run that made the change, or that found it.
    """

    line: int
    text: str
    version: str
    at: str
    origin: str
    run: str | None
    runbook: str | None
    step: str | None
    by: str | None


def blamed_line_json(one: BlamedLine) -> BlamedLineJson:
    version, source = one.version, one.version.source
    return {
        "line": one.number,
        "text": one.text,
        "version": version.commit,
        "at": version.at.isoformat(),
        "origin": version.origin.value,
        "run": source.run_id or None,
        "runbook": source.runbook or None,
        "step": source.step or None,
        "by": source.requested_by or None,
    }

"""The JSON of a device's stored configurations, and of who changed what."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

from typing_extensions import TypedDict

from runbook.connectors.backups.blame import BlamedLine
from runbook.connectors.backups.comparing import Compared
from runbook.connectors.backups.store import Version
from runbook.resources.forms import Doc


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


class BlameJson(TypedDict):
    """The lines of a device's configuration, each with the change that brought it."""

    device: str
    version: Annotated[str, Doc("The commit that has this configuration")]
    lines: list[BlamedLineJson]


class BackupJson(TypedDict):
    """A stored configuration of a device. `origin` and the run are as in a line of BlameJson."""

    version: Annotated[str, Doc("Its commit")]
    at: str
    origin: str
    run: str | None
    runbook: str | None
    step: str | None
    by: str | None


class BackupListJson(TypedDict):
    """Stored configurations of a device, the latest first."""

    device: str
    backups: list[BackupJson]


class BackupDiffJson(TypedDict):
    """What differs between two stored configurations of a device."""

    device: str
    before: Annotated[BackupJson | None, Doc("null if `after` is the first one")]
    after: BackupJson
    diff: Annotated[str, Doc("A unified diff; empty if only a secret differs")]


def backup_list_json(device: str, versions: Iterable[Version]) -> BackupListJson:
    return {"device": device, "backups": [_backup_json(one) for one in versions]}


def backup_diff_json(device: str, found: Compared) -> BackupDiffJson:
    return {
        "device": device,
        "before": _backup_json(found.before) if found.before else None,
        "after": _backup_json(found.after),
        "diff": found.diff,
    }


def blame_json(device: str, version: str, lines: Iterable[BlamedLine]) -> BlameJson:
    return {
        "device": device,
        "version": version,
        "lines": [blamed_line_json(one) for one in lines],
    }


def blamed_line_json(one: BlamedLine) -> BlamedLineJson:
    return {"line": one.number, "text": one.text, **_backup_json(one.version)}


def _backup_json(version: Version) -> BackupJson:
    source = version.source
    return {
        "version": version.commit,
        "at": version.at.isoformat(),
        "origin": version.origin.value,
        "run": source.run_id or None,
        "runbook": source.runbook or None,
        "step": source.step or None,
        "by": source.requested_by or None,
    }

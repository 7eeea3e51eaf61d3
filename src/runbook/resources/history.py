"""A runbook's history."""

from __future__ import annotations

from collections.abc import Collection
from typing import Annotated

from typing_extensions import TypedDict

from runbook.core.history.adoption import ChainFinding
from runbook.core.history.legacy import LegacyRecord
from runbook.core.run import Origin, Relation
from runbook.core.status import RunStatus
from runbook.core.times import iso
from runbook.library.history_pages import HistoryPage, PagedAdoption, PagedEntry
from runbook.resources.forms import Doc


class HistoryHeadJson(TypedDict):
    n: Annotated[int, Doc("Number in the chain, from 1")]
    at: Annotated[str, Doc("When the run finished or was refused")]
    run_id: str
    status: RunStatus
    return_code: int
    who: str
    roles: list[str]
    origin: Origin
    duration_ms: int
    reason: str | None
    dry_run: bool
    not_executed: Annotated[
        bool,
        Doc("Whether it was a dry run of a runbook that doesn't support dry runs"),
    ]
    relation: Relation | None
    related_id: str | None
    known: Annotated[bool, Doc("Whether the database still has the run")]
    intact: Annotated[bool, Doc("Whether the entry's bytes are unchanged")]


class HistoryEntryJson(HistoryHeadJson):
    """One history entry with its output."""

    document: Annotated[str, Doc("Digest of the executed document")]
    stdout: str
    stderr: str
    error: str


class LegacyEntryJson(TypedDict):
    """An entry of the older engine, which has no number and no run ID."""

    n: None
    at: str
    run_id: None
    return_code: int
    stdout: Annotated[str, Doc("Cut at 64 KiB, like the other texts")]
    stderr: str
    error: str


class AdoptedFindingJson(TypedDict):
    code: Annotated[str, Doc("What was wrong, such as foreign, changed or missing")]
    entry: Annotated[int, Doc("Number of the affected entry")]
    sha256: Annotated[str, Doc("Digest of what was adopted")]


class AdoptionJson(TypedDict):
    """An entry that took changes of the history into its chain."""

    n: Annotated[int, Doc("Number in the chain, from 1")]
    at: str
    who: str
    roles: list[str]
    origin: Origin
    reason: str
    findings: list[AdoptedFindingJson]
    intact: Annotated[bool, Doc("Whether the entry's bytes are unchanged")]


class HistoryPageJson(TypedDict):
    entries: list[HistoryHeadJson]
    adoptions: Annotated[
        list[AdoptionJson], Doc("Adoptions between these entries; they count for `limit`")
    ]
    next_before: Annotated[int | None, Doc("`before` of the next page; null on the last page")]
    legacy: Annotated[
        list[LegacyEntryJson], Doc("Entries of the older engine, older than all others")
    ]


def history_page_json(page: HistoryPage, known: Collection[str]) -> HistoryPageJson:
    """`known` has the IDs of the runs that are still in the database."""
    return {
        "entries": [_head_json(entry, known) for entry in page.entries],
        "adoptions": [_adoption_json(adoption) for adoption in page.adoptions],
        "next_before": page.next_before,
        "legacy": [legacy_json(record) for record in page.legacy],
    }


def finding_json(finding: ChainFinding) -> AdoptedFindingJson:
    return {"code": finding.code, "entry": finding.entry, "sha256": finding.mark}


def history_entry_json(entry: PagedEntry, known: Collection[str]) -> HistoryEntryJson:
    record = entry.record
    return {
        **_head_json(entry, known),
        "document": record.document,
        "stdout": record.stdout,
        "stderr": record.stderr,
        "error": record.error,
    }


def _head_json(entry: PagedEntry, known: Collection[str]) -> HistoryHeadJson:
    record = entry.record
    return {
        "n": entry.n,
        "at": iso(record.at),
        "run_id": record.run_id,
        "status": record.status,
        "return_code": record.return_code,
        "who": record.who,
        "roles": list(record.roles),
        "origin": record.origin,
        "duration_ms": record.duration_ms,
        "reason": record.reason,
        "dry_run": record.dry_run is not None,
        "not_executed": record.not_executed,
        "relation": record.relation,
        "related_id": record.related_id,
        "known": record.run_id in known,
        "intact": entry.sound,
    }


def _adoption_json(adoption: PagedAdoption) -> AdoptionJson:
    record = adoption.record
    return {
        "n": adoption.n,
        "at": iso(record.at),
        "who": record.who,
        "roles": list(record.roles),
        "origin": record.origin,
        "reason": record.reason,
        "findings": list(map(finding_json, record.findings)),
        "intact": adoption.sound,
    }


def legacy_json(record: LegacyRecord) -> LegacyEntryJson:
    return {
        "n": None,
        "at": record.entry.at,
        "run_id": None,
        "return_code": record.entry.return_code,
        "stdout": record.stdout,
        "stderr": record.stderr,
        "error": record.error,
    }

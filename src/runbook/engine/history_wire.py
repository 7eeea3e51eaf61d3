"""The JSON forms of a runbook's history."""

from __future__ import annotations

from runbook.core.history.legacy import LegacyRecord
from runbook.core.times import iso
from runbook.engine.wire import Json
from runbook.library.history_pages import HistoryPage, PagedEntry
from runbook.store.store import Store


def history_page_json(page: HistoryPage, store: Store) -> Json:
    known = store.runs.known(entry.record.run_id for entry in page.entries)
    return {
        "entries": [
            _head_json(entry, known=entry.record.run_id in known) for entry in page.entries
        ],
        "next_before": page.next_before,
        "legacy": [legacy_json(record) for record in page.legacy],
    }


def history_entry_json(entry: PagedEntry, store: Store) -> Json:
    """An entry with its texts."""
    record = entry.record
    known = bool(store.runs.known([record.run_id]))
    return _head_json(entry, known=known) | {
        "document": record.document,
        "stdout": record.stdout,
        "stderr": record.stderr,
        "error": record.error,
    }


def _head_json(entry: PagedEntry, *, known: bool) -> Json:
    record = entry.record
    return {
        "n": entry.n,
        "at": iso(record.at),
        "run_id": record.run_id,
        "status": record.status.value,
        "return_code": record.return_code,
        "who": record.who,
        "roles": list(record.roles),
        "origin": record.origin.value,
        "duration_ms": record.duration_ms,
        "reason": record.reason,
        "dry_run": record.dry_run is not None,
        "relation": record.relation,
        "related_id": record.related_id,
        "known": known,
        "intact": entry.sound,
    }


def legacy_json(record: LegacyRecord) -> Json:
    """An entry of the older engine, which knew neither numbers nor runs."""
    return {
        "n": None,
        "at": record.entry.at,
        "run_id": None,
        "return_code": record.entry.return_code,
        "stdout": record.stdout,
        "stderr": record.stderr,
        "error": record.error,
    }

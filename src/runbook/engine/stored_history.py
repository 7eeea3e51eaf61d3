"""The histories of runbooks when entries are recorded in the database only (HISTORY=store).

A run's number in the database is the number of its entry: unlike in a file, numbers have gaps.
"""

from __future__ import annotations

from runbook.core.document import texts_of
from runbook.core.run import Run
from runbook.core.status import ACTIVE, RunStatus
from runbook.engine.parts import Parts
from runbook.engine.record.history_entry import RecordedOutput, entry_of
from runbook.library.history_pages import HistoryPage, PagedEntry
from runbook.store.models import RunFilter
from runbook.store.run.listing import cursor_at

_RECORDED = frozenset(RunStatus) - ACTIVE - {RunStatus.INVALID}
"""As in a file."""


def stored_page(parts: Parts, ref: str, *, before: int | None, limit: int) -> HistoryPage:
    """The runs with numbers below `before`, newest first, at most `limit`."""
    if before is not None and before <= 0:
        return HistoryPage()
    wanted = RunFilter(refs=frozenset({ref}), statuses=_RECORDED)
    cursor = None if before is None else cursor_at(before)
    page = parts.store.runs.page(wanted, cursor, limit)
    entries = tuple(_paged(run, RecordedOutput()) for run in page.runs)
    return HistoryPage(entries, next_before=entries[-1].n if page.next_cursor else None)


def stored_entry(parts: Parts, ref: str, n: int) -> PagedEntry | None:
    """One entry with its output; None if there is no such run of the runbook."""
    wanted = RunFilter(refs=frozenset({ref}), statuses=_RECORDED)
    for run in parts.store.runs.page(wanted, cursor_at(n + 1), 1).runs:
        if run.seq == n:
            output = parts.records.stored_output(run)
            error = "\n".join(texts_of(run.result.errors))
            return _paged(run, RecordedOutput(output.stdout, output.stderr, error))
    return None


def _paged(run: Run, output: RecordedOutput) -> PagedEntry:
    return PagedEntry(run.seq, entry_of(run, output), sound=not run.damage)

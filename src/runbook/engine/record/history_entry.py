"""The record of an ended run: its history entry and its log line."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable

from runbook import log
from runbook.core import return_codes
from runbook.core.document import Problem, texts_of, warning
from runbook.core.events import EventType
from runbook.core.history.chain import EntryRecord
from runbook.core.history.entry import fitted, render, sha256
from runbook.core.outcome import Outcome, PlanLabel
from runbook.core.output.pipeline import HeadTail
from runbook.core.run import Run
from runbook.core.status import RunStatus
from runbook.core.times import iso
from runbook.engine.options import EngineOptions
from runbook.errors import (
    DamagedRecordError,
    HistoryError,
    HistoryReadOnlyError,
    NotFoundError,
    StoreBusyError,
    StoreUnavailableError,
)
from runbook.library.catalog import Catalog
from runbook.library.history import Appended, HistoryWriter
from runbook.quick_dataclass import dataclass
from runbook.script.narration import NO_DRY_RUN
from runbook.store.models import HistoryHead
from runbook.store.store import Store

REFUSALS_PER_MINUTE = 10
REMEMBERED_RUNBOOKS = 4096


@dataclass(frozen=True, slots=True)
class RecordedOutput:
    """The recorded output: masked, and shortened to head and tail if it is long.

    `error` adds what the output doesn't say: why a run was refused, or which step failed.
    """

    stdout: str = ""
    stderr: str = ""
    error: str = ""


class RateBound:
    """A limit per minute and key, so that refusals can't grow a file without bound."""

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_minute = per_minute
        self._clock = clock
        self._lock = threading.Lock()
        self._times: OrderedDict[str, deque[float]] = OrderedDict()

    def admits(self, key: str) -> bool:
        now = self._clock()
        with self._lock:
            times = self._times.setdefault(key, deque(maxlen=self._per_minute))
            self._times.move_to_end(key)
            if len(self._times) > REMEMBERED_RUNBOOKS:
                self._times.popitem(last=False)
            if len(times) == self._per_minute and now - times[0] < 60:
                return False
            times.append(now)
            return True


class Records:
    """Writes history entries and log records. One per engine."""

    def __init__(self, options: EngineOptions, store: Store, catalog: Catalog) -> None:
        self._options = options
        self._store = store
        self._catalog = catalog
        self._writer = HistoryWriter(options.history_max_entries, options.history_entry_bytes)
        self._refusals = RateBound(REFUSALS_PER_MINUTE)

    def write_history(
        self,
        run: Run,
        output: RecordedOutput,
        *,
        once: bool = False,
        known: HistoryHead | None = None,
    ) -> tuple[HistoryHead | None, Problem | None]:
        """Append the run's entry. Returns the new head of the chain, or a warning.

        With `once`, no second entry is written for a run; this reads the whole history. `known` is
        an entry that the history had; without it, the database is asked. Runs for the choices of a
        form get no entry: the database has them.
        """
        if not self._options.history_in_file or run.request.purpose is not None:
            return None, None
        if run.status is RunStatus.REFUSED and not self._refusals.admits(run.ref):
            log.warning("history.refusals_limited", runbook=run.ref, run_id=run.id)
            return None, None
        known = known or self._known_head(run.ref)
        try:
            appended = self._append(run, output, once=once)
        except HistoryReadOnlyError as failure:
            text = "History was not written: the runbook is read-only. The store has it."
            return None, warning(failure.code, text)
        except (HistoryError, NotFoundError) as failure:
            log.warning("history.failed", runbook=run.ref, run_id=run.id, error=failure.message)
            text = f"History was not written: {failure.message} The store has it."
            return None, warning(HistoryError.code, text, reason=failure.message)
        _tell_missing(run, known, appended)
        head = HistoryHead(appended.n, appended.digest)
        return head, warning("history_not_rotated", appended.warning) if appended.warning else None

    def _known_head(self, ref: str) -> HistoryHead | None:
        """The entry is written even if the database can't be read."""
        try:
            return self._store.runbooks.history_head(ref)
        except (StoreBusyError, StoreUnavailableError, DamagedRecordError):
            return None

    def _append(self, run: Run, output: RecordedOutput, *, once: bool) -> Appended:
        """Raises HistoryError and NotFoundError."""
        if self._catalog.is_read_only(run.ref):
            raise HistoryReadOnlyError
        path = self._catalog.path(run.ref)
        return self._writer.append(path, entry_of(run, output), once=once)

    def printable_entry(self, run: Run) -> bytes:
        """The entry of an ended run as the first of a history, with the stored output."""
        record = fitted(entry_of(run, self.stored_output(run)), self._options.history_entry_bytes)
        return render(record, n=1, previous=sha256(b""))

    def recorded_end(self, run: Run) -> Outcome | None:
        """How the run ended, if its entry reached the history before its worker died."""
        try:
            recorded = self._writer.find_run(self._catalog.path(run.ref), run.id)
        except (HistoryError, NotFoundError):
            return None
        return None if recorded is None else Outcome(recorded.status, recorded.return_code)

    def log_run(self, run: Run, output: RecordedOutput) -> None:
        """One JSON line in the old schema, plus runbook, run_id and status."""
        who = run.requester
        log.record(
            {
                "start_timestamp": iso(run.times.started_at or run.times.created_at),
                "finish_timestamp": iso(run.times.finished_at or run.times.created_at),
                "return_code": run.result.return_code,
                "operation": "execute",
                "breadcrumb": {
                    "at_time": iso(run.times.created_at),
                    "by_user": who.subject,
                    "from_ip": who.address,
                    "correlation_id": run.correlation_id,
                    "recursion_stack": list(run.tree.chain),
                    "roles": list(who.roles),
                },
                "config_items": self._options.config_items,
                "stdout": output.stdout,
                "stderr": output.stderr,
                "errors": texts_of(run.result.errors),
                "warnings": texts_of(run.result.warnings),
                "runbook": run.ref,
                "run_id": run.id,
                "status": run.status.value,
            }
        )

    def stored_output(self, run: Run) -> RecordedOutput:
        """The output to record for a run whose process is gone."""
        excerpts = {
            stream: HeadTail(self._options.history_entry_bytes)
            for stream in (EventType.STDOUT, EventType.STDERR)
        }
        after = 0
        while events := self._store.events.after(run.id, n=after):
            for event in events:
                if event.type.is_output:
                    excerpts[event.type].feed(event.text or "")
            after = events[-1].n
        return RecordedOutput(excerpts[EventType.STDOUT].text(), excerpts[EventType.STDERR].text())


def _tell_missing(run: Run, known: HistoryHead | None, appended: Appended) -> None:
    """Log it if the file lacks an entry that the database knew before: someone saved an old copy.

    Entries are in the file before the database hears of them, so that it never knows more.
    """
    after = appended.after
    if known is None or after is None:
        return
    if after.n < known.n or (after.n == known.n and after.digest != known.digest):
        log.warning(
            "history.entries_missing",
            runbook=run.ref,
            run_id=run.id,
            known=known.n,
            found=after.n,
        )


def entry_of(run: Run, output: RecordedOutput) -> EntryRecord:
    who = run.requester
    return EntryRecord(
        run_id=run.id,
        status=run.status,
        return_code=return_codes.REFUSED
        if run.status is RunStatus.REFUSED
        else (
            run.result.return_code if run.result.return_code is not None else return_codes.UNKNOWN
        ),
        at=run.times.finished_at or run.times.created_at,
        who=who.subject,
        origin=who.origin,
        roles=who.roles,
        duration_ms=run.times.duration_ms or 0,
        reason=run.request.reason,
        document=run.runbook.digest,
        stdout=output.stdout,
        stderr=output.stderr,
        error=output.error,
        dry_run=(run.result.label or PlanLabel.UNKNOWN) if run.request.dry_run else None,
        not_executed=any(problem.code == NO_DRY_RUN for problem in run.result.warnings),
        relation=run.relation,
        related_id=run.related_id,
    )

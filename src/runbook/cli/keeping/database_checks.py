"""The checks of the database. None of them changes anything."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing

from runbook.cli.keeping.findings import Finding, fail, ok, warn
from runbook.core.run import Run
from runbook.core.times import iso
from runbook.errors import RunbookError, StoreDamagedError, StoreNewerError
from runbook.settings import Settings
from runbook.store.leases import Lease
from runbook.store.notices import Notices
from runbook.store.store import Store

NOTICE_SECONDS = 2.0
RECORDS_SECONDS = 5.0
PAGE = 200
SHOWN = 5


def check_database(settings: Settings) -> Iterator[Finding]:
    try:
        with closing(Store(settings.database, read_only=True)) as store:
            yield from _state_of(store, is_default=not settings.database_url.get_secret_value())
    except StoreNewerError as error:
        advice = "this program changes nothing in it; `runbook version` shows its own versions"
        yield fail("database", error.message, advice)
    except StoreDamagedError as error:
        yield fail("database", error.message, "see `runbook restore --help`")
    except RunbookError as error:
        yield fail("database", error.message, "check DATABASE_URL and DATA_DIR")


def _state_of(store: Store, *, is_default: bool) -> list[Finding]:
    shown = store.maintenance.shown
    pending = store.maintenance.pending()
    if pending.before is None:
        if not is_default:  # DATA_DIR is created at the first start, other folders are not
            store.maintenance.check_place()
        return [ok("database", f"{shown}: empty; its tables are created at the first start")]
    if pending.changed:
        text = f"{shown} has version {pending.before}; a migration to {pending.after} is pending"
        return [warn("database", text, "run `runbook db migrate`, or start the server")]
    store.check()
    workers, active = len(store.workers.all()), len(store.runs.active())
    text = f"{shown}; workers: {workers}, active runs: {active}"
    tasks = [_periodic_task(lease) for lease in store.leases.all()]
    return [ok("database", text), *_records(store), *tasks, *_notices(store.notices)]


def _records(store: Store) -> Iterator[Finding]:
    """Runs whose records are damaged: the latest ones, as many as can be read in a few seconds."""
    name = "database: records"
    until = time.monotonic() + RECORDS_SECONDS
    read, damaged, cursor = 0, list[Run](), None
    while True:
        page = store.runs.page(cursor=cursor, limit=PAGE)
        read += len(page.runs)
        damaged += [run for run in page.runs if run.damage]
        cursor = page.next_cursor
        if cursor is None or time.monotonic() > until:
            break
    if damaged:
        named = ", ".join(f"{run.id} ({', '.join(run.damage)})" for run in damaged[:SHOWN])
        text = f"damaged records of {len(damaged)} among the latest {read} runs: {named}"
        yield warn(name, text, "find out what else writes to the database; see `runbook restore`")
    if put_aside := store.quarantine.count():
        named = ", ".join(one.run_id for one in store.quarantine.all(SHOWN))
        text = f"runs ended as lost because their records were damaged: {put_aside} ({named})"
        yield warn(name, text, "`runbook show RUN` has the reason")
    if not damaged and not put_aside:
        yield ok(name, f"the latest {read} runs are readable")


def _notices(notices: Notices) -> Iterator[Finding]:
    """Whether processes on other hosts are notified of changes before they poll."""
    if not notices.pass_through:
        return
    if notices.arrive(NOTICE_SECONDS):
        yield ok("database: notifications", "delivered")
    else:
        advice = (
            "point DATABASE_URL at PostgreSQL itself or at a pool in session mode; otherwise "
            "processes on other hosts notice changes up to about a second late"
        )
        yield warn("database: notifications", "NOTIFY is not delivered", advice)


def _periodic_task(lease: Lease) -> Finding:
    name = f"task: {lease.task}"
    done = f"last completed {iso(lease.last_success)}" if lease.last_success else "never completed"
    if lease.failed:
        text = f"failed at {iso(lease.last_run)}; {done}"
        return warn(name, text, "look for task.failed events in the worker's log")
    return ok(name, done)

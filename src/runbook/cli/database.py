"""`runbook db`: copies, size and version of the database."""

from __future__ import annotations

import dataclasses
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from runbook.cli.commands import ExampleCommand
from runbook.cli.source.choose import json_option
from runbook.cli.terminal.messages import note, print_json, print_line
from runbook.cli.terminal.times import SinceType
from runbook.core.permissions import Permission

if TYPE_CHECKING:
    from runbook.settings import Settings
    from runbook.store.store import Store

DAY_MS = 86_400_000


@click.group("db", short_help="Keep the database: backup, purge, migrate.")
def database() -> None:
    r"""Keep the database of DATA_DIR or DATABASE_URL. A server may run meanwhile.

    \b
    Examples:
      $ runbook db backup /backups/runbook.db
      $ runbook db purge --days 30
      $ runbook db migrate
    """


@contextmanager
def _store() -> Iterator[tuple[Store, Settings]]:
    from runbook.bootstrap import build_store, prepare_data_dir
    from runbook.cli.source.opening import load_settings
    from runbook.settings import process_environment

    settings = load_settings(process_environment())
    prepare_data_dir(settings)
    store = build_store(settings)
    try:
        store.maintenance.migrate()
        yield store, settings
    finally:
        store.close()


@database.command(
    "backup",
    cls=ExampleCommand,
    permission=Permission.DATA_BACKUP,
    examples=("runbook db backup /backups/runbook.db",),
    short_help="Copy the database to a new file.",
)
@click.argument("file", type=click.Path(path_type=Path))
def backup(file: Path) -> None:
    """Copy the database, as it is at one moment, to a new file that only you can read."""
    with _store() as (store, _):
        store.maintenance.backup(file)
    note(f"copied to {file}")


@database.command(
    "purge",
    cls=ExampleCommand,
    permission=Permission.DATA_PURGE,
    examples=(
        "runbook db purge",
        "runbook db purge --days 30",
        "runbook db purge --before 2026-01-01 --yes",
    ),
    short_help="Forget old runs.",
)
@click.option(
    "--before", type=SinceType(), metavar="TIME|SPAN", help="Ended before that, or so long ago."
)
@click.option("--days", type=click.IntRange(min=0), help="Ended more than so many days ago.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
def purge(before: int | None, days: int | None, yes: bool, as_json: bool) -> None:
    """Forget the runs that ended longer than RETENTION_DAYS ago, or before another time.

    The files that they left are removed. History entries in the runbooks stay.
    """
    from runbook.bootstrap import build_artifacts, local_operator
    from runbook.core.audit import actor_of

    if before is not None and days is not None:
        raise click.UsageError("give --before or --days, not both")
    with _store() as (store, settings):
        if before is None:
            kept = settings.retention_days if days is None else days
            before = time.time_ns() // 1_000_000 - kept * DAY_MS
        _confirm(before, yes=yes)
        by = actor_of(local_operator(settings))
        counts = dataclasses.asdict(store.maintenance.purge(before, by))
        build_artifacts(settings).purge(store.runs.known)
    if as_json:
        print_json(counts)
    else:
        print_line(f"forgot {counts['runs']} runs with {counts['events']} events")


def _confirm(before: int, *, yes: bool) -> None:
    if yes:
        return
    from runbook.core.times import iso

    if not sys.stdin.isatty():
        raise click.UsageError("purge forgets runs for good: say --yes where nobody can be asked")
    click.confirm(f"Forget all runs that ended before {iso(before)}?", abort=True, err=True)


@database.command(
    "migrate",
    cls=ExampleCommand,
    permission=Permission.DATA_MIGRATE,
    examples=("runbook db migrate",),
    short_help="Bring the database to this version.",
)
def migrate() -> None:
    """Bring the database to this version of the program; every start does so too."""
    with _store() as (store, _):
        store.check()
    note("the database is of this version")

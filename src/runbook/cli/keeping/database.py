"""`runbook db`: backs up, purges and migrates the database."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from runbook.cli.commands import ExampleCommand
from runbook.cli.keeping.copying import copy
from runbook.cli.source.choose import json_option
from runbook.cli.terminal.messages import note, print_json, print_line
from runbook.cli.terminal.render import counted
from runbook.cli.terminal.times import SinceType
from runbook.core.permissions import Permission

if TYPE_CHECKING:
    from runbook.settings import Settings
    from runbook.store.migrate import Migration
    from runbook.store.store import Store

DAY_MS = 86_400_000
PENDING = 1


HELP = """Back up, purge, migrate or copy the database of DATA_DIR or DATABASE_URL.

You can back up and purge while a server is running.

\b
Examples:
  $ runbook db backup /backups/runbook.db
  $ runbook db purge --days 30
  $ runbook db migrate
  $ runbook db copy sqlite:////data/runbook.db postgresql+psycopg://runbook@db/runbook
"""


@click.group("db", help=HELP, short_help="Back up, purge, migrate or copy the database.")
def database() -> None:
    pass


@contextmanager
def _store() -> Iterator[tuple[Store, Settings]]:
    from runbook.bootstrap import build_store
    from runbook.cli.source.opening import load_settings
    from runbook.settings import process_environment
    from runbook.settings_checks import prepare_data_dir

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
    short_help="Back up the database to a new file.",
)
@click.argument("file", type=click.Path(path_type=Path))
def backup(file: Path) -> None:
    """Back up a consistent snapshot of the database to a new file that only you can read.

    The file is a SQLite database, even if DATABASE_URL names PostgreSQL. To restore it there, copy
    it to an empty database with `runbook db copy`.
    """
    with _store() as (store, _):
        store.maintenance.backup(file)
    note(f"backed up to {file}")


database.add_command(copy)


@database.command(
    "purge",
    cls=ExampleCommand,
    permission=Permission.DATA_PURGE,
    examples=(
        "runbook db purge",
        "runbook db purge --days 30",
        "runbook db purge --before 2026-01-01 --yes",
    ),
    short_help="Delete old runs.",
)
@click.option(
    "--before",
    type=SinceType(),
    metavar="TIME|SPAN",
    help="Delete runs that finished before this time, or longer ago than this.",
)
@click.option(
    "--days",
    type=click.IntRange(min=0),
    help="Delete runs that finished more than this many days ago.",
)
@click.option("--yes", is_flag=True, help="Don't ask for confirmation.")
@json_option
def purge(before: int | None, days: int | None, yes: bool, as_json: bool) -> None:
    """Delete runs that finished more than RETENTION_DAYS ago, or before a custom cutoff.

    Their artifacts are deleted too. History entries in the runbooks stay.
    """
    from runbook.bootstrap import build_artifacts, local_operator
    from runbook.core.audit import actor_of
    from runbook.store.store import now_ms

    if before is not None and days is not None:
        raise click.UsageError("use --before or --days, not both")
    with _store() as (store, settings):
        if before is None:
            kept = settings.retention_days if days is None else days
            before = now_ms() - kept * DAY_MS
        _confirm(before, yes=yes)
        by = actor_of(local_operator(settings))
        counts = dataclasses.asdict(store.maintenance.purge(before, by))
        build_artifacts(settings).purge(store.runs.known, before)
    if as_json:
        print_json(counts)
    else:
        runs, events = counted(counts["runs"], "run"), counted(counts["events"], "event")
        print_line(f"deleted {runs} with {events}")


def _confirm(before: int, *, yes: bool) -> None:
    if yes:
        return
    from runbook.core.times import iso

    if not sys.stdin.isatty():
        raise click.UsageError(
            "purge permanently deletes runs. Use --yes to confirm without a terminal"
        )
    click.confirm(f"Delete all runs that finished before {iso(before)}?", abort=True, err=True)


@database.command(
    "migrate",
    cls=ExampleCommand,
    permission=Permission.DATA_MIGRATE,
    examples=("runbook db migrate", "runbook db migrate --check || echo pending"),
    short_help="Migrate the database to this version.",
)
@click.option(
    "--check", is_flag=True, help="Change nothing; exit with 1 if a migration is pending."
)
def migrate(check: bool) -> int:
    """Migrate the database to this version of the program. `runbook serve` does this too.

    Processes that migrate at the same time wait for each other.
    """
    from runbook.bootstrap import build_store
    from runbook.cli.source.opening import load_settings
    from runbook.settings import process_environment
    from runbook.settings_checks import prepare_data_dir
    from runbook.store.store import Store

    settings = load_settings(process_environment())
    if check:
        with closing(Store(settings.database, read_only=True)) as store:
            return _say_pending(store.maintenance.shown, store.maintenance.pending())
    prepare_data_dir(settings)
    with closing(build_store(settings)) as store:
        _say_migrated(store.maintenance.shown, store.maintenance.migrate())
    return 0


def _say_pending(shown: str, migration: Migration) -> int:
    if not migration.changed:
        _say_migrated(shown, migration)
        return 0
    now = "empty" if migration.before is None else f"at version {migration.before}"
    print_line(f"{shown}: {now}; migration to version {migration.after} is pending")
    return PENDING


def _say_migrated(shown: str, migration: Migration) -> None:
    if not migration.changed:
        done = f"already at version {migration.after}"
    elif migration.before is None:
        done = f"tables created, now at version {migration.after}"
    else:
        done = f"migrated from version {migration.before} to {migration.after}"
    print_line(f"{shown}: {done}")

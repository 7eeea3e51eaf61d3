"""`runbook db copy`: an installation moves to another database."""

from __future__ import annotations

import dataclasses
from collections import Counter
from contextlib import closing
from typing import TYPE_CHECKING

import click

from runbook.cli.commands import ExampleCommand
from runbook.cli.source.choose import json_option
from runbook.cli.terminal.messages import note, print_json, print_line, print_warning
from runbook.cli.terminal.render import table
from runbook.core.permissions import Permission
from runbook.errors import (
    ActiveRunsError,
    ConfigurationError,
    ConflictError,
    DamagedRecordError,
    StoreUnavailableError,
)

if TYPE_CHECKING:
    from pathlib import Path

    from runbook.store.copying import Copied
    from runbook.store.store import Store

DIGEST_SHOWN = 16
FORCE = (
    "stop `runbook serve` and all workers and let runs end, or give --force: then runs that are "
    "running are recorded as lost in the copy, and queued ones are executed by both installations "
    "if both are started"
)


@click.command(
    "copy",
    cls=ExampleCommand,
    permission=Permission.DATA_MIGRATE,
    examples=(
        "runbook db copy sqlite:////data/runbook.db postgresql+psycopg://runbook@db/runbook",
        "runbook db copy postgresql+psycopg://runbook@db/runbook sqlite:////data/runbook.db",
    ),
    short_help="Copy an installation to another database.",
)
@click.argument("from_url", metavar="FROM_URL")
@click.argument("to_url", metavar="TO_URL")
@click.option("--force", is_flag=True, help="Copy even if workers are alive or runs are active.")
@json_option
def copy(from_url: str, to_url: str, force: bool, as_json: bool) -> int:
    """Copy everything in one database to another, empty one: SQLite or PostgreSQL.

    Both URLs look like DATABASE_URL, whose own value doesn't matter. Stop the server and its
    workers first. The copy is made in one transaction, then compared with the original, table by
    table. If it fails or is interrupted, TO_URL stays empty and you can run the command again.

    Damaged rows are copied as far as they can be read, and are listed. The exit code is then 74,
    but the copy is complete otherwise.

    DATA_DIR is not copied. A server with another DATA_DIR needs its folders keys and artifacts.

    Leave passwords out of the URLs, where other users of the machine can see them: PostgreSQL's
    PGPASSWORD and ~/.pgpass work.
    """
    from runbook.cli.source.opening import load_settings
    from runbook.settings import process_environment

    data_dir = load_settings(process_environment()).data_dir
    with (
        closing(_store("FROM_URL", from_url, read_only=True)) as source,
        closing(_store("TO_URL", to_url)) as target,
    ):
        _check(source, target, force=force)
        copied = _copied(source, target, force=force)
        if as_json:
            print_json(_json(copied, source, target, data_dir))
        else:
            _say(copied, source, target, data_dir)
    return DamagedRecordError.exit_code if copied.damaged else 0


def _store(name: str, url: str, *, read_only: bool = False) -> Store:
    from runbook.store.store import Store

    try:
        return Store(url, read_only=read_only)
    except ConfigurationError as error:
        message = error.message.replace("DATABASE_URL", name)
        raise ConfigurationError(message, hint="see `runbook db copy --help`") from None


def _check(source: Store, target: Store, *, force: bool) -> None:
    if source.maintenance.shown == target.maintenance.shown:
        raise click.UsageError("FROM_URL and TO_URL are the same database")
    pending = source.maintenance.pending()
    if pending.before is None:
        raise StoreUnavailableError(
            f"{source.maintenance.shown} has no data to copy", hint="correct FROM_URL"
        )
    if pending.changed:
        raise StoreUnavailableError(
            f"{source.maintenance.shown} is at version {pending.before}, but only "
            f"version {pending.after} can be copied",
            hint="set DATABASE_URL to it and run `runbook db migrate`",
        )
    alive = 0 if force else workers_alive(source)
    if alive:
        raise ConflictError(f"{source.maintenance.shown} is in use; workers: {alive}", hint=FORCE)


def workers_alive(store: Store) -> int:
    from runbook.engine.record.reaper import is_dead
    from runbook.store.store import now_ms

    return sum(not is_dead(worker, now_ms()) for worker in store.workers.all())


def _copied(source: Store, target: Store, *, force: bool) -> Copied:
    try:
        return source.maintenance.copy_to(target.maintenance, with_active=force)
    except ActiveRunsError as error:
        raise ActiveRunsError(error.message, hint=FORCE) from None


def _json(copied: Copied, source: Store, target: Store, data_dir: Path) -> dict[str, object]:
    return {
        "success": not copied.damaged,
        "from": source.maintenance.shown,
        "to": target.maintenance.shown,
        "tables": [dataclasses.asdict(item) for item in copied.tables],
        "damaged": [dataclasses.asdict(item) for item in copied.damaged],
        "active_runs": copied.active,
        "not_copied": [str(path) for path in _beside(data_dir)],
    }


def _beside(data_dir: Path) -> tuple[Path, Path]:
    return data_dir / "keys", data_dir / "artifacts"


def _say(copied: Copied, source: Store, target: Store, data_dir: Path) -> None:
    rows = ([item.name, str(item.rows), item.digest[:DIGEST_SHOWN]] for item in copied.tables)
    for line in table(("TABLE", "ROWS", "DIGEST"), rows):
        print_line(line)
    same = "all but the damaged rows is the same" if copied.damaged else "both are the same"
    note(f"copied {source.maintenance.shown} to {target.maintenance.shown}: {same}")
    _say_damage(copied)
    for item in copied.tables:
        if item.replaced:
            print_warning(f"{item.name}: texts whose NUL became ?: {item.replaced}")
    if copied.active:
        count = sum(copied.active.values())
        print_warning(f"active runs in the copy: {count}; don't start both installations")
    keys, artifacts = _beside(data_dir)
    note(f"not copied: {keys} and {artifacts}; a server with another DATA_DIR needs them, too")


def _say_damage(copied: Copied) -> None:
    for item in copied.damaged:
        columns = f" ({', '.join(item.columns)})" if item.columns else ""
        print_warning(f"{item.table} {' '.join(item.key)}{columns}: damaged, {item.fate}")
    named = Counter(item.table for item in copied.damaged)
    for copied_table in copied.tables:
        if more := copied_table.damaged - named[copied_table.name]:
            print_warning(f"{copied_table.name}: damaged rows that are not listed: {more}")

"""`runbook backup` and `runbook restore`: a whole installation in one file."""

from __future__ import annotations

import shutil
import time
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import click

from runbook import __version__
from runbook.cli.commands import ExampleCommand
from runbook.cli.keeping.copying import workers_alive
from runbook.cli.source.choose import json_option
from runbook.cli.terminal.messages import note, print_json, print_line, print_warning
from runbook.cli.terminal.render import counted
from runbook.core.permissions import Permission
from runbook.errors import ConflictError, StoreNewerError, StoreUnavailableError

if TYPE_CHECKING:
    from runbook.engine.backup import Manifest, Revived
    from runbook.settings import Settings
    from runbook.store.store import Store

_NOTHING_ELSE = frozenset({"wake"})
"""What a DATA_DIR may have and still count as empty."""


@click.command(
    "backup",
    cls=ExampleCommand,
    permission=Permission.DATA_BACKUP,
    examples=(
        "runbook backup /backups",
        "runbook backup /backups/monday.tar.gz --with-runbooks",
    ),
    short_help="Back up the whole installation to one file.",
)
@click.argument("target", metavar="FILE_OR_DIR", type=click.Path(path_type=Path))
@click.option("--with-runbooks", is_flag=True, help="Include RUNBOOKS_DIR with its histories.")
@json_option
def backup(target: Path, with_runbooks: bool, as_json: bool) -> None:
    """Back up the database, the keys and the artifacts to a new file that only you can read.

    The server may be running. In a folder, the file gets a name with the time. The database is
    stored as a SQLite file, even if DATABASE_URL names PostgreSQL. `runbook restore` restores it.

    The inputs of runs that haven't ended are left out: a restore executes none of those runs.
    """
    from runbook.bootstrap import build_store
    from runbook.cli.source.opening import load_settings
    from runbook.engine.backup import Folders, back_up
    from runbook.settings import process_environment
    from runbook.store.store import now_ms

    settings = load_settings(process_environment())
    at = now_ms()
    path = target / _name(at) if target.is_dir() else target
    folders = Folders(settings.data_dir, settings.runbooks_dir if with_runbooks else None)
    with closing(build_store(settings)) as store:
        store.check()
        manifest = back_up(store, folders, path, __version__, at)
    for name in manifest.missing:
        print_warning(f"not here, so not backed up: {name}")
    if as_json:
        print_json({"success": True, "file": str(path), **_facts(manifest)})
    else:
        print_line(str(path))
        files = counted(len(manifest.files), "file")
        note(f"backed up this installation, {files}; restore with `runbook restore {path}`")


@click.command(
    "restore",
    cls=ExampleCommand,
    permission=Permission.DATA_MIGRATE,
    examples=(
        "runbook restore /backups/monday.tar.gz",
        "runbook restore /backups/monday.tar.gz --runbooks-to /srv/runbooks",
    ),
    short_help="Restore an installation from a backup.",
)
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--replace",
    is_flag=True,
    help="Restore even if DATA_DIR has data: that data moves to a folder inside it.",
)
@click.option(
    "--runbooks-to",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="Also restore the runbooks, to a new or empty folder.",
)
@json_option
def restore(file: Path, replace: bool, runbooks_to: Path | None, as_json: bool) -> None:
    """Restore a backup to DATA_DIR and DATABASE_URL, after verifying each file in it.

    Stop the server first; the command refuses to restore over a running one. Nothing is changed
    unless the backup is whole. A PostgreSQL database must be empty.

    Runs that hadn't ended when the backup was made are recorded as lost and not executed.
    """
    from runbook.cli.source.opening import load_settings
    from runbook.engine.backup import RUNBOOKS, revive, unpack
    from runbook.settings import process_environment
    from runbook.settings_checks import prepare_data_dir
    from runbook.store.store import now_ms

    settings = load_settings(process_environment())
    prepare_data_dir(settings)
    _check_place(settings, runbooks_to, replace=replace)
    with TemporaryDirectory(prefix=".restore-", dir=settings.data_dir) as scratch:
        folder = Path(scratch)
        manifest = unpack(file, folder)
        if runbooks_to is not None and not (folder / RUNBOOKS).is_dir():
            raise click.UsageError("the backup has no runbooks: it was made without them")
        revived = revive(folder, now_ms())
        aside = _put_in_place(folder, settings)
        if runbooks_to is not None:
            _move_runbooks(folder / RUNBOOKS, runbooks_to)
    with closing(_opened(settings)) as store:
        store.check()
        shown = store.maintenance.shown
    if as_json:
        facts = {"runs": revived.runs, "ended": revived.ended, "audit_ok": revived.audit_ok}
        kept = None if aside is None else str(aside)
        print_json({"success": True, "database": shown, "aside": kept, **facts, **_facts(manifest)})
    else:
        _say(manifest, revived, shown, aside)


def _say(manifest: Manifest, revived: Revived, shown: str, aside: Path | None) -> None:
    runs, files = counted(revived.runs, "run"), counted(len(manifest.files), "file")
    note(
        f"restored {runs} and {files} of {manifest.made_at} to {shown}; all files are what was "
        "backed up"
    )
    if revived.ended:
        print_warning(f"runs that hadn't ended are recorded as lost: {revived.ended}")
    if not revived.audit_ok:
        print_warning("the audit trail in the backup doesn't verify: see `runbook verify --audit`")
    for name in manifest.missing:
        print_warning(f"not in the backup: {name}")
    if aside is not None:
        note(f"the data that was here is in {aside}")


def _facts(manifest: Manifest) -> dict[str, object]:
    return {
        "made_at": manifest.made_at,
        "program": manifest.program,
        "schema": manifest.schema,
        "files": len(manifest.files),
        "missing": manifest.missing,
    }


def _check_place(settings: Settings, runbooks_to: Path | None, *, replace: bool) -> None:
    """Raises ConflictError if something would be overwritten, or a server is running."""
    if runbooks_to is not None and runbooks_to.exists() and any(runbooks_to.iterdir()):
        raise ConflictError(f"{runbooks_to} is not empty")
    alive = _workers_alive(settings)
    if alive:
        raise ConflictError(
            f"The database is in use; workers: {alive}",
            hint="stop `runbook serve` and all workers first",
        )
    if not replace and (found := _data_in(settings)):
        raise ConflictError(
            f"DATA_DIR is not empty: {', '.join(found)}",
            hint="use another DATA_DIR, or --replace to move what is there aside",
        )


def _workers_alive(settings: Settings) -> int:
    try:
        with closing(_opened(settings, read_only=True)) as store:
            if store.maintenance.pending().before is None:
                return 0
            return workers_alive(store)
    except StoreNewerError:
        raise
    except StoreUnavailableError:
        return 0  # one that can't be opened is a reason to restore


def _data_in(settings: Settings) -> list[str]:
    names = {path.name for path in settings.data_dir.iterdir()} - _NOTHING_ELSE
    database = _database_file(settings)
    if database is not None and database.exists():
        names.add(database.name)
    return sorted(names)


def _database_file(settings: Settings) -> Path | None:
    """None if the database isn't a file."""
    from runbook.store.dialects import dialect_of
    from runbook.store.dialects.sqlite import SQLite

    dialect = dialect_of(settings.database)
    return dialect.path if isinstance(dialect, SQLite) else None


def _opened(settings: Settings, *, read_only: bool = False) -> Store:
    from runbook.store.store import Store

    return Store(settings.database, read_only=read_only)


def _put_in_place(folder: Path, settings: Settings) -> Path | None:
    """Move the restored data into place. Returns the folder with the data that was there."""
    from runbook.engine.backup import ARTIFACTS, DATABASE, KEYS
    from runbook.store.dialects.sqlite import url_for
    from runbook.store.store import Store, now_ms

    database = _database_file(settings)
    if database is None:
        with (
            closing(Store(url_for(folder / DATABASE), read_only=True)) as source,
            closing(_opened(settings)) as target,
        ):
            source.maintenance.copy_to(target.maintenance, with_active=True)
    aside = settings.data_dir / f"before-restore-{_stamp(now_ms())}"
    old = [settings.data_dir / KEYS, settings.data_dir / ARTIFACTS]
    if database is not None:
        old += [database.with_name(database.name + end) for end in ("", "-wal", "-shm")]
    for path in old:
        if path.exists():
            aside.mkdir(mode=0o700, exist_ok=True)
            shutil.move(path, aside / path.name)
    for name in (KEYS, ARTIFACTS):
        if (folder / name).exists():
            shutil.move(folder / name, settings.data_dir / name)
    if database is not None:
        shutil.move(folder / DATABASE, database)
    return aside if aside.exists() else None


def _move_runbooks(source: Path, target: Path) -> None:
    target.mkdir(parents=True, exist_ok=True)
    for path in source.iterdir():
        shutil.move(path, target / path.name)


def _stamp(at: int) -> str:
    return time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(at / 1000))


def _name(at: int) -> str:
    return f"runbook-{_stamp(at)}.tar.gz"

"""`runbook verify`: whether a runbook's history is whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from runbook.cli.commands import ExampleCommand
from runbook.cli.completion import complete_files_and_refs
from runbook.cli.source.choose import json_option
from runbook.cli.terminal.messages import note, print_json, print_line
from runbook.cli.terminal.render import text_of
from runbook.core.permissions import Permission

if TYPE_CHECKING:
    from runbook.cli.source.locate import Target

BROKEN = 1


@click.command(
    "verify",
    cls=ExampleCommand,
    permission=Permission.RUNBOOK_HISTORY,
    examples=(
        "runbook verify Deploy.md",
        "runbook verify Deploy.md --no-store",
        "runbook verify Deploy.md --json | jq .problems",
    ),
    short_help="Check that a runbook's history is whole.",
)
@click.argument("file", metavar="FILE", shell_complete=complete_files_and_refs)
@click.option(
    "--store/--no-store",
    "with_store",
    default=None,
    help="Also compare with the last entry that the database knows. Default: where the file lies "
    "below RUNBOOKS_DIR and there is a database.",
)
@json_option
def verify(file: str, with_store: bool | None, as_json: bool) -> int:
    """Check that no entry of a runbook's history was changed, removed, moved or put in.

    Each entry carries a digest of itself and of the one before it. Entries that were cut off at
    the end are noticed by the database only. The exit code is 1 where anything is wrong.
    """
    from runbook.cli.source.locate import locate
    from runbook.library.history import verify_file
    from runbook.settings import process_environment

    environment = process_environment()
    target = locate(file, environment)
    head = None if with_store is False else _known_head(target, required=with_store is True)
    found = verify_file(target.file, head)
    problems: list[dict[str, object]] = [
        {"code": problem.code.value, "entry": problem.entry, "message": problem.message}
        for problem in found.problems
    ]
    if as_json:
        print_json(
            {
                "success": found.ok,
                "runbook": file,
                "entries": found.entries,
                "compared_with_store": head is not None,
                "problems": problems,
            }
        )
    else:
        _say(file, found.entries, problems, compared=head is not None)
    return 0 if found.ok else BROKEN


def _say(file: str, entries: int, problems: list[dict[str, object]], *, compared: bool) -> None:
    for problem in problems:
        print_line(f"{text_of(file)}: entry {problem['entry']}: {text_of(problem['message'])}")
    if problems:
        return
    print_line(f"{text_of(file)}: {entries} entries, all as they were written")
    if not compared:
        note("the database was not asked, so entries cut off at the end would not be noticed")


def _known_head(target: Target, *, required: bool) -> tuple[int, str] | None:
    """What the database knows as the runbook's last entry: its number and its digest.

    A file that was found outside RUNBOOKS_DIR shares its ref with others of its name.
    """
    from runbook.errors import StoreUnavailableError
    from runbook.store.store import Store

    if not required and not target.is_configured:
        return None
    store = Store(target.settings.database, read_only=True)
    try:
        rows = {row.ref: row for row in store.runbooks.last_runs().rows}
    except StoreUnavailableError:
        if required:
            raise
        return None
    finally:
        store.close()
    head = rows[target.ref].history if target.ref in rows else None
    return None if head is None else (head.n, head.digest)

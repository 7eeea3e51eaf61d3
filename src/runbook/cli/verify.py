"""`runbook verify`: checks that histories and the audit trail are unchanged."""

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
    from runbook.cli.source.locate import LocatedRunbook
    from runbook.core.audit import AuditVerification

BROKEN = 1


@click.command(
    "verify",
    cls=ExampleCommand,
    permission=Permission.RUNBOOK_HISTORY,
    examples=(
        "runbook verify Deploy.md",
        "runbook verify Deploy.md --no-store",
        "runbook verify Deploy.md --json | jq .problems",
        "runbook verify --audit",
    ),
    short_help="Check a runbook's history, or the audit trail.",
)
@click.argument("file", metavar="FILE", required=False, shell_complete=complete_files_and_refs)
@click.option("--audit", is_flag=True, help="Check the audit trail of the database instead.")
@click.option(
    "--store/--no-store",
    "with_store",
    default=None,
    help="Also compare with the last entry in the database. Default: yes if the file is below "
    "RUNBOOKS_DIR and there is a database.",
)
@json_option
def verify(file: str | None, audit: bool, with_store: bool | None, as_json: bool) -> int:
    """Check that no entry of a runbook's history was changed, removed, moved or inserted.

    Each entry has a digest of itself and of the previous one. Only the database can show that the
    last entries were removed. With --audit, check the audit trail in the same way. The exit code is
    1 if anything is wrong.
    """
    if audit:
        if file is not None:
            raise click.UsageError("use FILE or --audit, not both")
        return _verify_audit(as_json=as_json)
    if file is None:
        raise click.UsageError("specify FILE or --audit")
    return _verify_history(file, with_store, as_json=as_json)


def _verify_audit(*, as_json: bool) -> int:
    from runbook.cli.source.opening import load_settings
    from runbook.settings import process_environment
    from runbook.store.store import Store

    store = Store(load_settings(process_environment()).database, read_only=True)
    try:
        found = store.audit.verify()
    finally:
        store.close()
    problems: list[dict[str, object]] = [
        {"n": problem.n, "code": problem.fault.value} for problem in found.problems
    ]
    if as_json:
        last = None if found.last is None else dict(zip(("n", "digest"), found.last, strict=True))
        shown = {"success": found.ok, "events": found.events, "last": last, "problems": problems}
        print_json(shown)
    else:
        _say_audit(found, problems)
    return 0 if found.ok else BROKEN


def _say_audit(found: AuditVerification, problems: list[dict[str, object]]) -> None:
    for problem in problems:
        print_line(f"audit event {problem['n']}: {problem['code']}")
    if not problems:
        print_line(f"{found.events} audit events, unchanged")
    if found.last is not None:
        print_line(f"last event: {found.last[0]} {found.last[1]}")
        note("to detect removed events at the end, store the last digest elsewhere")


def _verify_history(file: str, with_store: bool | None, *, as_json: bool) -> int:
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
    print_line(f"{text_of(file)}: {entries} entries, unchanged")
    if not compared:
        note("not compared with the database, so removed entries at the end can't be detected")


def _known_head(target: LocatedRunbook, *, required: bool) -> tuple[int, str] | None:
    """The number and digest of the runbook's last entry according to the database.

    Not for a file outside RUNBOOKS_DIR: other files may have the same ref.
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

"""`runbook verify`: checks that histories and the audit trail are unchanged, or adopts changes."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import click

from runbook.cli.commands import ExampleCommand
from runbook.cli.completion import complete_files_and_refs
from runbook.cli.source.choose import SourceOptions, json_option
from runbook.cli.terminal.messages import note, print_json, print_line
from runbook.cli.terminal.render import counted, text_of
from runbook.core.permissions import Permission

if TYPE_CHECKING:
    from runbook.cli.source.locate import LocatedRunbook
    from runbook.core.audit import AuditVerification
    from runbook.core.history.verification import Verification
    from runbook.library.history import Adopted

BROKEN = 1


@click.command(
    "verify",
    cls=ExampleCommand,
    permission=Permission.RUNBOOK_HISTORY,
    examples=(
        "runbook verify Deploy.md",
        "runbook verify Deploy.md --no-store",
        "runbook verify Deploy.md --json | jq .problems",
        "runbook verify Deploy.md --adopt --reason 'merged two branches'",
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
    help="Also compare with the last entry in the database. Default: yes if the file is in "
    "RUNBOOKS_DIR or an installed toolkit, and there is a database.",
)
@click.option(
    "--adopt",
    is_flag=True,
    help="Take everything that is wrong into the history, with an entry that says what it is. "
    "Needs the permission runbook.adopt.",
)
@click.option("--reason", metavar="TEXT", help="Why you adopt it; required with --adopt.")
@json_option
def verify(
    file: str | None,
    audit: bool,
    with_store: bool | None,
    adopt: bool,
    reason: str | None,
    as_json: bool,
) -> int:
    """Check that no entry of a runbook's history was changed, removed, moved or inserted.

    Each entry has a digest of itself and of the previous one. Only the database can show that the
    last entries were removed. With --audit, check the audit trail in the same way. The exit code is
    1 if anything is wrong.

    If you know the cause, for example that another system added to the file or an editor saved an
    old copy, --adopt appends an entry with the digest of each difference, who adopted it and why.
    From then on it is shown as adopted. Nothing is removed, and later changes are still detected.
    """
    if audit:
        if file is not None or adopt:
            raise click.UsageError("use --audit without FILE and --adopt")
        return _verify_audit(as_json=as_json)
    if file is None:
        raise click.UsageError("specify FILE or --audit")
    if adopt != bool(reason and reason.strip()):
        raise click.UsageError("use --adopt together with --reason TEXT")
    if adopt and with_store is False:
        raise click.UsageError(
            "--adopt is recorded in the database if there is one: omit --no-store"
        )
    if adopt and reason:
        return _adopt(file, with_store, reason.strip(), as_json=as_json)
    return _verify_history(file, with_store, as_json=as_json)


def _verify_audit(*, as_json: bool) -> int:
    from runbook.cli.source.opening import load_settings
    from runbook.settings import process_environment
    from runbook.store.store import Store

    with closing(Store(load_settings(process_environment()).database, read_only=True)) as store:
        store.check()  # a trail of another version may be chained in another way
        found = store.audit.verify()
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
        print_line(f"{counted(found.events, 'audit event')}, unchanged")
    if found.last is not None:
        print_line(f"last event: {found.last[0]} {found.last[1]}")
        note("to detect removed events at the end, store the last digest elsewhere")


def _verify_history(file: str, with_store: bool | None, *, as_json: bool) -> int:
    from runbook.cli.source.locate import locate
    from runbook.library.history import verify_file
    from runbook.settings import process_environment

    target = locate(file, process_environment())
    head = None if with_store is False else _known_head(target, required=with_store is True)
    found = verify_file(target.file.resolve(), head)
    _show(file, found, None, compared=head is not None, as_json=as_json)
    return 0 if found.ok else BROKEN


def _adopt(file: str, with_store: bool | None, reason: str, *, as_json: bool) -> int:
    from runbook.cli.source.locate import locate
    from runbook.settings import process_environment

    environment = process_environment()
    target = locate(file, environment)
    token = SourceOptions().token(environment)
    if _has_store(target, required=with_store is True):
        adopted, compared = _adopt_with_store(target, token, reason)
    else:
        adopted, compared = _adopt_in_file(target, token, reason), False
    _show(file, adopted.after, adopted, compared=compared, as_json=as_json)
    return 0 if adopted.after.ok else BROKEN


def _adopt_with_store(target: LocatedRunbook, token: str, reason: str) -> tuple[Adopted, bool]:
    """The adoption, and whether the database knew the last entry."""
    from runbook.cli.source.opening import open_engine, principal_for

    principal = principal_for(target.settings, token)
    engine = open_engine(target.settings)
    try:
        done = engine.adopt_history(target.ref, principal, reason)
    finally:
        engine.close()
    return done.adopted, done.compared is not None


def _adopt_in_file(target: LocatedRunbook, token: str, reason: str) -> Adopted:
    import time

    from runbook.cli.source.opening import local_catalog, principal_for
    from runbook.core.history.adoption import AdoptionRecord
    from runbook.engine.authorization import may_with_runbook
    from runbook.errors import AccessDeniedError
    from runbook.library.history import adopt

    principal = principal_for(target.settings, token)
    with local_catalog(target.settings) as catalog:
        entry = catalog.get(target.ref)
    decision = may_with_runbook(principal, Permission.RUNBOOK_ADOPT, entry)
    if not decision.allowed:
        raise AccessDeniedError(decision.text)
    who = principal.requester()
    at = time.time_ns() // 1_000_000
    record = AdoptionRecord(at, who.subject, who.origin, reason, who.roles)
    return adopt(target.file.resolve(), record)


def _show(
    file: str, found: Verification, adopted: Adopted | None, *, compared: bool, as_json: bool
) -> None:
    if as_json:
        shown = _history_json(file, found, compared=compared)
        print_json(shown if adopted is None else shown | {"adoption": _adoption_json(adopted)})
        return
    if adopted is not None and adopted.link is None:
        note("there is nothing to adopt")
    _say(file, found, compared=compared)


def _history_json(file: str, found: Verification, *, compared: bool) -> dict[str, object]:
    from runbook.core.times import iso

    return {
        "success": found.ok,
        "runbook": file,
        "entries": found.entries,
        "compared_with_store": compared,
        "problems": [
            {"code": problem.code.value, "entry": problem.entry, "message": problem.message}
            for problem in found.problems
        ],
        "adopted": [
            {
                "code": one.problem.code.value,
                "entry": one.problem.entry,
                "message": one.problem.message,
                "sha256": one.mark,
                "adopted_in": one.n,
                "at": iso(one.record.at),
                "by": one.record.who,
                "reason": one.record.reason,
            }
            for one in found.adopted
        ],
    }


def _adoption_json(adopted: Adopted) -> dict[str, object] | None:
    """The new entry; None if there was nothing to adopt."""
    if adopted.link is None:
        return None
    from runbook.resources.history import finding_json

    findings = list(map(finding_json, adopted.findings))
    return {"n": adopted.link.n, "digest": adopted.link.digest, "findings": findings}


def _say(file: str, found: Verification, *, compared: bool) -> None:
    for one in found.adopted:
        print_line(
            f"{text_of(file)}: entry {one.problem.entry}: {text_of(one.problem.message)} Adopted "
            f"in entry {one.n} by {text_of(one.record.who)}: {text_of(one.record.reason)}"
        )
    for problem in found.problems:
        print_line(f"{text_of(file)}: entry {problem.entry}: {text_of(problem.message)}")
    if found.problems:
        return
    apart = f" except for {len(found.adopted)} adopted" if found.adopted else ""
    entries = counted(found.entries, "entry", "entries")
    print_line(f"{text_of(file)}: {entries}, unchanged{apart}")
    if not compared:
        note("not compared with the database, so removed entries at the end can't be detected")


def _has_store(target: LocatedRunbook, *, required: bool) -> bool:
    """Raises StoreUnavailableError if there is a database that can't be used.

    An adoption would then be missing from its audit trail.
    """
    from runbook.errors import StoreUnavailableError
    from runbook.store.store import Store

    if not required and not target.is_configured:
        return False
    with closing(Store(target.settings.database, read_only=True)) as store:
        is_there = store.maintenance.pending().before is not None
    if required and not is_there:
        raise StoreUnavailableError("There is no database yet.")
    return is_there


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
        head = store.runbooks.history_head(target.ref)
    except StoreUnavailableError:
        if required:
            raise
        return None
    finally:
        store.close()
    return None if head is None else (head.n, head.digest)

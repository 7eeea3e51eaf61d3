"""`runbook who-can`: shows the required claims of a runbook, and whether a token has them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import click

from runbook.cli.commands import ExampleCommand
from runbook.cli.completion import complete_files_and_refs
from runbook.cli.source.choose import SourceOptions, json_option, source_options
from runbook.cli.terminal import exit_codes
from runbook.cli.terminal.messages import print_json, print_line
from runbook.cli.terminal.render import text_of
from runbook.core.permissions import Permission
from runbook.quick_dataclass import dataclass


@dataclass(frozen=True, slots=True)
class Access:
    """Who may execute a runbook. `known` is false if its Required Claims are invalid.

    `allowed` says whether the given token may, or is None without a token; `missing` has the claims
    that the token lacks.
    """

    claims: Mapping[str, tuple[str, ...]] | None
    known: bool = True
    allowed: bool | None = None
    missing: tuple[str, ...] = ()

    def as_json(self, what: str) -> dict[str, object]:
        claims = None if self.claims is None else {k: list(v) for k, v in self.claims.items()}
        return {
            "success": self.known,
            "runbook": what,
            "everyone": self.known and claims is None,
            "claims": claims,
            "allowed": self.allowed,
            "missing_claims": list(self.missing),
        }


@click.command(
    "who-can",
    cls=ExampleCommand,
    permission=Permission.RUNBOOK_READ,
    examples=(
        "runbook who-can Deploy.md",
        "runbook token --role sre | runbook who-can Deploy.md --token-stdin",
        "runbook who-can proxmox/CreateVm.md --url http://localhost:8083 --json",
    ),
    short_help="Show who may execute a runbook.",
)
@click.argument("what", metavar="FILE|REF", shell_complete=complete_files_and_refs)
@json_option
@source_options
def who_can(what: str, as_json: bool, **given: Any) -> int:
    """Show which claims a runbook requires, and whether your token has them.

    The exit code is 65 if the runbook's Required Claims section is invalid, so that no one may
    execute it, and 77 if your token lacks a claim.
    """
    options = SourceOptions(**given)
    access = _remote(what, options) if options.url else _local(what, options)
    if as_json:
        print_json(access.as_json(what))
    else:
        for line in access_lines(access):
            print_line(line)
    if not access.known:
        return exit_codes.INVALID
    return exit_codes.REFUSED if access.allowed is False else 0


def access_lines(access: Access) -> Iterator[str]:
    """The required claims, one per line."""
    if not access.known:
        yield "no one: the section Required Claims is invalid (see `runbook lint`)"
        return
    if access.claims is None:
        yield "everyone with a valid token"
    for index, (name, values) in enumerate((access.claims or {}).items()):
        wanted = f"one of {text_of(values)}" if len(values) > 1 else text_of(values)
        yield f"{'and ' if index else ''}{text_of(name)}: {wanted}"
    if access.allowed is not None:
        yield "your token: allowed" if access.allowed else f"your token: denied, {_lack(access)}"


def _lack(access: Access) -> str:
    return text_of(list(access.missing))


def _local(what: str, options: SourceOptions) -> Access:
    from runbook.cli.source.locate import locate
    from runbook.cli.source.opening import local_catalog, principal_for
    from runbook.engine.authorization import may_with_runbook
    from runbook.settings import process_environment

    environment = process_environment()
    target = locate(what, environment)
    with local_catalog(target.settings) as catalog:
        entry = catalog.get(target.ref)
    document = entry.document
    token = options.token(environment)
    if not token or not document.claims_known:
        return Access(document.claims, document.claims_known)
    principal = principal_for(target.settings, token)
    decision = may_with_runbook(principal, Permission.RUNBOOK_EXECUTE, entry)
    missing = tuple(str(one) for one in decision.missing)
    return Access(document.claims, True, decision.allowed, missing)


def _remote(what: str, options: SourceOptions) -> Access:
    """A server requires a token, so it always says whether that token may."""
    with options.open() as source:
        found = source.runbook(what)
    claims, allowed = found["claims"], not found["missing_claims"]
    return Access(
        claims=None if claims is None else {name: tuple(v) for name, v in claims.items()},
        known=claims is not None or allowed,  # without claims everyone may, unless they are invalid
        allowed=allowed,
        missing=tuple(found["missing_claims"]),
    )

"""`runbook token`."""

from __future__ import annotations

from collections.abc import Iterable

import click

from runbook.cli.commands import ExampleCommand
from runbook.cli.options.inputs import Assignment, AssignmentType
from runbook.cli.source.choose import json_option
from runbook.cli.terminal.messages import print_json, print_line
from runbook.cli.terminal.times import SpanType
from runbook.core.permissions import Permission


@click.command(
    "token",
    cls=ExampleCommand,
    permission=Permission.TOKEN_ISSUE,
    examples=(
        "runbook token --subject alice --role sre",
        "runbook token --role api --claim team=platform --ttl 30m",
        "export RUNBOOK_TOKEN=$(runbook token --role sre)",
    ),
    short_help="Issue a bearer token.",
)
@click.option("--subject", default="dev-user-1", show_default=True, help="Subject of the token.")
@click.option(
    "--role", "roles", multiple=True, metavar="ROLE", help="Role of the subject. Repeatable."
)
@click.option(
    "--claim",
    "claims",
    type=AssignmentType(),
    multiple=True,
    metavar="NAME=VALUE",
    help="Another claim. Repeat a name to make a list.",
)
@click.option("--ttl", type=SpanType(), metavar="SPAN", help="Lifetime, for example 30m or 8h.")
@json_option
def token(
    subject: str,
    roles: tuple[str, ...],
    claims: tuple[Assignment, ...],
    ttl: int | None,
    as_json: bool,
) -> None:
    """Issue a bearer token and print it.

    It is signed with JWT_SECRET, or with the key that dev-login stores in DATA_DIR. Anyone who has
    the token can act as SUBJECT until it expires.
    """
    all_claims = _claims(roles, claims)
    overrides = {} if ttl is None else {"jwt_ttl_minutes": _minutes(ttl)}
    from runbook.cli.source.opening import load_settings, minting_tokens
    from runbook.settings import process_environment

    settings = load_settings(process_environment(), **overrides)
    minted = minting_tokens(settings).mint(subject, all_claims)
    if as_json:
        print_json({"access_token": minted.token, "expires_at": minted.expires_at})
    else:
        print_line(minted.token)


def _minutes(seconds: int) -> int:
    if seconds % 60:
        raise click.UsageError("--ttl must be a whole number of minutes")
    return seconds // 60


def _claims(roles: Iterable[str], claims: Iterable[Assignment]) -> dict[str, object]:
    """Raises click.UsageError for a claim that every token has."""
    from runbook.access.minting import REGISTERED

    gathered: dict[str, list[str]] = {}
    for claim in claims:
        if claim.name in REGISTERED | {"sub"}:
            raise click.UsageError(f"--claim can't set {claim.name}, which is set automatically")
        gathered.setdefault(claim.name, []).append(claim.value)
    gathered.setdefault("roles", []).extend(roles)
    return {
        name: values if name == "roles" or len(values) > 1 else values[0]
        for name, values in gathered.items()
    }

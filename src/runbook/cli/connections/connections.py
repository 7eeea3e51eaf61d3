"""`runbook connections`: the systems that runbooks work with, and their credentials."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from runbook.cli.commands import ExampleCommand
from runbook.cli.connections.values import ValueOptions, read_connection_file, value_options
from runbook.cli.options.inputs import check_stdin_once
from runbook.cli.source.choose import json_option
from runbook.cli.terminal.messages import note, print_json, print_line
from runbook.cli.terminal.render import counted, fields, moment, table, text_of
from runbook.core.permissions import Permission

if TYPE_CHECKING:
    from runbook.core.access import Principal
    from runbook.core.connection import Connection
    from runbook.engine.connections.connections import Connections
    from runbook.resources.connection import ConnectionJson

CHECK_FAILED = 1

HELP = """Manage connections: addresses and credentials of the systems that runbooks work with.

An input with `type: connection` offers those that the caller may use. Secrets are stored encrypted
and never shown.

\b
Examples:
  $ runbook connections add lab-pve --kind proxmox --set host=pve.example.com \\
      --set token_id=root@pam!runbook --secret token_secret=-
  $ runbook connections check lab-pve
  $ runbook connections list
"""


@click.group("connections", help=HELP, short_help="Manage connections to other systems.")
def connections() -> None:
    pass


@contextmanager
def _opened() -> Iterator[tuple[Connections, Principal]]:
    from runbook.bootstrap import local_operator
    from runbook.cli.source.opening import load_settings, open_engine
    from runbook.settings import process_environment

    settings = load_settings(process_environment())
    with closing(open_engine(settings)) as engine:
        yield engine.connections, local_operator(settings)


@connections.command(
    "list",
    cls=ExampleCommand,
    permission=Permission.CONNECTION_READ,
    examples=(
        "runbook connections list",
        "runbook connections list --kind proxmox --json | jq -r '.connections[].name'",
    ),
    short_help="List connections.",
)
@click.option("--kind", metavar="KIND", help="Filter by kind.")
@json_option
def list_connections(kind: str | None, as_json: bool) -> None:
    """List connections by name."""
    with _opened() as (book, principal):
        found = [_json(book, one, principal) for one in book.list(principal, kind)]
    if as_json:
        print_json({"connections": found})
        return
    if not found:
        note("no connections; add one with `runbook connections add`")
        return
    rows = ([one["name"], one["kind"], _checked(one), _labels(one)] for one in found)
    for line in table(("NAME", "KIND", "LAST CHECK", "LABELS"), rows):
        print_line(line)


@connections.command(
    "show",
    cls=ExampleCommand,
    permission=Permission.CONNECTION_READ,
    examples=("runbook connections show lab-pve",),
    short_help="Show a connection without its secrets.",
)
@click.argument("name")
@json_option
def show(name: str, as_json: bool) -> None:
    """Show a connection. Of secrets, it only shows whether they are set."""
    with _opened() as (book, principal):
        found = _json(book, book.show(name, principal), principal)
    _print(found, as_json=as_json)


@connections.command(
    "add",
    cls=ExampleCommand,
    permission=Permission.CONNECTION_WRITE,
    examples=(
        "runbook connections add ipam --file ipam.yaml --secret token=@token.txt",
        "runbook connections add lab-pve --file lab-pve.yaml --claim roles=sre",
    ),
    short_help="Add a connection.",
)
@click.argument("name")
@click.option("--kind", metavar="KIND", help="Kind, such as proxmox or netbox.")
@click.option(
    "--file",
    "path",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="YAML or JSON file with kind and values; other options take precedence.",
)
@value_options
@json_option
def add(name: str, kind: str | None, path: Path | None, as_json: bool, **given: Any) -> None:
    """Add a connection. Secrets are read from files, standard input or a prompt."""
    options = ValueOptions(**given)
    check_stdin_once(options.secrets, token_stdin=False)
    from runbook.engine.connections.connections import NewConnection

    said = read_connection_file(path)
    wanted = kind or said.kind
    if not wanted:
        raise click.UsageError("--kind is missing")
    new = NewConnection(
        name,
        wanted,
        {**said.values, **options.values(wanted)},
        {**said.claims, **options.claim_lists()},
        {**said.labels, **options.label_texts()},
        said.description if options.description is None else options.description,
    )
    with _opened() as (book, principal):
        made = _json(book, book.add(new, principal), principal)
    _say(made, "added", as_json=as_json)


@connections.command(
    "edit",
    cls=ExampleCommand,
    permission=Permission.CONNECTION_WRITE,
    examples=(
        "runbook connections edit lab-pve --secret token_secret=-",
        "runbook connections edit lab-pve --set verify_tls=true --unset ca --no-claims",
    ),
    short_help="Change a connection or rotate its secrets.",
)
@click.argument("name")
@value_options
@click.option("--unset", multiple=True, metavar="FIELD", help="Remove a value. Repeatable.")
@click.option("--no-claims", is_flag=True, help="Let everyone with connection.use use it.")
@click.option("--no-labels", is_flag=True, help="Remove all labels.")
@json_option
def edit(
    name: str,
    unset: tuple[str, ...],
    no_claims: bool,
    no_labels: bool,
    as_json: bool,
    **given: Any,
) -> None:
    """Change a connection. What isn't given stays; --claim and --label replace all before.

    Runs that have not started yet use the new values, also those that wait for a lock.
    """
    options = ValueOptions(**given)
    check_stdin_once(options.secrets, token_stdin=False)
    from runbook.engine.connections.connections import Changes

    with _opened() as (book, principal):
        changes = Changes(
            {**dict.fromkeys(unset), **options.values(book.show(name, principal).kind)},
            options.claim_lists() if options.claims or no_claims else None,
            options.label_texts() if options.labels or no_labels else None,
            options.description,
        )
        changed = _json(book, book.edit(name, changes, principal), principal)
    _say(changed, "changed", as_json=as_json)


@connections.command(
    "remove",
    cls=ExampleCommand,
    permission=Permission.CONNECTION_WRITE,
    examples=("runbook connections remove lab-pve",),
    short_help="Remove a connection.",
)
@click.argument("name")
def remove(name: str) -> None:
    """Remove a connection with its secrets. Queued runs that need it fail when they start."""
    with _opened() as (book, principal):
        book.remove(name, principal)
    print_line(f"removed {text_of(name)}")


@connections.command(
    "check",
    cls=ExampleCommand,
    permission=Permission.CONNECTION_READ,
    examples=("runbook connections check lab-pve",),
    short_help="Check whether a connection works.",
)
@click.argument("name")
@json_option
def check(name: str, as_json: bool) -> int:
    """Ask the system whether it answers and accepts the credentials.

    Takes at most 30 seconds. The result is kept with the connection. The exit code is 1 if it
    doesn't work.
    """
    from runbook.resources.connection import check_json

    with _opened() as (book, principal):
        result = check_json(book.check(name, principal))
    if as_json:
        print_json({**result})
    else:
        state = "works" if result["ok"] else f"failed ({text_of(result['code'])})"
        print_line(f"{text_of(name)} {state}: {text_of(result['message'])}")
    return 0 if result["ok"] else CHECK_FAILED


@connections.command(
    "retrust",
    cls=ExampleCommand,
    permission=Permission.CONNECTION_WRITE,
    examples=(
        "runbook connections retrust core-router",
        "runbook connections retrust branch --host 192.0.2.7 --fingerprint SHA256:pB3c...",
    ),
    short_help="Trust the new host key of an SSH server.",
)
@click.argument("name")
@click.option(
    "--fingerprint", metavar="SHA256:...", help="Trust the new key only if it has this fingerprint."
)
@click.option(
    "--host", metavar="HOST", help="Another host that is reached with the connection's values."
)
@json_option
def retrust(name: str, fingerprint: str | None, host: str | None, as_json: bool) -> int:
    """Trust the host keys that the SSH servers of a connection show now.

    Use it after a server was replaced or reinstalled. No password is sent to a server whose key has
    changed. The change is audited. The exit code is 1 if the servers can't be asked, or show
    another fingerprint.
    """
    from runbook.resources.connection import retrust_json

    with _opened() as (book, principal):
        found = book.retrust(name, principal, host=host, fingerprint=fingerprint)
        result = retrust_json(found)
    if as_json:
        print_json({**result})
    elif result["ok"]:
        print_line(text_of(result["message"]))
    else:
        print_line(
            f"{text_of(name)} failed ({text_of(result['code'])}): {text_of(result['message'])}"
        )
    return 0 if result["ok"] else CHECK_FAILED


@connections.command(
    "reseal",
    cls=ExampleCommand,
    permission=Permission.CONNECTION_WRITE,
    examples=("runbook connections reseal",),
    short_help="Encrypt all secrets with a new key.",
)
@json_option
def reseal(as_json: bool) -> None:
    """Make a new key, and encrypt the secrets of all connections with it.

    Running servers go on; they read the new key by themselves. On several hosts with one database,
    copy DATA_DIR/keys to the others.
    """
    with _opened() as (book, principal):
        count = book.reseal(principal)
    if as_json:
        print_json({"success": True, "connections": count})
    else:
        print_line(f"encrypted the secrets of {counted(count, 'connection')} with a new key")


def _json(book: Connections, one: Connection, principal: Principal) -> ConnectionJson:
    from runbook.connectors.kinds import KINDS
    from runbook.resources.connection import connection_json

    return connection_json(one, KINDS.get(one.kind), usable=book.usable(one, principal))


def _say(made: ConnectionJson, verb: str, *, as_json: bool) -> None:
    if as_json:
        print_json({**made})
        return
    name = text_of(made["name"])
    print_line(f"{verb} {name}")
    if made["check"] is None:
        note(f"check it with `runbook connections check {name}`")


def _print(found: ConnectionJson, *, as_json: bool) -> None:
    if as_json:
        print_json({**found})
        return
    pairs = [
        ("name", text_of(found["name"])),
        ("kind", text_of(found["kind"])),
        ("description", text_of(found["description"])),
        *((name, text_of(value)) for name, value in found["values"].items()),
        *((name, "set" if known else "not set") for name, known in found["has_secret"].items()),
        ("claims", _claims(found["claims"])),
        ("labels", _labels(found)),
        ("last check", _checked(found)),
        ("last use", moment(found["last_use"]["at"]) if found["last_use"] else "-"),
        ("changed", f"{moment(found['updated_at'])} by {text_of(found['updated_by'])}"),
        ("secrets changed", moment(found["rotated_at"])),
    ]
    for line in fields(pairs):
        print_line(line)


def _claims(claims: Mapping[str, list[str]]) -> str:
    return text_of([f"{name}={', '.join(allowed)}" for name, allowed in claims.items()])


def _labels(one: ConnectionJson) -> str:
    return text_of([f"{name}={value}" for name, value in one["labels"].items()])


def _checked(one: ConnectionJson) -> str:
    last = one["check"]
    if last is None:
        return "-"
    return f"{'ok' if last['ok'] else text_of(last['code'], 'failed')} {moment(last['at'])}"

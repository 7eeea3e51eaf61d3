"""`runbook inventory`: the devices that runbooks work with."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from runbook.cli.commands import ExampleCommand
from runbook.cli.options.inputs import Assignment, AssignmentType, read_text_file
from runbook.cli.source.choose import json_option
from runbook.cli.terminal.messages import note, print_json, print_line
from runbook.cli.terminal.render import counted, fields, moment, table, text_of
from runbook.core.permissions import Permission

if TYPE_CHECKING:
    from runbook.core.access import Principal
    from runbook.core.inventory.views import Wanted
    from runbook.engine.inventory.inventory import Inventory
    from runbook.resources.device import DeviceItemJson, DeviceJson, ImportedDevicesJson

Callback = TypeVar("Callback", bound=Callable[..., Any])
NAME, SEEN, POLL, BACKUP, PROOF = "name", "last_seen", "last_poll", "last_backup", "last_proof"
SORTS = (NAME, *(f"{sign}{time}" for time in (SEEN, POLL, BACKUP, PROOF) for sign in ("", "-")))
"""Those of DeviceSort. Help is shown without loading it."""
SHOWN = 200
DEFAULT_SHOWN = 50

HELP = """Manage the inventory: the devices that runbooks work with.

An input with `type: device` offers them. Fields are connection, address, vendor, model, version,
site, role, tags and groups; runbooks update what they find out.

\b
Examples:
  $ runbook inventory add edge-1 connection=routers address=192.0.2.1 tags=core,edge site=fra
  $ runbook inventory list --tag core
  $ runbook inventory import devices.csv --dry-run
"""


@click.group("inventory", help=HELP, short_help="Manage the devices that runbooks work with.")
def inventory() -> None:
    pass


@contextmanager
def _opened() -> Iterator[tuple[Inventory, Principal]]:
    from runbook.bootstrap import local_operator
    from runbook.cli.source.opening import load_settings, open_engine
    from runbook.settings import process_environment

    settings = load_settings(process_environment())
    with closing(open_engine(settings)) as engine:
        yield engine.inventory, local_operator(settings)


def _filter_options(callback: Callback) -> Callback:
    options = (
        click.option("-q", "--search", metavar="TEXT", help="Text in name or address."),
        click.option("--tag", metavar="TAG", help="Filter by tag."),
        click.option("--group", metavar="GROUP", help="Filter by group."),
        click.option("--site", metavar="SITE", help="Filter by site."),
        click.option("--vendor", metavar="VENDOR", help="Filter by vendor."),
        click.option("--connection", metavar="NAME", help="Filter by connection."),
    )
    for decorate in reversed(options):
        callback = decorate(callback)
    return callback


def _wanted(search: str | None, **given: Any) -> Wanted:
    from runbook.core.inventory.device import DeviceFilter
    from runbook.core.inventory.views import Wanted

    return Wanted(DeviceFilter(text=search or "", **given))


@inventory.command(
    "list",
    cls=ExampleCommand,
    permission=Permission.INVENTORY_READ,
    examples=(
        "runbook inventory list --site fra --tag core",
        "runbook inventory list -q 192.0.2 --json | jq -r '.devices[].name'",
        "runbook inventory list --sort last_backup",
    ),
    short_help="List devices.",
)
@_filter_options
@click.option(
    "--limit",
    type=click.IntRange(1, SHOWN),
    default=DEFAULT_SHOWN,
    show_default=True,
    help="Maximum number of devices.",
)
@click.option(
    "--sort",
    type=click.Choice(SORTS),
    default=NAME,
    show_default=True,
    help="The order: by name or by a time, the longest ago first, with a minus sign the latest.",
)
@click.option("--cursor", metavar="CURSOR", help="Continue where an earlier list has ended.")
@json_option
def list_devices(
    limit: int, sort: str, cursor: str | None, as_json: bool, **given: str | None
) -> None:
    """List devices."""
    from runbook.core.inventory.device import DeviceSort
    from runbook.resources.device import device_page_json

    wanted = replace(_wanted(**given), sort=DeviceSort(sort))
    with _opened() as (book, principal):
        page = book.list(principal, wanted, cursor=cursor, limit=limit)
        found = device_page_json(page)
    if as_json:
        print_json({**found})
        return
    if not found["devices"]:
        note("no devices; add one with `runbook inventory add`")
        return
    last = SEEN if sort == NAME else sort.removeprefix("-")
    headings = ("NAME", "ADDRESS", "CONNECTION", "VENDOR", "VERSION", "SITE", "TAGS")
    rows = (_cells(one, last) for one in found["devices"])
    for line in table((*headings, last.replace("_", " ").upper()), rows):
        print_line(line)
    if found["next_cursor"]:
        note(f"there are more: --cursor {found['next_cursor']}")


def _cells(one: DeviceItemJson, last: str) -> list[str]:
    shown = (one["name"], one["address"], one["connection"], one["vendor"], one["version"])
    return [*map(text_of, (*shown, one["site"], one["tags"])), _moment(one, last)]


def _moment(one: DeviceItemJson, last: str) -> str:
    """The time by which the list is sorted."""
    times = {
        SEEN: one["last_seen"],
        POLL: one["last_poll"],
        BACKUP: one["last_backup"],
        PROOF: one["last_proof"],
    }
    return "damaged" if last == PROOF and one["last_damage"] else moment(times[last])


@inventory.command(
    "show",
    cls=ExampleCommand,
    permission=Permission.INVENTORY_READ,
    examples=("runbook inventory show edge-1",),
    short_help="Show a device.",
)
@click.argument("name")
@json_option
def show(name: str, as_json: bool) -> None:
    """Show a device. `runbook runs --device NAME` lists its runs."""
    from runbook.resources.device import device_json

    with _opened() as (book, principal):
        found = device_json(book.show(name, principal))
    _print(found, as_json=as_json)


@inventory.command(
    "add",
    cls=ExampleCommand,
    permission=Permission.INVENTORY_WRITE,
    examples=("runbook inventory add edge-1 connection=routers address=192.0.2.1 tags=core,edge",),
    short_help="Add a device.",
)
@click.argument("name")
@click.argument("values", nargs=-1, type=AssignmentType(), metavar="[FIELD=VALUE]...")
@json_option
def add(name: str, values: tuple[Assignment, ...], as_json: bool) -> None:
    """Add a device with these fields. Tags and groups are separated by commas."""
    _put(name, values, "added", as_json=as_json, is_new=True)


@inventory.command(
    "set",
    cls=ExampleCommand,
    permission=Permission.INVENTORY_WRITE,
    examples=(
        "runbook inventory set edge-1 site=fra role=",
        "runbook inventory set edge-1 tags=core",
    ),
    short_help="Change fields of a device.",
)
@click.argument("name")
@click.argument("values", nargs=-1, required=True, type=AssignmentType(), metavar="FIELD=VALUE...")
@json_option
def set_fields(name: str, values: tuple[Assignment, ...], as_json: bool) -> None:
    """Change these fields; nothing after the equals sign empties one. Other fields stay."""
    _put(name, values, "changed", as_json=as_json, is_new=False)


def _put(
    name: str, values: tuple[Assignment, ...], what: str, *, as_json: bool, is_new: bool
) -> None:
    from runbook.core.inventory.views import NewFields
    from runbook.resources.device import device_json

    new = NewFields(name, {given.name: given.value for given in values})
    with _opened() as (book, principal):
        made = device_json(book.put(new, principal, add=is_new))
    if as_json:
        print_json({**made})
    else:
        print_line(f"{what} {text_of(made['name'])}")


@inventory.command(
    "remove",
    cls=ExampleCommand,
    permission=Permission.INVENTORY_WRITE,
    examples=("runbook inventory remove edge-1",),
    short_help="Remove a device.",
)
@click.argument("name")
def remove(name: str) -> None:
    """Remove a device. Its runs stay. Queued runs that need it fail when they start."""
    with _opened() as (book, principal):
        book.remove(name, principal)
    print_line(f"removed {text_of(name)}")


@inventory.command(
    "import",
    cls=ExampleCommand,
    permission=Permission.INVENTORY_WRITE,
    examples=(
        "runbook inventory import devices.csv --dry-run",
        "runbook inventory export | runbook inventory import -",
    ),
    short_help="Import devices from CSV.",
)
@click.argument("path", metavar="FILE|-", type=click.Path(path_type=Path, allow_dash=True))
@click.option("--dry-run", is_flag=True, help="Only check, and show what would change.")
@json_option
def import_devices(path: Path, dry_run: bool, as_json: bool) -> None:
    """Add and change devices by name. If any row is invalid, nothing is imported.

    The first line has the names of the columns: name, and any of connection, address, vendor,
    model, version, site, role, tags, groups, last_seen, last_backup, last_poll, last_proof,
    last_damage. An empty cell empties the field; fields without a column stay.
    """
    from runbook.engine.inventory.tables import import_table
    from runbook.resources.device import imported_json

    text = sys.stdin.read() if str(path) == "-" else read_text_file(path, str(path))
    with _opened() as (book, principal):
        done = imported_json(import_table(book, text, principal, dry_run=dry_run))
    if as_json:
        print_json({**done})
    else:
        _print_import(done)


def _print_import(done: ImportedDevicesJson) -> None:
    if done["dry_run"]:
        for name in done["added"]:
            print_line(f"would add {text_of(name)}")
        for one in done["changed"]:
            print_line(f"would change {text_of(one['name'])}: {', '.join(one['fields'])}")
    added, changed = len(done["added"]), len(done["changed"])
    total = f"{counted(added, 'device')} added, {changed} changed, {done['same']} unchanged"
    print_line(f"nothing imported (dry run): {total}" if done["dry_run"] else total)


@inventory.command(
    "export",
    cls=ExampleCommand,
    permission=Permission.INVENTORY_READ,
    examples=(
        "runbook inventory export > devices.csv",
        "runbook inventory export --tag core --format json | jq '.devices[].facts'",
    ),
    short_help="Export devices as CSV or JSON.",
)
@_filter_options
@click.option(
    "--format",
    "form",
    type=click.Choice(("csv", "json")),
    default="csv",
    show_default=True,
    help="Format. CSV has no facts, and can be imported again.",
)
def export(form: str, **given: str | None) -> None:
    """Write devices to standard output."""
    from runbook.core.inventory.table import write_table
    from runbook.resources.device import device_json

    with _opened() as (book, principal):
        found = book.export(principal, _wanted(**given))
        if form == "json":
            print_json({"devices": [device_json(seen) for seen in found]})
            return
        for line in write_table(seen.device for seen in found):
            click.echo(line, nl=False)


def _print(one: DeviceJson, *, as_json: bool) -> None:
    if as_json:
        print_json({**one})
        return
    by = f" in run {one['updated_run']}" if one["updated_run"] else ""
    pairs = [
        ("name", text_of(one["name"])),
        ("connection", text_of(one["connection"])),
        ("usable", "yes" if one["usable"] else "no"),
        ("address", text_of(one["address"])),
        ("vendor", text_of(one["vendor"])),
        ("model", text_of(one["model"])),
        ("version", text_of(one["version"])),
        ("site", text_of(one["site"])),
        ("role", text_of(one["role"])),
        ("tags", text_of(one["tags"])),
        ("groups", text_of(one["groups"])),
        ("last seen", moment(one["last_seen"])),
        ("last backup", moment(one["last_backup"])),
        ("last poll", moment(one["last_poll"])),
        ("last proof", moment(one["last_proof"])),
        ("found damaged", moment(one["last_damage"])),
        ("changed", f"{moment(one['updated_at'])} by {text_of(one['updated_by'])}{by}"),
    ]
    for line in fields(pairs):
        print_line(line)
    for name, value in one["facts"].items():
        print_line(f"  {text_of(name)}: {text_of(value)}")

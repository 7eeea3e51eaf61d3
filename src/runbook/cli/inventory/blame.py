"""`runbook blame`: who is responsible for the lines of a device's configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from runbook.cli.commands import ExampleCommand
from runbook.cli.source.choose import json_option
from runbook.cli.terminal.messages import print_json, print_line
from runbook.cli.terminal.render import fields, moment, table, text_of
from runbook.core.permissions import Permission
from runbook.errors import NotFoundError

if TYPE_CHECKING:
    from runbook.connectors.backups.blame import BlamedLine
    from runbook.resources.blame import BlamedLineJson

SHORT = 12


@click.command(
    "blame",
    cls=ExampleCommand,
    permission=Permission.INVENTORY_READ,
    examples=(
        "runbook blame edge-1",
        "runbook blame edge-1 42",
        "runbook blame edge-1 --json | jq -r '.lines[] | select(.run) | .text'",
    ),
    short_help="Show who changed the lines of a device's configuration.",
)
@click.argument("device")
@click.argument("line", type=click.IntRange(min=1), required=False)
@click.option("--version", "commit", metavar="COMMIT", help="A version; the latest by default.")
@json_option
def blame(device: str, line: int | None, commit: str | None, as_json: bool) -> None:
    """Show who changed the lines of a device's configuration, as its last backup has it.

    What a backup finds changed was changed outside; other changes have their run.
    """
    from runbook.resources.blame import blamed_line_json

    found = [blamed_line_json(one) for one in _lines(device, commit)]
    if line is not None:
        found = [one for one in found if one["line"] == line]
        if not found:
            raise NotFoundError(f"The configuration of {device} has no line {line}")
    if as_json:
        print_json({"device": device, "lines": found})
    elif line is not None:
        _print_one(found[0])
    else:
        for shown in table(("LINE", "VERSION", "TIME", "WHO", "RUN", "TEXT"), map(_cells, found)):
            print_line(shown)


def _lines(device: str, commit: str | None) -> list[BlamedLine]:
    from runbook.bootstrap import build_backups
    from runbook.cli.source.opening import load_settings
    from runbook.connectors.backups.blame import blame as blamed
    from runbook.connectors.backups.store import DEVICE
    from runbook.settings import process_environment

    store = build_backups(load_settings(process_environment()))
    if not DEVICE.fullmatch(device) or store.latest(device) is None:
        raise NotFoundError(f"{device} has no backup")
    return blamed(store, device, store.version(device, commit).commit if commit else None)


def _cells(one: BlamedLineJson) -> list[str]:
    who = one["by"] if one["origin"] == "run" else _ORIGINS[one["origin"]]
    run = one["run"] if one["origin"] == "run" else None
    shown = (str(one["line"]), one["version"][:SHORT], moment(one["at"]), who, run, one["text"])
    return [*map(text_of, shown)]


_ORIGINS = {"run": "changed by a run", "seen": "changed outside", "first": "first backup"}


def _print_one(one: BlamedLineJson) -> None:
    is_run = one["origin"] == "run"
    pairs = [
        ("text", text_of(one["text"])),
        ("changed", f"{_ORIGINS[one['origin']]}, {moment(one['at'])}"),
        ("run" if is_run else "found by run", text_of(one["run"])),
        ("runbook", text_of(one["runbook"])),
        ("step", text_of(one["step"])),
        ("requested by", text_of(one["by"])),
        ("version", one["version"]),
    ]
    for shown in fields(pairs):
        print_line(shown)

"""`runbook devices`, `pause` and `continue`: the fan-outs of a run."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import click

from runbook.cli.commands import ExampleCommand
from runbook.cli.completion import complete_runs
from runbook.cli.source.choose import SourceOptions, json_option, source_options
from runbook.cli.source.pages import collect_pages
from runbook.cli.source.protocol import Json
from runbook.cli.terminal import color
from runbook.cli.terminal.messages import note, print_json, print_line
from runbook.cli.terminal.render import duration, table, text_of
from runbook.core.permissions import Permission

_HEADINGS = ("DEVICE", "STATE", "PHASE", "DURATION", "MESSAGE", "RUN")


@click.command(
    "devices",
    cls=ExampleCommand,
    permission=Permission.RUN_READ,
    examples=(
        "runbook devices 0198c5a2-7d1e-7c3a-9b56-1f0e5a4d2c11",
        "runbook devices RUN --json | jq -r '.devices[] | select(.state==\"failed\").device'",
    ),
    short_help="List the devices that a run works on.",
)
@click.argument("run_id", metavar="RUN", shell_complete=complete_runs)
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    default=1000,
    show_default=True,
    help="Maximum number of devices.",
)
@json_option
@source_options
def devices(run_id: str, limit: int, as_json: bool, **given: Any) -> None:
    """List the devices that a run works on with `runbook fanout`, and where each stands."""
    fanouts: list[Json] = []
    with SourceOptions(**given).open() as source:

        def fetch(cursor: str | None, size: int) -> Json:
            page = source.devices(run_id, cursor, size)
            fanouts[:] = page["fanouts"]
            return page

        found, cursor = collect_pages(fetch, "devices", limit)
    if as_json:
        print_json({"fanouts": fanouts, "devices": found, "next_cursor": cursor})
        return
    if not fanouts:
        note("the run has no fan-out")
        return
    for line in device_lines(fanouts, found):
        print_line(line)
    if cursor:
        note(f"to list more, use --limit {limit * 5}")


def device_lines(fanouts: list[Json], found: list[Json]) -> Iterator[str]:
    """Each fan-out with a table of those devices."""
    from runbook.settings import process_environment

    colour = color.wanted(sys.stdout, process_environment())
    for fanout in fanouts:
        rows = [_row(one, colour=colour) for one in found if one["fanout"] == fanout["n"]]
        yield _heading(fanout)
        yield from table(_HEADINGS, rows)


def _heading(fanout: Json) -> str:
    counts = ", ".join(f"{n} {state}" for state, n in fanout["counts"].items() if n)
    text = f"{text_of(fanout['runbook'])}: {counts}"
    if fanout["stopped"]:
        return f"{text}; stopped: {text_of(fanout['stopped'])}"
    return f"{text}; paused" if fanout["paused"] and not fanout["finished_at"] else text


def _row(device: Json, *, colour: bool) -> list[str]:
    state = color.paint(text_of(device["state"]), colour=colour, status=str(device["state"]))
    return [
        text_of(device["device"]),
        state,
        text_of(device["phase"]),
        duration(device["duration_ms"]),
        text_of(device["message"]),
        text_of(device["run_id"]),
    ]


@click.command(
    "pause",
    cls=ExampleCommand,
    permission=Permission.RUN_CANCEL,
    examples=("runbook pause RUN",),
    short_help="Pause the fan-out of a run.",
)
@click.argument("run_id", metavar="RUN", shell_complete=complete_runs)
@source_options
def pause(run_id: str, **given: Any) -> None:
    """Start no more devices of a run's `runbook fanout`.

    What is running goes on, and so does the run's timeout. `runbook continue` continues it, and
    `runbook cancel` ends it.
    """
    _pause(run_id, given, paused=True)


@click.command(
    "continue",
    cls=ExampleCommand,
    permission=Permission.RUN_CANCEL,
    examples=("runbook continue RUN",),
    short_help="Continue a paused fan-out of a run.",
)
@click.argument("run_id", metavar="RUN", shell_complete=complete_runs)
@source_options
def continue_(run_id: str, **given: Any) -> None:
    """Start the devices that are left of a paused `runbook fanout`."""
    _pause(run_id, given, paused=False)


def _pause(run_id: str, given: dict[str, Any], *, paused: bool) -> None:
    with SourceOptions(**given).open() as source:
        run = source.pause(run_id, paused=paused)
    print_line(f"{'paused' if paused else 'continued'} run {text_of(run['id'])}")

"""`runbook audit`: lists who changed what, and who was refused."""

from __future__ import annotations

from functools import partial
from typing import Any

import click

from runbook.cli.commands import ExampleCommand
from runbook.cli.source.choose import SourceOptions, json_option, source_options
from runbook.cli.source.pages import collect_pages
from runbook.cli.source.protocol import AuditQuery, Json
from runbook.cli.terminal.messages import note, print_json, print_line
from runbook.cli.terminal.render import moment, table, text_of
from runbook.cli.terminal.times import SinceType
from runbook.core.permissions import Permission


@click.command(
    "audit",
    cls=ExampleCommand,
    permission=Permission.AUDIT_READ,
    examples=(
        "runbook audit",
        "runbook audit --who alice --since 7d",
        "runbook audit --action run.cancel --json | jq -r '.events[].target'",
    ),
    short_help="List audit events, newest first.",
)
@click.option("--who", metavar="SUBJECT", help="Filter by who acted.")
@click.option("--action", metavar="NAME", help="Filter by action, for example run.cancel.")
@click.option("--target", metavar="NAME", help="Filter by run ID, runbook, host or other target.")
@click.option("--since", type=SinceType(), metavar="SPAN|TIME", help="Recorded since this time.")
@click.option("--until", type=SinceType(), metavar="SPAN|TIME", help="Recorded before this time.")
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    default=20,
    show_default=True,
    help="Maximum number of results.",
)
@json_option
@source_options
def audit(
    who: str | None,
    action: str | None,
    target: str | None,
    since: int | None,
    until: int | None,
    limit: int,
    as_json: bool,
    **given: Any,
) -> None:
    """List audit events, newest first.

    The audit trail records cancellations, reruns, shutdowns, purges, adoptions in histories,
    changes of connections, settings and keys, and refused requests. `runbook verify --audit` checks
    that it is complete and unchanged.
    """
    query = AuditQuery(who, action, target, since, until)
    with SourceOptions(**given).open() as source:
        events, cursor = collect_pages(partial(source.audit, query), "events", limit)
    if as_json:
        print_json({"events": events, "next_cursor": cursor})
        return
    if not events:
        note("no matching audit events")
        return
    _print(events)
    if cursor is not None:
        note(f"to list more, use --limit {limit * 5}")


def _print(events: list[Json]) -> None:
    rows = (
        [
            str(event["n"]),
            moment(event["at"]),
            text_of(event["subject"]),
            text_of(event["action"]),
            text_of(event["target"]),
        ]
        for event in events
    )
    for line in table(("N", "AT", "WHO", "ACTION", "TARGET"), rows):
        print_line(line)

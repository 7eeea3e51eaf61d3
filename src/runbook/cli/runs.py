"""`runbook runs`, `logs` and `cancel`."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import partial
from typing import Any

import click

from runbook.cli.commands import ExampleCommand
from runbook.cli.completion import complete_refs, complete_runs
from runbook.cli.source.choose import SourceOptions, json_option, source_options
from runbook.cli.source.pages import collect_pages
from runbook.cli.source.protocol import Json, RunQuery, RunSource
from runbook.cli.terminal import color
from runbook.cli.terminal.escaping import OutputEscaper
from runbook.cli.terminal.messages import note, print_json, print_line
from runbook.cli.terminal.render import duration, moment, table, text_of
from runbook.cli.terminal.times import SinceType
from runbook.core.permissions import Permission
from runbook.core.status import RunStatus
from runbook.script.narration import status_shown, was_not_executed

OUTPUT = ("stdout", "stderr")


@click.command(
    "runs",
    cls=ExampleCommand,
    permission=Permission.RUN_READ,
    examples=(
        "runbook runs",
        "runbook runs --status failed --status timed_out --since 24h",
        "runbook runs --runbook Deploy.md --who alice --limit 100",
        "runbook runs --runbook Deploy.md --no-dry-run",
        "runbook runs --input HOST=web1 --status failed",
        "runbook runs --since 2026-01-31 --json | jq -r '.runs[].id'",
    ),
    short_help="List runs, newest first.",
)
@click.option("--runbook", metavar="REF", shell_complete=complete_refs, help="Filter by runbook.")
@click.option(
    "--status",
    "statuses",
    type=click.Choice([status.value for status in RunStatus]),
    multiple=True,
    help="Filter by status. Repeatable.",
)
@click.option("--who", metavar="SUBJECT", help="Filter by requester.")
@click.option(
    "--since",
    type=SinceType(),
    metavar="SPAN|TIME",
    help="Created since this time, for example 2h or 2026-01-31.",
)
@click.option(
    "--input",
    "inputs",
    metavar="NAME=VALUE|TEXT",
    multiple=True,
    help="Filter by a stored input: one with this value, or any that contains TEXT. Repeatable.",
)
@click.option("--device", metavar="NAME", help="Filter by a device that they were for.")
@click.option(
    "--dry-run/--no-dry-run",
    default=None,
    help="Only dry runs, or no dry runs. Lists both by default.",
)
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    default=20,
    show_default=True,
    help="Maximum number of results.",
)
@json_option
@source_options
def list_runs(  # noqa: PLR0913, PLR0917 - one per filter
    runbook: str | None,
    statuses: tuple[str, ...],
    who: str | None,
    since: int | None,
    inputs: tuple[str, ...],
    device: str | None,
    dry_run: bool | None,
    limit: int,
    as_json: bool,
    **given: Any,
) -> None:
    """List runs, newest first.

    --input searches the values stored with runs. Secrets and short-form inputs are not stored.
    """
    query = RunQuery(runbook, statuses, who, since, dry_run, inputs, device)
    with SourceOptions(**given).open() as source:
        found, cursor = collect_pages(partial(source.runs, query), "runs", limit)
    if as_json:
        print_json({"runs": found, "next_cursor": cursor})
        return
    if not found:
        note("no matching runs" if query != RunQuery() else "no runs yet")
        return
    _print_runs(found)
    if cursor:
        note(f"to list more, use --limit {limit * 5}")


def _print_runs(found: list[Json]) -> None:
    from runbook.settings import process_environment

    colour = color.wanted(sys.stdout, process_environment())
    rows = (
        [
            text_of(run["id"]),
            _status(run, colour=colour),
            text_of(run["runbook"]),
            text_of(run["by"]),
            moment(run["created_at"]),
            duration(run["duration_ms"]),
        ]
        for run in found
    )
    for line in table(("RUN", "STATUS", "RUNBOOK", "REQUESTED BY", "CREATED", "DURATION"), rows):
        print_line(line)


def _status(run: Json, *, colour: bool) -> str:
    text = text_of(status_shown(run))
    status = "" if was_not_executed(run) else str(run["status"])
    return color.paint(text, colour=colour, status=status)


@click.command(
    "logs",
    cls=ExampleCommand,
    permission=Permission.RUN_READ,
    examples=(
        "runbook logs 0198c5a2-7d1e-7c3a-9b56-1f0e5a4d2c11",
        "runbook logs -f 0198c5a2-7d1e-7c3a-9b56-1f0e5a4d2c11 --url http://localhost:8083",
        "runbook logs RUN --stream stderr --since 10m",
        "runbook logs RUN --json | jq -r 'select(.type==\"step\").name'",
    ),
    short_help="Print the output of a run.",
)
@click.argument("run_id", metavar="RUN", shell_complete=complete_runs)
@click.option("--follow", "-f", is_flag=True, help="Stream output until the run finishes.")
@click.option(
    "--stream", type=click.Choice(OUTPUT), help="Print only this stream. Prints both by default."
)
@click.option(
    "--since", type=SinceType(), metavar="SPAN|TIME", help="Print only output since this time."
)
@click.option("--raw", is_flag=True, help="Print control characters unescaped.")
@click.option(
    "--json", "as_json", is_flag=True, help="Print each event as a line of JSON, like execute."
)
@source_options
def logs(
    run_id: str,
    follow: bool,
    stream: str | None,
    since: int | None,
    raw: bool,
    as_json: bool,
    **given: Any,
) -> None:
    """Print the output of a run, both streams, on standard output.

    In a terminal, colors are preserved. Other control sequences are escaped, because the output may
    come from someone else's script; --raw prints them as they are.

    Ctrl-C stops --follow, not the run.
    """
    with SourceOptions(**given).open() as source:
        events = _events(source, run_id, follow=follow)
        wanted = (event for event in events if _is_wanted(event, stream, since))
        if as_json:
            for event in wanted:
                print_json(event, pretty=False)
                sys.stdout.flush()
        else:
            _print_output(wanted, raw=raw)


def _events(source: RunSource, run_id: str, *, follow: bool) -> Iterator[Json]:
    """The events of a run: until it finishes, or without `follow` those so far."""
    run = source.run(run_id)
    last = int(run["last_event"])
    if last == 0 and not follow:
        return
    for event in source.events(run_id):
        yield event
        if not follow and int(event["n"]) >= last:
            return


def _is_wanted(event: Json, stream: str | None, since: int | None) -> bool:
    if stream is not None and event["type"] in OUTPUT and event["type"] != stream:
        return False
    return since is None or datetime.fromisoformat(event["at"]).timestamp() * 1000 >= since


def _print_output(events: Iterator[Json], *, raw: bool) -> None:
    from runbook.settings import process_environment

    escaper = OutputEscaper(colour=color.wanted(sys.stdout, process_environment()))
    for event in events:
        if event["type"] in OUTPUT:
            text = str(event["text"])
            _write(text if raw else escaper.feed(text))
    if not raw:
        _write(escaper.finish())


def _write(text: str) -> None:
    sys.stdout.buffer.write(text.encode("utf-8", errors="replace"))
    sys.stdout.flush()


@click.command(
    "cancel",
    cls=ExampleCommand,
    permission=Permission.RUN_CANCEL,
    examples=(
        "runbook cancel 0198c5a2-7d1e-7c3a-9b56-1f0e5a4d2c11",
        "runbook cancel RUN --wait --url http://localhost:8083",
    ),
    short_help="Cancel a run.",
)
@click.argument("run_id", metavar="RUN", shell_complete=complete_runs)
@click.option("--wait", is_flag=True, help="Wait until the run has stopped.")
@json_option
@source_options
def cancel(run_id: str, wait: bool, as_json: bool, **given: Any) -> None:
    """Cancel a run and the runs that it called.

    Its script gets SIGINT, then SIGTERM, then SIGKILL. A finished run stays unchanged.
    """
    with SourceOptions(**given).open() as source:
        run = source.cancel(run_id)
        ended_before = run["finished_at"] is not None and not run["cancel_requested_by"]
        if wait and run["finished_at"] is None:
            for _ in source.events(run_id, after=int(run["last_event"])):
                pass
            run = source.run(run_id)
    if as_json:
        print_json(run)
        return
    print_line(_cancel_text(run, ended_before=ended_before))


def _cancel_text(run: Mapping[str, Any], *, ended_before: bool) -> str:
    name = f"run {text_of(run['id'])}"
    if ended_before:
        return f"{name} had already finished: {text_of(run['status'])}"
    if run["finished_at"] is None:
        return f"cancelling {name}, which is {text_of(run['status'])}"
    return f"{name} finished: {text_of(run['status'])}"

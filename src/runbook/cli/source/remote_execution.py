"""Starts runs on a server and shows them as if they were executed here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from runbook.cli.options.execute_options import ExecuteOptions
from runbook.cli.options.inputs import gather, with_files
from runbook.cli.options.rerun_options import RerunOptions
from runbook.cli.source.choose import SourceOptions
from runbook.cli.source.client import Client
from runbook.cli.source.form import asked_for
from runbook.cli.source.remote import RemoteSource
from runbook.cli.terminal import exit_codes
from runbook.cli.terminal.views import view_of
from runbook.core.events import EventType, RunEvent
from runbook.settings import process_environment

_ENVELOPE = frozenset({"n", "at", "type", "step"})
"""The members of an event that are not its data."""


def execute_remotely(options: ExecuteOptions, environment: Mapping[str, str]) -> int:
    """Execute a runbook on a server, and show the run. Returns the exit code.

    `environment` was sealed, so this process's own has no token.
    """
    inputs = gather(options.env, options.secret, options.env_file)
    source = SourceOptions(options.url, options.token_stdin)
    path = f"/api/runbooks/{quote(options.runbook)}"
    with Client(options.url or "", source.token(environment)) as client:
        inputs = with_files(inputs, lambda: client.get(f"{path}/inputs"))
        if options.ask:
            inputs = asked_for(RemoteSource(client), options.runbook, inputs)
        body = {
            "env_vars": dict(inputs.values),
            "reason": options.reason,
            "confirm": options.confirm,
            "dry_run": options.dry_run,
        }
        begun = client.start(f"{path}/execute", body)
        return show_run(client, str(begun["run_id"]), as_json=options.as_json, quiet=options.quiet)


def rerun_remotely(action: str, options: RerunOptions) -> int:
    """Retry, resume or undo a run on a server, and show the new run. Returns the exit code."""
    inputs = gather(options.env, options.secret, options.env_file)
    source = SourceOptions(options.url, options.token_stdin)
    path = f"/api/runs/{quote(options.run_id, safe='')}"
    with Client(options.url or "", source.token(process_environment())) as client:
        inputs = with_files(inputs, lambda: client.get(_inputs_path(client.get(path)["runbook"])))
        body: dict[str, Any] = {
            "env_vars": dict(inputs.values),
            "reason": options.reason,
            "confirm": options.confirm,
        }
        if options.start is not None:
            body["from_step"] = options.start
        begun = client.start(f"{path}/{action}", body)
        return show_run(client, str(begun["run_id"]), as_json=options.as_json, quiet=options.quiet)


def _inputs_path(ref: str) -> str:
    return f"/api/runbooks/{quote(ref)}/inputs"


def show_run(client: Client, run_id: str, *, as_json: bool, quiet: bool) -> int:
    """Show a server's run until it finishes. Returns the exit code."""
    run = client.get(f"/api/runs/{run_id}")
    view = view_of(
        run["runbook"],
        as_json=as_json,
        quiet=quiet,
        environment=process_environment(),
    )
    for event in client.events(run_id):
        view.event(event_of(event))
    ended = client.get(f"/api/runs/{run_id}")
    view.ended(ended)
    return exit_codes.of_run(ended)


def event_of(value: Mapping[str, Any]) -> RunEvent:
    """An event from its JSON form, without its time, which views don't use."""
    kind = EventType(value["type"])
    data = {name: item for name, item in value.items() if name not in _ENVELOPE}
    return RunEvent(
        n=int(value["n"]),
        at=0,
        type=kind,
        text=value.get("text") if kind.is_output else None,
        data=None if kind.is_output else data,
        step=value.get("step"),
        line=value.get("line"),
    )

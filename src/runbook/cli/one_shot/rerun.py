"""The engine process of `runbook retry`, `resume` and `undo`; see `execution.py`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import click

from runbook.cli.commands import Invocation
from runbook.cli.one_shot.execution import OneShot, connections_in, opened
from runbook.cli.one_shot.guarded import obey_signals, run_guarded
from runbook.cli.options.inputs import gather, with_files
from runbook.cli.options.rerun_options import RerunOptions
from runbook.cli.rerun import (
    RESUME,
    RETRY,
    rerun_options,
    start_option,
)
from runbook.cli.source.choose import SourceOptions
from runbook.cli.source.locate import locate
from runbook.cli.source.opening import load_settings
from runbook.cli.terminal.views import view_of
from runbook.core.access import Principal
from runbook.core.run import Run
from runbook.engine.engine import Engine
from runbook.engine.requests import ExecuteRequest, Submitted
from runbook.errors import NotFoundError
from runbook.library.catalog import Entry


def follow_once(action: str, options: RerunOptions, environment: Mapping[str, str]) -> int:
    """Execute a rerun. Returns the exit code; raises RunbookError and click.UsageError."""
    inputs = gather(options.env, options.secret, options.env_file)
    token = SourceOptions(token_stdin=options.token_stdin).token(environment)
    settings = (
        locate(options.runbook, environment).settings
        if options.runbook
        else load_settings(environment)
    )
    with opened(settings, token, connections_in(options.connection)) as (engine, principal):
        run = engine.runs.get(options.run_id, principal)
        _runbook_of(engine, run)
        inputs = with_files(inputs, lambda: engine.runbooks.input_schema(run.ref, principal))
        request = ExecuteRequest(
            env_vars=dict(inputs.values),
            secrets=inputs.secrets,
            reason=options.reason,
            confirm=options.confirm,
        )
        view = view_of(
            run.ref, as_json=options.as_json, quiet=options.quiet, environment=environment
        )
        one_shot = OneShot(engine, principal, run.ref, view)

        def submit(asked: ExecuteRequest) -> Submitted:
            return _submit(engine, principal, action, run, options.start, asked)

        obey_signals(one_shot.worker)
        return one_shot.execute_as(submit, request)


def _submit(
    engine: Engine,
    principal: Principal,
    action: str,
    run: Run,
    start: str | None,
    request: ExecuteRequest,
) -> Submitted:
    if action == RESUME:
        return engine.resume(run, principal, request, start)
    if action == RETRY:
        return engine.retry(run, principal, request)
    return engine.undo(run, principal, request)


def _runbook_of(engine: Engine, run: Run) -> Entry:
    """The run's runbook. Raises NotFoundError if it is not in the runbooks directory."""
    try:
        return engine.runbooks.entry(run.ref)
    except NotFoundError as error:
        hint = "specify its file with --runbook, or set RUNBOOKS_DIR to its folder"
        raise NotFoundError(error.message, hint=hint) from None


@click.command("following")
@click.argument("action")
@start_option
@rerun_options
@click.pass_obj
def _command(called: Invocation, /, action: str, **given: Any) -> int:
    options = RerunOptions(**given)
    options.check()
    return follow_once(action, options, called.environment or {})


def main(arguments: Sequence[str], environment: Mapping[str, str]) -> int:
    return run_guarded(_command, arguments[0], arguments, environment)

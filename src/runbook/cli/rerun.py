"""`runbook retry`, `resume` and `undo`: runs that follow from an earlier one."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, TypeVar

import click

from runbook.cli.commands import ExampleCommand, invocation
from runbook.cli.completion import complete_runs
from runbook.cli.options.rerun_options import RerunOptions
from runbook.cli.options.run_options import (
    confirm_option,
    env_file_option,
    env_option,
    events_option,
    quiet_option,
    reason_option,
    secret_option,
    token_option,
)
from runbook.cli.source.choose import url_option
from runbook.core.permissions import Permission

Callback = TypeVar("Callback", bound=Callable[..., Any])

RETRY, RESUME, UNDO = "retry", "resume", "undo"


def rerun_options(callback: Callback) -> Callback:
    """The options of these commands; the guarded process reads the same command line again."""
    for decorate in reversed(_OPTIONS):
        callback = decorate(callback)
    return callback


_OPTIONS = (
    click.argument("run_id", metavar="RUN", shell_complete=complete_runs),
    click.option(
        "--runbook",
        metavar="FILE",
        help="The runbook's file, where it does not lie in RUNBOOKS_DIR.",
    ),
    env_option,
    env_file_option,
    secret_option,
    reason_option,
    confirm_option,
    events_option,
    quiet_option,
    url_option,
    token_option,
)

start_option = click.option(
    "--from",
    "start",
    metavar="STEP",
    help="Name or number of the step to go on with; the first that was not completed if absent.",
)


@click.command(
    RETRY,
    cls=ExampleCommand,
    permission=Permission.RUN_RERUN,
    examples=(
        "runbook retry 0198c5a2-7d1e-7c3a-9b56-1f0e5a4d2c11",
        "runbook retry RUN --secret PASSWORD=@password.txt --url http://localhost:8083",
    ),
    short_help="Execute again, from the start.",
)
@rerun_options
@click.pass_context
def retry(context: click.Context, /, **given: Any) -> int:
    """Execute a runbook again with the inputs of an earlier run, from the start.

    Values that were not kept, such as secrets, have to be given again. The exit code is that of
    `runbook execute`.
    """
    return _rerun(context, RETRY, RerunOptions(**given))


@click.command(
    RESUME,
    cls=ExampleCommand,
    permission=Permission.RUN_RERUN,
    examples=(
        "runbook resume 0198c5a2-7d1e-7c3a-9b56-1f0e5a4d2c11",
        "runbook resume RUN --env SIZE=20G --reason 'OPS-12: the disk was too small'",
        "runbook resume RUN --from 'Start the service' --url http://localhost:8083",
    ),
    short_help="Go on behind the completed steps.",
)
@start_option
@rerun_options
@click.pass_context
def resume(context: click.Context, /, **given: Any) -> int:
    """Go on where a run failed: its completed steps are not executed again.

    What they handed over is restored. The runbook may have been mended from that step on; where
    it was changed above, nothing is started and the difference is shown.
    """
    return _rerun(context, RESUME, RerunOptions(**given))


@click.command(
    UNDO,
    cls=ExampleCommand,
    permission=Permission.RUN_RERUN,
    examples=(
        "runbook undo 0198c5a2-7d1e-7c3a-9b56-1f0e5a4d2c11",
        "runbook undo RUN --reason 'OPS-12' --url http://localhost:8083",
    ),
    short_help="Reverse the completed steps of a run.",
)
@rerun_options
@click.pass_context
def undo(context: click.Context, /, **given: Any) -> int:
    """Execute the Undo blocks of the steps that a run completed, the last one first.

    The document is the one that was executed, also where the runbook was changed since.
    """
    return _rerun(context, UNDO, RerunOptions(**given))


def _rerun(context: click.Context, action: str, options: RerunOptions) -> int:
    options.check()
    if options.url:
        from runbook.cli.source.remote_execution import rerun_remotely

        return rerun_remotely(action, options)
    from runbook.host import guard
    from runbook.settings import process_environment

    called = invocation(context)
    arguments = called.arguments[1:]
    command = [sys.executable, "-m", "runbook.cli.one_shot.rerun", action, *arguments]
    return guard.guard(command, called.environment or process_environment())

"""`runbook retry`, `resume` and `undo`: reruns of an earlier run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from runbook.cli.commands import ExampleCommand, invocation
from runbook.cli.completion import complete_runs
from runbook.cli.options.rerun_options import RerunOptions
from runbook.cli.options.run_options import (
    confirm_option,
    connection_option,
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
    """Add the options of these commands. The guarded process parses the same command line."""
    for decorate in reversed(_OPTIONS):
        callback = decorate(callback)
    return callback


_OPTIONS = (
    click.argument("run_id", metavar="RUN", shell_complete=complete_runs),
    click.option(
        "--runbook",
        metavar="FILE",
        help="The runbook's file, if it is not in RUNBOOKS_DIR.",
    ),
    env_option,
    env_file_option,
    secret_option,
    connection_option,
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
    help="Name or number of the step to resume at. Defaults to the first incomplete step.",
)


@click.command(
    RETRY,
    cls=ExampleCommand,
    permission=Permission.RUN_RERUN,
    examples=(
        "runbook retry 0198c5a2-7d1e-7c3a-9b56-1f0e5a4d2c11",
        "runbook retry RUN --secret PASSWORD=@password.txt --url http://localhost:8083",
    ),
    short_help="Retry a run from the start.",
)
@rerun_options
@click.pass_context
def retry(context: click.Context, /, **given: Any) -> int:
    """Retry a run from the start, with the same inputs.

    Pass values that are not stored again, such as secrets and the connections of --connection. The
    exit code is the same as for `runbook execute`.
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
    short_help="Resume a run after the completed steps.",
)
@start_option
@rerun_options
@click.pass_context
def resume(context: click.Context, /, **given: Any) -> int:
    """Resume a failed run without repeating the completed steps.

    The variables, outputs and files of completed steps are restored. You can fix the runbook from
    the failed step on first. If anything above that step has changed, nothing is started and the
    differences are shown.
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
    short_help="Undo the completed steps of a run.",
)
@rerun_options
@click.pass_context
def undo(context: click.Context, /, **given: Any) -> int:
    """Execute the Undo blocks of a run's completed steps, last step first.

    They come from the document that the run executed, even if the runbook has changed since.
    """
    return _rerun(context, UNDO, RerunOptions(**given))


def _rerun(context: click.Context, action: str, options: RerunOptions) -> int:
    options.check()
    if options.url:
        from runbook.cli.source.remote_execution import rerun_remotely

        return rerun_remotely(action, options)
    from runbook.cli.guardian import guard_rerun
    from runbook.settings import process_environment

    called = invocation(context)
    arguments = [action, *called.arguments[1:]]
    return guard_rerun(arguments, called.environment or process_environment())

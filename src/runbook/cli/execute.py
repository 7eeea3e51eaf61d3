"""`runbook execute`: the process that the user starts. It guards the engine process."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from runbook.cli.commands import ExampleCommand, invocation
from runbook.cli.options.execute_options import ExecuteOptions
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
from runbook.cli.runbook_choice import runbook_choice
from runbook.core.permissions import Permission

Callback = TypeVar("Callback", bound=Callable[..., Any])

EXAMPLES = (
    "runbook execute --runbook SimpleRunbook.md --env TEST_VAR=hello",
    "runbook execute Deploy.md --env-file staging.env --reason 'OPS-12'",
    "runbook execute --runbook Backup.md --secret PASSWORD=@password.txt --timeout 1800",
    "pass show api | runbook execute --runbook Call.md --secret API_KEY=-",
    "runbook execute --runbook DeleteVm.md --env NAME=web1 --dry-run",
    "runbook execute proxmox/CreateVm.md --ask",
    "runbook execute Deploy.md --env STAGE=test --url http://localhost:8083",
    "runbook execute --runbook Poll.md --json | jq -r 'select(.type==\"done\").status'",
)

HELP = """Execute a runbook on this machine, without a server, or with --url on a server.

Passes on the script's standard output, standard error and exit code. The run is recorded in
DATA_DIR and below the runbook's History heading.

Inputs come from --secret and --env, then --env-file, then this process's environment, then the
runbook's defaults. Secrets are read from a file or from standard input and never shown.

Ctrl-C or SIGTERM cancels the run: the script gets SIGINT, then SIGTERM, then SIGKILL. A second one
kills it immediately. If standard output is closed, the run still finishes. With --url, Ctrl-C only
stops following the run: `runbook cancel` cancels it.

Exit codes: the script's own, 128+N if signal N killed it, 2 usage error, 65 invalid, 66 no such
runbook, 69 database unavailable, 70 lost or interrupted, 75 busy, 77 refused, 78 invalid
configuration, 124 timed out, 130 cancelled.
"""


def execute_options(callback: Callback) -> Callback:
    """Add the options of `execute`. The guarded process parses the same command line."""
    for decorate in reversed(_OPTIONS):
        callback = decorate(callback)
    return callback


_OPTIONS = (
    runbook_choice,
    env_option,
    env_file_option,
    secret_option,
    connection_option,
    token_option,
    reason_option,
    click.option(
        "--timeout",
        type=click.FloatRange(min=0, min_open=True),
        metavar="SECONDS",
        help="Maximum duration of the run. Defaults to SCRIPT_TIMEOUT_SECONDS.",
    ),
    confirm_option,
    click.option(
        "--dry-run",
        is_flag=True,
        help="Show the checks and the scripts, and what the runbook says it would change. The exit "
        "code is 0, too, if it doesn't support dry runs: nothing is executed.",
    ),
    click.option(
        "--ask",
        is_flag=True,
        help="Ask for required inputs that have no value, with their choices. Needs a terminal.",
    ),
    events_option,
    quiet_option,
    click.option(
        "--url",
        metavar="URL",
        help="Execute on the server at this URL. RUNBOOK_URL_BASE alone doesn't do that.",
    ),
)


@click.command(
    "execute",
    cls=ExampleCommand,
    permission=Permission.RUNBOOK_EXECUTE,
    examples=EXAMPLES,
    help=HELP,
    short_help="Execute a runbook.",
)
@execute_options
@click.pass_context
def execute(context: click.Context, /, **given: Any) -> int:
    options = ExecuteOptions(**given)
    options.check()
    from runbook.settings import process_environment

    called = invocation(context)
    environment = called.environment or process_environment()
    if options.url:
        from runbook.cli.source.remote_execution import execute_remotely

        return execute_remotely(options, environment)
    from runbook.cli.guardian import EXECUTION, guard_engine

    return guard_engine(EXECUTION, called.arguments[1:], environment)

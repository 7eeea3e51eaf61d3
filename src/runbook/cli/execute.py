"""`runbook execute`: the process that the user starts. It guards the engine process."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

from runbook.cli.commands import ExampleCommand, invocation
from runbook.cli.options.inputs import Assignment, check_stdin_once
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
from runbook.cli.runbook_choice import runbook_choice
from runbook.core.permissions import Permission

Callback = TypeVar("Callback", bound=Callable[..., Any])

EXAMPLES = (
    "runbook execute --runbook SimpleRunbook.md --env TEST_VAR=hello",
    "runbook execute Deploy.md --env-file staging.env --reason 'OPS-12'",
    "runbook execute --runbook Backup.md --secret PASSWORD=@password.txt --timeout 1800",
    "pass show api | runbook execute --runbook Call.md --secret API_KEY=-",
    "runbook execute --runbook DeleteVm.md --env NAME=web1 --dry-run",
    "runbook execute --runbook Poll.md --json | jq -r 'select(.type==\"done\").status'",
)

HELP = """Execute a runbook on this machine, without a server.

Passes on the script's standard output, standard error and exit code. The run is recorded in
DATA_DIR and below the runbook's History heading.

Inputs come from --secret and --env, then --env-file, then this process's environment, then the
runbook's defaults. Secrets are read from a file or from standard input and never shown.

Ctrl-C or SIGTERM cancels the run: the script gets SIGINT, then SIGTERM, then SIGKILL. A second one
kills it immediately. If standard output is closed, the run still finishes.

Exit codes: the script's own, 128+N if signal N killed it, 2 usage error, 65 invalid, 66 no such
runbook, 69 database unavailable, 70 lost or interrupted, 75 busy, 77 refused, 78 invalid
configuration, 124 timed out, 130 cancelled.
"""


@dataclass(frozen=True, slots=True)
class ExecuteOptions:
    """The options of `runbook execute`."""

    runbook: str
    env: tuple[Assignment, ...] = ()
    env_file: Path | None = None
    secret: tuple[Assignment, ...] = ()
    token_stdin: bool = False
    reason: str | None = None
    timeout: float | None = None
    confirm: str | None = None
    dry_run: bool = False
    as_json: bool = False
    quiet: bool = False

    def check(self) -> None:
        """Raises click.UsageError for invalid or conflicting options."""
        check_stdin_once(self.secret, token_stdin=self.token_stdin)
        if self.timeout is not None and not math.isfinite(self.timeout):
            raise click.UsageError("--timeout must be a finite number of seconds")
        if self.reason is not None and len(self.reason) > 500:
            raise click.UsageError("--reason must have at most 500 characters")


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
        help="Change nothing. Show the checks, the scripts, and what they would change.",
    ),
    events_option,
    quiet_option,
)


@click.command(
    "execute",
    cls=ExampleCommand,
    permission=Permission.RUNBOOK_EXECUTE,
    examples=EXAMPLES,
    help=HELP,
    short_help="Execute a runbook on this machine.",
)
@execute_options
@click.pass_context
def execute(context: click.Context, /, **given: Any) -> int:
    ExecuteOptions(**given).check()
    from runbook.cli.one_shot.guardian import EXECUTION, guard_engine
    from runbook.settings import process_environment

    called = invocation(context)
    return guard_engine(
        EXECUTION, called.arguments[1:], called.environment or process_environment()
    )

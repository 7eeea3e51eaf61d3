"""`runbook call`: executes another runbook from a script."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import click

from runbook.cli.commands import ExampleCommand
from runbook.cli.completion import complete_refs
from runbook.cli.options.inputs import Assignment, AssignmentType
from runbook.cli.script_values import plain_errors
from runbook.cli.terminal import exit_codes
from runbook.cli.terminal.messages import print_error, print_json
from runbook.core.permissions import Permission
from runbook.script import commands as script


@click.command(
    "call",
    cls=ExampleCommand,
    permission=Permission.RUNBOOK_EXECUTE,
    examples=(
        "runbook call network/PushConfig.md DEVICE=sw1 CONFIG=@sw1.cfg",
        "vm=$(runbook call CreateVm.md NAME=web1)",
        "runbook call DeleteVm.md VMID=104 --confirm web1 --quiet",
    ),
    short_help="Execute another runbook from a script.",
)
@click.argument("ref", shell_complete=complete_refs)
@click.argument("assignments", nargs=-1, type=AssignmentType(), metavar="[NAME=VALUE]...")
@click.option("--confirm", metavar="TEXT", help="The text that the runbook's policy requires.")
@click.option("--quiet", "-q", is_flag=True, help="Don't show its output.")
def call(ref: str, assignments: tuple[Assignment, ...], confirm: str | None, quiet: bool) -> int:
    """Execute another runbook from a script, wait until it finishes, and print its outputs as JSON.

    Its output appears in a frame on standard error. If it fails, the exit code is its return code.
    It runs as the script's caller, with the same claims, and is cancelled when the script ends. For
    a file input, NAME=@FILE sends the file's content.
    """
    try:
        with plain_errors():
            inputs = assigned_values(ref, assignments)
            outputs = script.call(ref, inputs, confirm=confirm, quiet=quiet)
    except script.NotInRunError as error:
        hint = f"to start it by hand, use `runbook execute --runbook {ref}`"
        raise script.NotInRunError(error.message, hint=hint) from None
    except script.CalledRunbookError as error:
        _print_failure(error, shown=not quiet)
        return exit_codes.of_run(error.done)
    print_json(outputs, pretty=False)
    return 0


def assigned_values(ref: str, assignments: Iterable[Assignment]) -> dict[str, object]:
    """Files for file inputs, texts for the others."""
    values: dict[str, object] = {item.name: item.value for item in assignments}
    paths = {item.name: Path(item.value[1:]) for item in assignments if item.value[:1] == "@"}
    if not paths:
        return values
    files = script.file_inputs(ref)
    return values | {name: path for name, path in paths.items() if name in files}


def _print_failure(error: script.CalledRunbookError, *, shown: bool) -> None:
    """Print why nothing was started. If a run was started, its frame shows the result."""
    problems = error.done.get("problems")
    if isinstance(problems, list) and problems:
        for problem in problems:
            print_error(str(problem.get("message")), problem.get("hint"))
    elif not shown or error.done.get("status") == "invalid":
        print_error(error.message)

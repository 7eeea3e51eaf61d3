"""`runbook fanout`: executes a runbook once for each device, from a script."""

from __future__ import annotations

import json
import re
from pathlib import Path

import click

from runbook.cli.call import assigned_values
from runbook.cli.commands import ExampleCommand
from runbook.cli.completion import complete_refs
from runbook.cli.options.inputs import Assignment, AssignmentType
from runbook.cli.script_values import plain_errors
from runbook.cli.terminal.messages import print_error, print_json
from runbook.core.permissions import Permission
from runbook.script import commands as script

FAILED = 1
SKIPPED = 3
_BY_HAND = (
    "to start it by hand, use `runbook execute --runbook fleet/Run.md --env RUNBOOK={ref} "
    "--env DEVICES=…`"
)
_VARIABLE = re.compile(r"[A-Z_][A-Za-z0-9_]*")


class ShareType(click.ParamType[str]):
    """A number, or a percentage of all devices."""

    name = "share"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> str:
        text = str(value).strip()
        if re.fullmatch(r"[1-9][0-9]{0,5}%?", text) is None:
            self.fail("must be a number such as 10, or a percentage such as 20%", param, ctx)
        return text


@click.command(
    "fanout",
    cls=ExampleCommand,
    permission=Permission.RUNBOOK_EXECUTE,
    examples=(
        "runbook fanout mikrotik/Poll.md --over DEVICES --on-busy skip",
        "runbook fanout mikrotik/Push.md --over DEVICES CHANGE=@change.rsc --canary 1",
        "runbook fanout Check.md --over edge-1,edge-2 --parallel 20% --max-failures 10%",
    ),
    short_help="Execute another runbook once for each device.",
)
@click.argument("ref", shell_complete=complete_refs)
@click.argument("assignments", nargs=-1, type=AssignmentType(), metavar="[NAME=VALUE]...")
@click.option(
    "--over",
    metavar="DEVICES",
    required=True,
    help="Names of devices, separated by commas or as a JSON array, or the variable that has them.",
)
@click.option(
    "--input", "given", metavar="NAME", help="The input that gets the device, if there are several."
)
@click.option(
    "--parallel",
    type=ShareType(),
    metavar="N|P%",
    default="10",
    show_default=True,
    help="How many devices at once, at most 100.",
)
@click.option(
    "--max-failures",
    type=ShareType(),
    metavar="N|P%",
    help="Start no more devices once this many have failed.",
)
@click.option(
    "--canary",
    type=click.IntRange(min=0),
    metavar="N",
    default=0,
    help="Start with the first N devices, and with the others only once these have succeeded.",
)
@click.option(
    "--on-busy",
    type=click.Choice(["wait", "skip"]),
    default="wait",
    show_default=True,
    help="Wait for a device that another run works on, or skip it.",
)
@click.option("--confirm", metavar="TEXT", help="The text that the runbook's policy requires.")
@click.option("--quiet", "-q", is_flag=True, help="Don't show what happens.")
def fanout(  # noqa: PLR0913, PLR0917 - one per option
    ref: str,
    assignments: tuple[Assignment, ...],
    over: str,
    given: str | None,
    parallel: str,
    max_failures: str | None,
    canary: int,
    on_busy: script.OnBusy,
    confirm: str | None,
    quiet: bool,
) -> int:
    """Execute another runbook once for each device, wait until all finish, and print the counts.

    The other inputs are the same for all. Each device is locked while its run works on it, and
    skipped for a while after 5 failures in a row. If the calling run is retried or resumed, devices
    that have succeeded are left out.

    Exit codes: 0 if every device succeeded, 1 if any failed or wasn't started, 3 if some were only
    skipped.
    """
    with plain_errors():
        inputs = assigned_values(ref, assignments)
        try:
            result = script.fanout(
                ref,
                devices_of(over),
                inputs,
                input=given,
                parallel=parallel,
                max_failures=max_failures,
                canary=canary,
                on_busy=on_busy,
                confirm=confirm,
                quiet=quiet,
            )
        except script.NotInRunError as error:
            raise script.NotInRunError(error.message, hint=_BY_HAND.format(ref=ref)) from None
        except script.FanoutFailedError as error:
            if quiet:
                print_error(error.message)
            print_json(error.result, pretty=False)
            return FAILED
    print_json(result, pretty=False)
    return SKIPPED if result["skipped"] else 0


def devices_of(text: str) -> list[str]:
    """The names in a variable, a file, a JSON array or a list. Raises ValueError.

    Names of devices are lower case, so no variable looks like one.
    """
    text = text.strip()
    if _VARIABLE.fullmatch(text):
        text = script.variable(text).strip()
    elif text.startswith("@"):
        text = Path(text[1:]).read_text(encoding="utf-8").strip()
    if not text.startswith("["):
        return [name for name in re.split(r"[,\s]+", text) if name]
    try:
        names = json.loads(text)
    except (ValueError, RecursionError):
        names = None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ValueError("--over must be a JSON array of names")
    return names

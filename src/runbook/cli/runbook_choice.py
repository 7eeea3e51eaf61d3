"""The runbook of a command, given as an argument `FILE` or as `--runbook FILE`."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

import click

from runbook.cli.completion import complete_files_and_refs

Callback = TypeVar("Callback", bound=Callable[..., Any])


def runbook_choice(callback: Callback) -> Callback:
    """Accept the runbook in both forms, passed to the command as `runbook`."""

    @functools.wraps(callback)
    def command(*args: Any, argument: str | None, option: str | None, **given: Any) -> Any:
        return callback(*args, runbook=_one(argument, option), **given)

    for decorate in (_option, _argument):
        command = decorate(command)
    return command  # type: ignore[return-value]


def _one(argument: str | None, option: str | None) -> str:
    """Raises click.UsageError unless exactly one is given."""
    named = [name for name in (argument, option) if name is not None]
    if len(named) > 1:
        raise click.UsageError("Specify the runbook once: as FILE or with --runbook")
    if not named:
        raise click.UsageError("Specify a runbook: FILE or --runbook FILE")
    return named[0]


_argument = click.argument(
    "argument", metavar="[FILE|REF]", required=False, shell_complete=complete_files_and_refs
)
_option = click.option(
    "--runbook",
    "option",
    metavar="FILE|REF",
    help="The runbook: a file, or a path below RUNBOOKS_DIR.",
    shell_complete=complete_files_and_refs,
)

"""`runbook version`."""

from __future__ import annotations

import platform

import click

from runbook import __version__
from runbook.cli.commands import ExampleCommand
from runbook.cli.source.choose import json_option
from runbook.cli.terminal.messages import print_json, print_line


@click.command(
    "version",
    cls=ExampleCommand,
    permission=None,
    examples=("runbook version", "runbook version --json"),
    short_help="Print the version.",
)
@json_option
def version(as_json: bool) -> None:
    """Print the version of this program, of its database schema, and of Python."""
    from runbook.store.migrations import HEAD

    python = platform.python_version()
    if as_json:
        value = {"version": __version__, "schema": HEAD, "python": python}
        print_json({**value, "platform": platform.platform()})
    else:
        print_line(f"runbook {__version__} (schema {HEAD}, Python {python})")

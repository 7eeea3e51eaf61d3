"""Options of all commands that start a run."""

from __future__ import annotations

from pathlib import Path

import click

from runbook.cli.options.inputs import AssignmentType, ConnectionFileType, SecretType

env_option = click.option(
    "--env",
    type=AssignmentType(),
    multiple=True,
    metavar="NAME=VALUE",
    help="Value of an input, or NAME=@PATH for a file input or the rows of a list. Repeatable.",
)
env_file_option = click.option(
    "--env-file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="File with values of inputs, one NAME=value per line.",
)
secret_option = click.option(
    "--secret",
    type=SecretType(),
    multiple=True,
    metavar="NAME=@FILE|NAME=-",
    help="Value of a secret input, from a file or from standard input. Repeatable.",
)
connection_option = click.option(
    "--connection",
    type=ConnectionFileType(),
    multiple=True,
    metavar="NAME=@FILE",
    help="Connection from a YAML or JSON file with its kind and values, for this run only. An "
    "input with the same name uses it by default. Repeatable.",
)
token_option = click.option(
    "--token-stdin",
    is_flag=True,
    help="Read a bearer token from standard input, instead of RUNBOOK_TOKEN. Its claims apply.",
)
reason_option = click.option(
    "--reason", metavar="TEXT", help="Why you run it; stored with the run and in its history entry."
)
confirm_option = click.option(
    "--confirm", metavar="TEXT", help="The text that the runbook's policy requires."
)
events_option = click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="Print each event as a line of JSON, ending with `done`.",
)
quiet_option = click.option(
    "--quiet", "-q", is_flag=True, help="Print only the script's output and errors."
)

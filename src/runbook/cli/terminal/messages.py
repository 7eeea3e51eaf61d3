"""What the program itself says: on standard error, one line each, starting with its name."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from typing import TextIO

import click

from runbook.cli.terminal.escaping import escaped


def print_error(message: str, hint: str | None = None) -> None:
    note(f"error: {message}")
    if hint:
        note(f"hint: {hint}")


def print_warning(message: str) -> None:
    note(f"warning: {message}")


def note(message: str) -> None:
    """One line on standard error; what others wrote into it cannot control the terminal."""
    try:
        click.echo(f"runbook: {escaped(message)}", err=True)
    except BrokenPipeError:
        return


def print_lines(text: str) -> None:
    """Several lines on standard error that belong to what was said before, as safe as a note."""
    with suppress(BrokenPipeError):
        for line in text.split("\n"):
            click.echo(escaped(line), err=True)


def print_line(text: str) -> None:
    """One line on standard output, which must be safe already."""
    click.echo(text)


def print_json(value: Mapping[str, object], *, pretty: bool = True) -> None:
    """One JSON object, in ASCII: nothing in it can control a terminal.

    `pretty` spreads it over lines where a person looks; a stream of objects has one per line.
    """
    indent = 2 if pretty and sys.stdout.isatty() else None
    click.echo(json.dumps(value, indent=indent, default=str))


def silence(stream: TextIO) -> None:
    """Nobody reads this stream any more; writing more of it must not raise again."""
    try:
        descriptor = stream.fileno()
    except (OSError, ValueError):  # not a real stream
        return
    with open(os.devnull, "wb") as nowhere:  # noqa: PTH123 - a device
        os.dup2(nowhere.fileno(), descriptor)

"""Prints messages, one per line on standard error after `runbook:`, and results on stdout."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
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
    """Print a line on standard error, with control characters escaped."""
    write_error(f"runbook: {escaped(message)}\n")


def print_lines(text: str) -> None:
    """Print lines on standard error below a message, with control characters escaped."""
    for line in text.split("\n"):
        write_error(f"{escaped(line)}\n")


def write_error(text: str) -> None:
    """Write safe text to standard error. If that is closed or full, nobody can be told."""
    try:
        click.echo(text, err=True, nl=False)
    except OSError:
        silence(sys.stderr)


def settle_streams() -> None:
    """Discard output that can't be written, or Python would exit with 120 at the end."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            silence(stream)


def print_line(text: str) -> None:
    """Print a line on standard output. The caller must have escaped it."""
    click.echo(text)


def print_bytes(text: bytes) -> None:
    """Print UTF-8 on standard output, whatever the locale. Does nothing if that is closed."""
    try:
        sys.stdout.buffer.write(text)
        sys.stdout.flush()
    except OSError:
        silence(sys.stdout)


def print_json(value: Mapping[str, object], *, pretty: bool = True) -> None:
    """Print a JSON object in ASCII, so that nothing in it can control a terminal.

    `pretty` indents it in a terminal; a stream of objects must have one per line.
    """
    indent = 2 if pretty and sys.stdout.isatty() else None
    click.echo(json.dumps(value, indent=indent, default=str))


def silence(stream: TextIO) -> None:
    """Discard further writes to a closed or full stream instead of raising again."""
    try:
        descriptor = stream.fileno()
    except (OSError, ValueError):  # not a real stream
        return
    with open(os.devnull, "wb") as nowhere:  # noqa: PTH123 - a device
        os.dup2(nowhere.fileno(), descriptor)

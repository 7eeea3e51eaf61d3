"""Commands for scripts: the functions of `runbook.script.commands`.

They don't import the engine, because scripts may call them in loops.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from runbook.cli.commands import ExampleCommand
from runbook.cli.options.inputs import STDIN, read_stdin
from runbook.script import commands as script


@contextmanager
def plain_errors() -> Iterator[None]:
    """Turn a ValueError into a usage error."""
    try:
        yield
    except ValueError as error:
        raise click.UsageError(str(error)) from None


@click.command(
    "progress",
    cls=ExampleCommand,
    permission=None,
    examples=("runbook progress 40 'Cloning disk'", "runbook progress 100"),
    short_help="Report progress.",
)
@click.argument("percent", type=click.FloatRange(0, 100))
@click.argument("text", default="")
def progress(percent: float, text: str) -> None:
    """Report progress in percent, with an optional text."""
    with plain_errors():
        script.progress(percent, text)


@click.command(
    "env",
    cls=ExampleCommand,
    permission=None,
    examples=(
        "runbook env VM_ID=104 VM_NAME=web1",
        "fetch-password | runbook env PASSWORD=-",
    ),
    short_help="Set variables for later steps.",
)
@click.argument("assignments", nargs=-1, required=True, metavar="NAME=VALUE...")
def env(assignments: tuple[str, ...]) -> None:
    """Set variables for later steps.

    If the value is -, it is read from standard input, without the last newline.
    """
    _assign(assignments, script.env)


@click.command(
    "output",
    cls=ExampleCommand,
    permission=None,
    examples=("runbook output vmid=104 address=10.0.0.7", "hostname | runbook output host=-"),
    short_help="Set outputs of the run.",
)
@click.argument("assignments", nargs=-1, required=True, metavar="NAME=VALUE...")
def output(assignments: tuple[str, ...]) -> None:
    """Set outputs of the run, which are returned to its caller.

    If the value is -, it is read from standard input, without the last newline.
    """
    _assign(assignments, script.output)


@click.command(
    "device",
    cls=ExampleCommand,
    permission=None,
    examples=(
        "runbook device edge-1 version=7.18 last_seen=now",
        "runbook device edge-2 connection=routers address=192.0.2.2 tags=edge,new",
    ),
    short_help="Report what is known of a device.",
)
@click.argument("name")
@click.argument("assignments", nargs=-1, metavar="[FIELD=VALUE]...")
def device(name: str, assignments: tuple[str, ...]) -> None:
    """Report fields of a device; a new one is added to the inventory.

    Times are ISO 8601, or now. The Policy needs `inventory: update`.
    """
    with plain_errors():
        script.device(name, **dict(map(_divided, assignments)))


def _assign(assignments: tuple[str, ...], assign: Callable[[str, object], None]) -> None:
    divided = [_divided(text) for text in assignments]
    if sum(value == STDIN for _, value in divided) > 1:
        raise click.UsageError("only one value can be read from standard input")
    with plain_errors():
        for name, value in divided:
            assign(name, without_newline(read_stdin(name)) if value == STDIN else value)


def _divided(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        # Don't print the text: it may be a misplaced secret.
        raise click.UsageError("each argument must be NAME=VALUE")
    return name, value


def without_newline(text: str) -> str:
    """Remove the last newline, which `echo` and most programs add."""
    return text.removesuffix("\n").removesuffix("\r")


@click.command(
    "summary",
    cls=ExampleCommand,
    permission=None,
    examples=("runbook summary 'Created **web1** as VM 104.'", "make-report | runbook summary"),
    short_help="Add Markdown to the run's summary.",
)
@click.argument("text", default=STDIN)
def summary(text: str) -> None:
    """Add Markdown to the run's summary, from TEXT or else from standard input."""
    with plain_errors():
        script.summary(read_stdin("the summary") if text == STDIN else text)


@click.command(
    "mask",
    cls=ExampleCommand,
    permission=None,
    examples=("print -r -- $token | runbook mask", "cat key.pem | runbook mask"),
    short_help="Mask a value in further output.",
)
@click.argument("value", default=STDIN)
def mask(value: str) -> None:
    """Mask a value in all further output. Mask it before you print it.

    Pass it on standard input: every process on the machine can see a command line. The last newline
    is not part of the value.
    """
    with plain_errors():
        script.mask(without_newline(read_stdin("the value")) if value == STDIN else value)


@click.command(
    "plan",
    cls=ExampleCommand,
    permission=None,
    examples=(
        "runbook plan --verified 'create VM 104'",
        "runbook plan --assumed 'restart nginx'",
    ),
    short_help="Report a change that a real run would make.",
)
@click.argument("text")
@click.option(
    "--verified", "label", flag_value="verified", help="Confirmed by reading the current state."
)
@click.option("--assumed", "label", flag_value="assumed", help="Derived from the inputs.")
def plan(text: str, label: script.Label | None) -> None:
    """In a dry run, report a change that a real run would make. Use once per change."""
    with plain_errors():
        script.plan(text, label=label or "unknown")


@click.command(
    "artifact",
    cls=ExampleCommand,
    permission=None,
    examples=("runbook artifact report.html", "runbook artifact out.log --name logs/build.log"),
    short_help="Save a file as an artifact of the run.",
)
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--name",
    metavar="NAME",
    help="Name of the artifact, which may contain folders. Defaults to the file's name.",
)
def artifact(file: Path, name: str | None) -> None:
    """Save a copy of a file as an artifact of the run."""
    with plain_errors():
        script.artifact(file, name)

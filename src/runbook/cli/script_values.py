"""What a script says to its run: the functions of `runbook.script.commands` as commands.

Scripts use them in loops: nothing of the engine is loaded here.
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
    """A value that the functions refuse is a mistake in the command line."""
    try:
        yield
    except ValueError as error:
        raise click.UsageError(str(error)) from None


@click.command(
    "progress",
    cls=ExampleCommand,
    permission=None,
    examples=("runbook progress 40 'Cloning disk'", "runbook progress 100"),
    short_help="Say how far the script is.",
)
@click.argument("percent", type=click.FloatRange(0, 100))
@click.argument("text", default="")
def progress(percent: float, text: str) -> None:
    """Say how far the script is, from 0 to 100, and at what."""
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
    short_help="Set variables of the steps that follow.",
)
@click.argument("assignments", nargs=-1, required=True, metavar="NAME=VALUE...")
def env(assignments: tuple[str, ...]) -> None:
    """Set variables of the steps that follow.

    The value - stands for standard input without its last newline.
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
    """Set outputs of the run, which its callers get.

    The value - stands for standard input without its last newline.
    """
    _assign(assignments, script.output)


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
        # The text is not repeated: it may be a secret in the wrong place.
        raise click.UsageError("each argument must be NAME=VALUE")
    return name, value


def without_newline(text: str) -> str:
    """Less the last newline, which `echo` and most programs add."""
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
    """Add Markdown to the run's summary, from standard input where no text is given."""
    with plain_errors():
        script.summary(read_stdin("the summary") if text == STDIN else text)


@click.command(
    "mask",
    cls=ExampleCommand,
    permission=None,
    examples=("print -r -- $token | runbook mask", "cat key.pem | runbook mask"),
    short_help="Mask a value in all output that follows.",
)
@click.argument("value", default=STDIN)
def mask(value: str) -> None:
    """Mask a value in all output that follows. Do so before it is printed.

    Give it on standard input: a command line can be seen by every process of the machine. The
    last newline does not belong to the value.
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
    short_help="Say what a real run would change.",
)
@click.argument("text")
@click.option("--verified", "label", flag_value="verified", help="Found out by reading.")
@click.option("--assumed", "label", flag_value="assumed", help="It follows from what was asked.")
def plan(text: str, label: script.Label | None) -> None:
    """Say what a real run would change; once for each change of a dry run."""
    with plain_errors():
        script.plan(text, label=label or "unknown")


@click.command(
    "artifact",
    cls=ExampleCommand,
    permission=None,
    examples=("runbook artifact report.html", "runbook artifact out.log --name logs/build.log"),
    short_help="Keep a file with the run.",
)
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--name", metavar="NAME", help="What it is called; may lead into folders.")
def artifact(file: Path, name: str | None) -> None:
    """Keep a copy of a file with the run."""
    with plain_errors():
        script.artifact(file, name)

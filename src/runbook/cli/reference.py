"""Generates the command reference in docs/cli.md.

`python -m runbook.cli.reference docs/cli.md` updates the part between the two markers.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import click

from runbook.cli.app import cli
from runbook.cli.commands import PROGRAM, ExampleCommand

BEGIN = "<!-- commands: begin -->\n"
END = "<!-- commands: end -->\n"


def reference() -> str:
    """The help, examples, arguments and options of every command, as Markdown."""
    return "\n".join(_lines(cli, PROGRAM))


def renewed(document: str) -> str:
    """The document with an up-to-date reference. Raises ValueError if a marker is missing."""
    before, begin, rest = document.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError("the document has no markers for the command reference")
    return f"{before}{BEGIN}\n{reference()}\n{END}{after}"


def _lines(group: click.Group, name: str) -> Iterator[str]:
    for command in group.commands.values():
        full_name = f"{name} {command.name}"
        if isinstance(command, click.Group):
            yield from _lines(command, full_name)
        else:
            yield from _command_lines(command, full_name)


def _command_lines(command: click.Command, name: str) -> Iterator[str]:
    # A command keeps the help option of its first context.
    context = click.Context(command, info_name=name, **cli.context_settings)
    yield f"### {name}\n"
    yield f"    {' '.join((name, *command.collect_usage_pieces(context)))}\n"
    yield f"{_paragraphs(command.help or '')}\n"
    if isinstance(command, ExampleCommand) and command.examples:
        yield "```sh"
        yield from command.examples
        yield "```\n"
    options = [item for item in command.params if isinstance(item, click.Option)]
    if options:
        yield "| option | meaning |\n|---|---|"
        yield from (_option_row(option, context) for option in options)
        yield ""


def _paragraphs(text: str) -> str:
    return "\n\n".join(" ".join(part.split()) for part in text.strip().split("\n\n"))


def _option_row(option: click.Option, context: click.Context) -> str:
    names, meaning = option.get_help_record(context) or ("", "")
    escaped = [" ".join(part.split()).replace("|", "\\|") for part in (names, meaning)]
    return f"| `{escaped[0]}` | {escaped[1]} |"


def main() -> None:
    path = Path(sys.argv[1])
    path.write_text(renewed(path.read_text()))


if __name__ == "__main__":
    main()

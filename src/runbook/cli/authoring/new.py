"""`runbook new`: a runbook to begin with."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from runbook.cli.commands import ExampleCommand
from runbook.cli.terminal.escaping import escaped
from runbook.cli.terminal.messages import note, print_line

if TYPE_CHECKING:
    from collections.abc import Mapping

SUFFIX = ".md"


@click.command(
    "new",
    cls=ExampleCommand,
    permission=None,
    examples=(
        "runbook new RestartService",
        "runbook new CreateVm --folder runbooks/proxmox --steps",
    ),
    short_help="Begin a new runbook.",
)
@click.argument("name")
@click.option(
    "--folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where to write it; RUNBOOKS_DIR if not given.",
)
@click.option("--steps", is_flag=True, help="With a script of several steps.")
def new(name: str, folder: Path | None, steps: bool) -> None:
    """Write NAME.md, a runbook that is valid and explains its parts, to be changed.

    An existing file is never overwritten. The file's path is printed.
    """
    from runbook.cli.authoring.templates import new_runbook
    from runbook.settings import process_environment

    name = _checked(name)
    folder = folder or _runbooks_dir(process_environment())
    path = folder / f"{name}{SUFFIX}"
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with path.open("x", encoding="utf-8", newline="\n") as file:
            file.write(new_runbook(name, steps=steps))
    except FileExistsError:
        raise click.UsageError(f"{path} exists already; choose another name") from None
    print_line(escaped(str(path)))
    note(f"next: edit it, then `runbook lint {path}`")


def _runbooks_dir(environment: Mapping[str, str]) -> Path:
    from runbook.cli.source.opening import load_settings

    return load_settings(environment).runbooks_dir


def _checked(name: str) -> str:
    """The name without `.md`. Raises click.UsageError where it cannot be a file's and a title."""
    from runbook.cli.authoring.templates import new_runbook
    from runbook.core.language.parse import parse
    from runbook.library.refs import valid_segment

    name = name.removesuffix(SUFFIX)
    if "/" in name:
        raise click.UsageError("NAME names no folder: give that with --folder")
    usable = bool(name.strip()) and valid_segment(name + SUFFIX)
    document = parse(new_runbook(name).encode("utf-8", "replace"), stem=name) if usable else None
    if document is None or document.problems:
        raise click.UsageError(
            f"{name!r} cannot name a runbook: use letters, digits, dots and dashes"
        )
    return name

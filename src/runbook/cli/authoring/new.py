"""`runbook new`: creates a runbook from a template."""

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
    short_help="Create a runbook from a template.",
)
@click.argument("name")
@click.option(
    "--folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder to create it in. Defaults to RUNBOOKS_DIR.",
)
@click.option("--steps", is_flag=True, help="Create a runbook with several steps.")
def new(name: str, folder: Path | None, steps: bool) -> None:
    """Create NAME.md, a valid runbook with explanations, for you to edit.

    Prints the path of the file. Existing files are not overwritten.
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
        raise click.UsageError(f"{path} already exists. Use another name") from None
    print_line(escaped(str(path)))
    note(f"next: edit the file, then check it with `runbook lint {path}`")


def _runbooks_dir(environment: Mapping[str, str]) -> Path:
    from runbook.cli.source.opening import load_settings

    return load_settings(environment).runbooks_dir


def _checked(name: str) -> str:
    """The name without `.md`. Raises click.UsageError if it can't be a file name and a heading."""
    from runbook.cli.authoring.templates import new_runbook
    from runbook.core.language.parse import parse
    from runbook.library.refs import valid_segment

    name = name.removesuffix(SUFFIX)
    if "/" in name:
        raise click.UsageError("NAME must not contain a path; use --folder")
    usable = bool(name.strip()) and valid_segment(name + SUFFIX)
    document = parse(new_runbook(name).encode("utf-8", "replace"), stem=name) if usable else None
    if document is None or document.problems:
        raise click.UsageError(
            f"{name!r} is not a valid name. Use letters, digits, dots and dashes"
        )
    return name

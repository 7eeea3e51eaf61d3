"""`runbook artifacts`: lists and downloads the artifacts of a run."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Any

import click

from runbook.cli.commands import ExampleCommand
from runbook.cli.completion import complete_runs
from runbook.cli.source.choose import SourceOptions, json_option, source_options
from runbook.cli.terminal.messages import note, print_json, print_line
from runbook.cli.terminal.render import table, text_of
from runbook.core.permissions import Permission
from runbook.errors import ConflictError


@click.command(
    "artifacts",
    cls=ExampleCommand,
    permission=Permission.RUN_READ,
    examples=(
        "runbook artifacts 0198c5a2-7d1e-7c3a-9b56-1f0e5a4d2c11",
        "runbook artifacts RUN --into ./reports --url http://localhost:8083",
    ),
    short_help="List or download the artifacts of a run.",
)
@click.argument("run_id", metavar="RUN", shell_complete=complete_runs)
@click.argument("names", metavar="[NAME]...", nargs=-1)
@click.option(
    "--into",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Download to this folder. Existing files are not overwritten.",
)
@json_option
@source_options
def artifacts(
    run_id: str, names: tuple[str, ...], into: Path | None, as_json: bool, **given: Any
) -> None:
    """List or download the artifacts of a run: all, or only those given by name."""
    with SourceOptions(**given).open() as source:
        found = source.artifacts(run_id)
        if names:
            found = [item for item in found if item["name"] in names]
        if into is not None:
            for item in found:
                name = str(item["name"])
                _write(_below(into, name), source.artifact(run_id, name))
    if as_json:
        print_json({"artifacts": found})
    elif not found:
        note("the run has no artifacts with these names" if names else "the run has no artifacts")
    else:
        rows = ([text_of(i["name"]), text_of(i["size"]), text_of(i["sha256"])] for i in found)
        for line in table(("NAME", "BYTES", "SHA-256"), rows):
            print_line(line)


def _below(folder: Path, name: str) -> Path:
    """The path of a file in the folder. Raises ConflictError if the name leads outside it."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\0" in name:
        raise ConflictError(f"Artifact {name!r} would be written outside {folder}")
    return folder / path


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with path.open("xb") as file:
            file.write(content)
    except FileExistsError:
        raise ConflictError(f"{path} already exists. Use another folder with --into") from None

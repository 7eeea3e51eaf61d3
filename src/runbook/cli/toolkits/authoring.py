"""`runbook toolkit new`, `package` and `schema`: for people who write toolkits."""

from __future__ import annotations

from pathlib import Path

import click

from runbook.cli.commands import ExampleCommand
from runbook.cli.source.choose import json_option
from runbook.cli.terminal.messages import note, print_json, print_line


@click.command(
    "new",
    cls=ExampleCommand,
    permission=None,
    examples=("runbook toolkit new my-toolkit", "runbook toolkit new my-toolkit --folder kits"),
    short_help="Create a toolkit with a runbook and a test.",
)
@click.argument("slug")
@click.option(
    "--folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(),
    help="Folder to create it in. Defaults to the current one.",
)
def new(slug: str, folder: Path) -> None:
    """Create the folder SLUG with a small toolkit, for you to edit.

    It can be installed as it is, and its test passes. Prints the path of the folder.
    """
    from runbook.cli.toolkits.new_toolkit import new_toolkit
    from runbook.core.manifest import SLUG, SLUG_RULE

    if not SLUG.fullmatch(slug):
        raise click.UsageError(f"{slug!r} is not a valid slug. Use {SLUG_RULE}")
    made = folder / slug
    try:
        made.mkdir(parents=True)
    except FileExistsError:
        raise click.UsageError(f"{made} already exists. Use another slug") from None
    for name, text in new_toolkit(slug).items():
        (made / name).write_text(text, encoding="utf-8", newline="\n")
    print_line(str(made))
    shown = _as_folder(made)
    note(f"next: `runbook test {shown}`, then `runbook toolkit install {shown}`")


def _as_folder(path: Path) -> str:
    """So that it can't be taken for the slug of a bundled toolkit."""
    return str(path) if path.is_absolute() else f"./{path}"


@click.command(
    "package",
    cls=ExampleCommand,
    permission=None,
    examples=(
        "runbook toolkit package ./my-toolkit",
        "runbook toolkit package ./my-toolkit -o dist/my-toolkit.zip",
    ),
    short_help="Make a toolkit's archive, if its tests pass.",
)
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File to write. Defaults to SLUG-VERSION.zip.",
)
@json_option
def package(folder: Path, output: Path | None, as_json: bool) -> int:
    """Make the .zip archive of a toolkit, without the histories of its runbooks.

    Lints and tests the toolkit first, as `runbook lint` and `runbook test` do, and makes no archive
    if there is an error. The same files give the same archive, byte for byte. Prints its SHA-256.
    """
    import hashlib

    from runbook.cli.authoring.gate import examined, write_whole
    from runbook.settings import process_environment
    from runbook.toolkits.folder import read_toolkit
    from runbook.toolkits.package import pack

    manifest = read_toolkit(folder).manifest
    content = pack(folder)
    if code := examined(folder, manifest.slug, process_environment()):
        return code
    file = output or Path(f"{manifest.slug}-{manifest.version}.zip")
    write_whole(file, content)
    digest = hashlib.sha256(content).hexdigest()
    if as_json:
        found = {"slug": manifest.slug, "version": manifest.version}
        print_json({"success": True, **found, "file": str(file), "sha256": digest})
    else:
        print_line(f"{digest}  {file}")
    return 0


@click.command(
    "schema",
    cls=ExampleCommand,
    permission=None,
    examples=("runbook toolkit schema > toolkit.schema.json",),
    short_help="Print the JSON Schema of toolkit.yaml.",
)
def schema() -> None:
    """Print the JSON Schema (2020-12) of toolkit.yaml, for editors."""
    from runbook.core.manifest import manifest_schema

    print_json(manifest_schema())

"""`runbook toolkit new`, `package` and `schema`: for people who write toolkits."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import click

from runbook.cli.commands import ExampleCommand
from runbook.cli.source.choose import json_option
from runbook.cli.terminal import exit_codes
from runbook.cli.terminal.messages import note, print_json, print_line, write_error

NO_CASES = 66


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

    from runbook.settings import process_environment
    from runbook.toolkits.folder import read_toolkit
    from runbook.toolkits.package import pack

    environment = process_environment()
    manifest = read_toolkit(folder).manifest
    if errors := _lint(folder, environment):
        note(f"error: the toolkit's runbooks have errors ({errors}); made no archive")
        return exit_codes.INVALID
    content = pack(folder)
    code = _test(folder, environment)
    if code == NO_CASES:
        note(f"warning: {manifest.slug} has no test cases")
    elif code:
        note("error: a test failed; made no archive")
        return code
    file = output or Path(f"{manifest.slug}-{manifest.version}.zip")
    _write(file, content)
    digest = hashlib.sha256(content).hexdigest()
    if as_json:
        found = {"slug": manifest.slug, "version": manifest.version}
        print_json({"success": True, **found, "file": str(file), "sha256": digest})
    else:
        print_line(f"{digest}  {file}")
    return 0


def _lint(folder: Path, environment: Mapping[str, str]) -> int:
    """Print what is wrong on standard error. Returns the number of errors."""
    from runbook.bootstrap import input_limits, search_path
    from runbook.cli.authoring.lint import examine
    from runbook.cli.authoring.selection import select_runbooks
    from runbook.cli.source.opening import load_settings
    from runbook.cli.terminal.render import problem_line
    from runbook.host.shells import Shells
    from runbook.resources.problem import problem_json

    settings = load_settings(environment)
    shells, limits = Shells(search_path(settings)), input_limits(settings)
    errors = 0
    for item in select_runbooks([str(folder)], environment):
        for finding in examine(item, settings.script_env_pass, limits, shells):
            errors += finding.is_error
            line = problem_line(finding.file, problem_json(finding.problem))
            write_error(f"{line}\n")
    return errors


def _test(folder: Path, environment: Mapping[str, str]) -> int:
    """The exit code of `runbook test`, whose report goes to standard error."""
    from runbook.host.guard import guard_program

    command = [sys.executable, "-P", "-m", "runbook", "test", str(folder)]
    with _stdout_to_stderr():
        return guard_program(command, environment)


@contextmanager
def _stdout_to_stderr() -> Iterator[None]:
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)


def _write(file: Path, content: bytes) -> None:
    """Whole or not at all."""
    file.parent.mkdir(parents=True, exist_ok=True)
    new = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        new.write_bytes(content)
        new.replace(file)
    finally:
        new.unlink(missing_ok=True)


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

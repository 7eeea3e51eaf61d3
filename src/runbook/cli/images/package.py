"""`runbook package`: an image that holds runbooks."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from runbook.cli.commands import ExampleCommand
from runbook.cli.source.choose import json_option
from runbook.cli.terminal.messages import note, print_json, print_line

if TYPE_CHECKING:
    from runbook.images.context import Package

BASE = "runbook"
FAILED = 1

HELP = """Make an image that holds the runbooks in DIR.

Lints and tests all runbooks first, as `runbook lint` and `runbook test` do, and makes nothing if
there is an error. Writes the build context, a tar archive without histories and hidden files: the
same files always give the same archive. Then builds it with Docker, if the Docker CLI is installed.
The label `runbook.documents` has the digest of each runbook.

With --single, the image executes one runbook by default: see docs/images.md.
"""


@click.command(
    "package",
    cls=ExampleCommand,
    permission=None,
    examples=(
        "runbook package runbooks -t my-runbooks",
        "runbook package jobs -t team/backup:1 --single Backup.md",
        "runbook package runbooks -t my-runbooks:2 --base runbook:extended --no-build -o ctx.tar",
    ),
    help=HELP,
    short_help="Make an image that holds runbooks.",
)
@click.argument("folder", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))
@click.option("-t", "--tag", required=True, metavar="NAME[:TAG]", help="Name of the image.")
@click.option("--single", metavar="FILE", help="Runbook in DIR to execute by default.")
@click.option("--base", default=BASE, show_default=True, metavar="IMAGE", help="Base image.")
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File of the build context. Defaults to NAME-TAG.tar.",
)
@click.option("--no-build", is_flag=True, help="Only write the build context.")
@json_option
def package(
    folder: Path,
    tag: str,
    single: str | None,
    base: str,
    output: Path | None,
    no_build: bool,
    as_json: bool,
) -> int:
    import hashlib

    from runbook.cli.authoring.gate import examined, write_whole
    from runbook.cli.source.locate import absolute
    from runbook.images.context import check_image_name, file_name, read_package
    from runbook.settings import process_environment

    check_image_name(tag)
    if not folder.is_dir():
        raise click.UsageError(f"{folder} is not a folder")
    root = absolute(folder)
    made = read_package(root, base=base, job=_ref(root, single))
    # In the image, the refs start at this folder.
    environment = {**process_environment(), "RUNBOOKS_DIR": str(root)}
    if code := examined(folder, str(folder), environment):
        return code
    content = made.context()
    file = output or Path(file_name(tag))
    write_whole(file, content)
    digest = hashlib.sha256(content).hexdigest()
    built = None if no_build else _built(tag, file, environment)
    if as_json:
        print_json(
            _result(made, tag, file, digest) | {"success": built is not False, "built": bool(built)}
        )
    else:
        print_line(f"{digest}  {file}")
    return FAILED if built is False else 0


def _ref(root: Path, single: str | None) -> str | None:
    """The runbook's path below the folder; it may be given as that, or as a path of a file."""
    from runbook.cli.source.locate import absolute, ref_below

    if single is None or (root / single).is_file():
        return single
    return ref_below(root, absolute(Path(single))) or single


def _built(tag: str, file: Path, environment: Mapping[str, str]) -> bool | None:
    """Whether the image was built; None without Docker."""
    from runbook.images.docker import build, found_docker

    docker = found_docker(environment)
    if docker is None:
        note(f"Docker isn't installed. To build the image: docker build -t {tag} - < {file}")
        return None
    if build(docker, tag, file, environment):
        note(f"error: Docker couldn't build the image; the context is in {file}")
        return False
    return True


def _result(made: Package, tag: str, file: Path, digest: str) -> dict[str, object]:
    documents = dict(made.documents)
    return {"tag": tag, "file": str(file), "sha256": digest, "documents": documents}

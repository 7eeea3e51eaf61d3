"""`runbook toolkit`: installs, enables, upgrades and removes toolkits."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from runbook.cli.commands import ExampleCommand
from runbook.cli.source.choose import json_option
from runbook.cli.terminal.messages import note, print_json, print_line
from runbook.cli.terminal.render import table, text_of
from runbook.cli.toolkits.authoring import new, package, schema
from runbook.core.permissions import Permission

if TYPE_CHECKING:
    from runbook.core.access import Principal
    from runbook.core.toolkit import InstalledToolkit
    from runbook.toolkits.toolkits import Toolkits

HELP = """Install, enable, upgrade, remove and write toolkits: folders of runbooks with a manifest.

The runbooks of an enabled toolkit have refs that start with its slug, such as proxmox/List.md.

\b
Examples:
  $ runbook toolkit list
  $ runbook toolkit install proxmox
  $ runbook toolkit install ./my-toolkit
  $ runbook toolkit enable proxmox
"""


@click.group("toolkit", help=HELP, short_help="Install and enable toolkits.")
def toolkit() -> None:
    pass


for command in (new, package, schema):
    toolkit.add_command(command)


@contextmanager
def _toolkits() -> Iterator[tuple[Toolkits, Principal]]:
    from runbook.bootstrap import build_toolkits, local_operator
    from runbook.cli.source.opening import load_settings, open_engine
    from runbook.settings import process_environment

    settings = load_settings(process_environment())
    with closing(open_engine(settings)) as engine:
        yield build_toolkits(settings, engine), local_operator(settings)


@toolkit.command(
    "defaults",
    cls=ExampleCommand,
    permission=Permission.TOOLKIT_WRITE,
    examples=("runbook toolkit defaults",),
    short_help="Install the bundled toolkits that need nothing.",
)
def defaults() -> None:
    """Install and enable the bundled toolkits that need nothing, and list the others.

    Each only once: a toolkit that you disable or remove stays so. `make start` calls this;
    `runbook serve` does not.
    """
    from runbook.cli.source.opening import load_settings
    from runbook.cli.toolkits.description import state
    from runbook.settings import process_environment
    from runbook.toolkits.defaults import install_defaults
    from runbook.toolkits.listing import listed_json

    memory = load_settings(process_environment()).data_dir / "toolkits.defaults"
    with _toolkits() as (toolkits, principal):
        for slug in install_defaults(toolkits, principal, memory):
            note(f"enabled the toolkit {slug}")
        listed = [listed_json(it) for it in toolkits.list(principal)]
    others = [it for it in listed if not it["enabled"]]
    for it in others:
        note(f"the toolkit {it['slug']} is {state(it)}")
    if others:
        note("optional: `runbook toolkit show NAME` says how to get a toolkit and what it needs")


@toolkit.command(
    "list",
    cls=ExampleCommand,
    permission=Permission.TOOLKIT_READ,
    examples=("runbook toolkit list", "runbook toolkit list --json"),
    short_help="List toolkits.",
)
@json_option
def list_toolkits(as_json: bool) -> None:
    """List installed toolkits, and bundled ones that can be installed."""
    from runbook.cli.toolkits.description import state
    from runbook.toolkits.listing import list_json

    with _toolkits() as (toolkits, principal):
        listed = list_json(toolkits, principal)
    if as_json:
        print_json(listed)
        return
    found = listed["toolkits"]
    if not found:
        note("no toolkits")
        return
    rows = ([it["slug"], it["version"] or "-", state(it), text_of(it["name"])] for it in found)
    for line in table(("TOOLKIT", "VERSION", "STATE", "NAME"), rows):
        print_line(line)


@toolkit.command(
    "show",
    cls=ExampleCommand,
    permission=Permission.TOOLKIT_READ,
    examples=("runbook toolkit show health", "runbook toolkit show health --json"),
    short_help="Show a toolkit, what it needs and its runbooks.",
)
@click.argument("slug")
@json_option
def show_toolkit(slug: str, as_json: bool) -> None:
    """Show a toolkit that is installed or bundled: what it needs, its runbooks and its README."""
    from runbook.cli.toolkits.description import described
    from runbook.toolkits.listing import shown_json

    with _toolkits() as (toolkits, principal):
        found = shown_json(toolkits.show(slug, principal))
    if as_json:
        print_json(found)
        return
    for line in described(found):
        print_line(line)


@toolkit.command(
    "install",
    cls=ExampleCommand,
    permission=Permission.TOOLKIT_WRITE,
    examples=(
        "runbook toolkit install proxmox",
        "runbook toolkit install ./my-toolkit",
        "runbook toolkit install my-toolkit.zip",
    ),
    short_help="Install or upgrade a toolkit.",
)
@click.argument("what", metavar="SLUG|FOLDER|ZIP")
@json_option
def install(what: str, as_json: bool) -> None:
    """Install a toolkit: a bundled one by its slug, or one from a folder or .zip archive.

    A toolkit that is installed already is upgraded: its runbooks keep their histories, and
    `runbook toolkit rollback` brings the version before back. A new toolkit is disabled.
    """
    path = Path(what)

    def act(toolkits: Toolkits, principal: Principal) -> InstalledToolkit:
        if path.is_dir():
            return toolkits.install_folder(path, principal)
        if path.is_file():
            with path.open("rb") as archive:
                return toolkits.install_archive(archive, principal)
        return toolkits.install_bundled(what, principal)

    _say_installed(act, "installed", as_json=as_json)


@toolkit.command(
    "check",
    cls=ExampleCommand,
    permission=Permission.TOOLKIT_WRITE,
    examples=("runbook toolkit check",),
    short_help="Look for updates in the catalogue.",
)
def check() -> None:
    """Read the catalogue TOOLKIT_CATALOGUE and list the toolkits it has newer versions of.

    Installs nothing: `runbook toolkit update` does.
    """
    from runbook.toolkits.listing import list_json

    with _toolkits() as (toolkits, principal):
        toolkits.check_for_updates(principal)
        found = list_json(toolkits, principal)["toolkits"]
    for it in found:
        if it["update"]:
            print_line(f"{it['slug']} {it['version']} -> {it['update']['version']}")


@toolkit.command(
    "update",
    cls=ExampleCommand,
    permission=Permission.TOOLKIT_WRITE,
    examples=("runbook toolkit update proxmox",),
    short_help="Upgrade a toolkit to the version that `list` shows.",
)
@click.argument("slug")
@json_option
def update(slug: str, as_json: bool) -> None:
    """Upgrade to the newer version that comes with this program or is in the catalogue."""
    _say_installed(
        lambda toolkits, principal: toolkits.update(slug, principal),
        "upgraded to",
        as_json=as_json,
    )


@toolkit.command(
    "rollback",
    cls=ExampleCommand,
    permission=Permission.TOOLKIT_WRITE,
    examples=("runbook toolkit rollback proxmox",),
    short_help="Bring the previous version of a toolkit back.",
)
@click.argument("slug")
@json_option
def rollback(slug: str, as_json: bool) -> None:
    """Exchange the installed version of a toolkit and the one before it. Histories stay."""
    _say_installed(
        lambda toolkits, principal: toolkits.roll_back(slug, principal),
        "rolled back to",
        as_json=as_json,
    )


def _say_installed(
    act: Callable[[Toolkits, Principal], InstalledToolkit], verb: str, *, as_json: bool
) -> None:
    with _toolkits() as (toolkits, principal):
        made = act(toolkits, principal)
    if as_json:
        print_json({"success": True, "slug": made.slug, "version": made.version})
        return
    print_line(f"{verb} {made.slug} {made.version}")
    if not made.enabled:
        note(f"enable it with `runbook toolkit enable {made.slug}`")


def _switching(name: str, help_text: str) -> None:
    @toolkit.command(
        name,
        cls=ExampleCommand,
        permission=Permission.TOOLKIT_WRITE,
        examples=(f"runbook toolkit {name} proxmox",),
        short_help=help_text.partition(".")[0] + ".",
        help=help_text,
    )
    @click.argument("slug")
    def switch(slug: str) -> None:
        with _toolkits() as (toolkits, principal):
            getattr(toolkits, name)(slug, principal)


_switching("enable", "Offer a toolkit's runbooks. Running servers offer them at once.")
_switching(
    "disable",
    "Hide a toolkit's runbooks. Running servers hide them at once; runs that have begun go on.",
)
_switching(
    "remove",
    "Remove a toolkit. The histories in its files go with it; the database keeps its runs.",
)

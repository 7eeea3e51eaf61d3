"""`runbook lab`: something to try the toolkits on, without hardware."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from runbook.cli.commands import ExampleCommand
from runbook.cli.terminal.messages import note, print_line
from runbook.core.permissions import Permission
from runbook.errors import NotFoundError

if TYPE_CHECKING:
    from runbook.core.access import Principal
    from runbook.engine.engine import Engine
    from runbook.lab.processes import Started
    from runbook.settings import Settings

TOOLKITS = ("proxmox", "netbox", "lab", "mikrotik", "fleet")
LABELS = {"site": "lab"}
ROUTERS = ("lab-router-1", "lab-router-2")
NAMES = ("lab-netbox", "lab-proxmox", *ROUTERS)
HELP = """Try the toolkits without hardware, with endpoints like Proxmox VE, NetBox and RouterOS.

\b
Examples:
  $ runbook lab up
  $ runbook lab down
"""


@click.group("lab", help=HELP, short_help="Try the toolkits without hardware.")
def lab() -> None:
    pass


@lab.command(
    "up",
    cls=ExampleCommand,
    permission=Permission.CONNECTION_WRITE,
    examples=("runbook lab up",),
    short_help="Start the lab.",
)
def up() -> None:
    """Start the lab, add its connections, and enable the toolkits.

    The endpoints listen on loopback only, and keep everything in memory. They need the extra lab:
    pip install 'runbook-engine[lab]'.
    """
    from runbook.lab.processes import Processes
    from runbook.settings import process_environment

    with _opened() as (settings, engine, principal):
        processes = Processes(settings.data_dir, process_environment())
        if processes.are_running():
            note("the lab is up already")
        else:
            processes.stop()
            for started in processes.start():
                _connect(engine, principal, started)
            _add_devices(engine, principal)
        _enable(settings, engine, principal)
    print_line(f"The lab is up, with the connections {', '.join(NAMES)}.")
    address = f"http://localhost:{settings.api_port}"
    print_line("In the web app, as admin or operator:")
    print_line(f"    {address}/execute/lab/Provision.md")
    print_line(f"    {address}/execute/mikrotik/Push.md?env.ROUTER={ROUTERS[0]}")
    print_line(f"    {address}/inventory")
    print_line("In a terminal:")
    print_line(f"    {_command()} execute --runbook lab/Provision.md --ask")
    print_line(f"    {_command()} execute --runbook mikrotik/Push.md --ask")
    print_line("To stop it:")
    print_line(f"    {_command()} lab down")


@lab.command(
    "down",
    cls=ExampleCommand,
    permission=Permission.CONNECTION_WRITE,
    examples=("runbook lab down",),
    short_help="End the lab.",
)
def down() -> None:
    """End the lab and remove its connections. The toolkits stay enabled."""
    from runbook.lab.processes import Processes
    from runbook.settings import process_environment

    with _opened() as (settings, engine, principal):
        ended = Processes(settings.data_dir, process_environment()).stop()
        for name in ROUTERS:
            with suppress(NotFoundError):
                engine.inventory.remove(name, principal)
        for name in NAMES:
            with suppress(NotFoundError):
                engine.connections.remove(name, principal)
    print_line("The lab is down." if ended else "The lab wasn't up.")


def _command() -> str:
    """`runbook`, with its path if it isn't on the PATH."""
    return "runbook" if shutil.which("runbook") else str(Path(sys.executable).with_name("runbook"))


@contextmanager
def _opened() -> Iterator[tuple[Settings, Engine, Principal]]:
    from runbook.bootstrap import local_operator
    from runbook.cli.source.opening import load_settings, open_engine
    from runbook.settings import process_environment

    settings = load_settings(process_environment())
    with closing(open_engine(settings)) as engine:
        yield settings, engine, local_operator(settings)


def _connect(engine: Engine, principal: Principal, started: Started) -> None:
    """Add the connections of an endpoint, in place of earlier ones."""
    from runbook.engine.connections.connections import NewConnection

    for name, kind, values in _connections(started):
        with suppress(NotFoundError):
            engine.connections.remove(name, principal)
        new = NewConnection(name, kind, values, {}, LABELS, "Of runbook lab; holds nothing real")
        engine.connections.add(new, principal)


def _add_devices(engine: Engine, principal: Principal) -> None:
    """The routers, as devices of the inventory."""
    from runbook.core.inventory.views import NewFields

    for name in ROUTERS:
        with suppress(NotFoundError):
            engine.inventory.remove(name, principal)
        fields = {"connection": name, "vendor": "MikroTik", "tags": "lab"}
        engine.inventory.put(NewFields(name, fields), principal, add=True)


def _connections(started: Started) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """The name, kind and values of each."""
    given = dict(started.given)
    match started.part.name:
        case "ipam":
            yield "lab-netbox", "netbox", {**started.said, **given}
        case "pve":
            yield "lab-proxmox", "proxmox", {**started.said, **given}
        case _:
            for name, said in zip(ROUTERS, started.said["routers"], strict=True):
                values = {one: said[one] for one in ("host", "port", "ca", "ssh_port")}
                yield name, "routeros", {**values, **given}


def _enable(settings: Settings, engine: Engine, principal: Principal) -> None:
    from runbook.bootstrap import build_toolkits

    toolkits = build_toolkits(settings, engine)
    known = {one.manifest.slug: one.installed for one in toolkits.list(principal)}
    for slug in TOOLKITS:
        installed = known.get(slug) or toolkits.install_bundled(slug, principal)
        if not installed.enabled:
            toolkits.enable(slug, principal)

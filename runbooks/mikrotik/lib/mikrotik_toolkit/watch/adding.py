"""Adds routers to the inventory."""

from __future__ import annotations

import os

import runbook
from mikrotik_toolkit import given, known
from mikrotik_toolkit.known import Facts
from runbook.connectors import routeros
from runbook.connectors.errors import ConnectorError, ErrorCode


def main() -> None:
    """Add the router of the inputs."""
    address, name = given.text("ADDRESS"), given.text("NAME")
    found: Facts = {}
    if given.flag("CHECK"):
        found = looked_up(address)
        name = name or named(found, address)
    elif not name:
        raise given.invalid("NAME is needed if the router isn't asked for its own")
    add(name, address, found)
    runbook.output("DEVICE", name)
    for what in ("model", "version"):
        runbook.output(what.upper(), found.get(what, ""))


def looked_up(address: str) -> Facts:
    """What the router says of itself; it is reached with the connection's values."""
    with routeros.connect("CONNECTION", host=address or None) as router:
        return known.identity_of(router)


def named(found: Facts, address: str) -> str:
    """A name for a router that nobody has named: its own."""
    own = str(found["facts"].get("identity", ""))
    name = known.device_name(own)
    if not name or name == "mikrotik":
        text = f"{address or 'The router'} says that its name is {own!r}. Set NAME"
        raise ConnectorError(text, ErrorCode.INVALID, nothing_changed=True)
    return name


def add(name: str, address: str, found: Facts) -> None:
    """Report the device, with the inputs that say where it belongs.

    A router may call itself anything: it doesn't get the place of one that is in the inventory.
    """
    fields: Facts = {"connection": os.environ["CONNECTION"], "vendor": known.VENDOR, **found}
    for field in ("site", "role"):
        if value := given.text(field.upper()):
            fields[field] = value
    for field in ("tags", "groups"):
        if values := given.words(field.upper()):
            fields[field] = values
    if address:
        fields["address"] = address
    if found:
        fields["last_seen"] = "now"
    known_of_it = [address, str(found.get("model", "")), str(found.get("version", ""))]
    shown = " ".join(filter(None, [name, *known_of_it]))
    if runbook.dry_run():
        runbook.plan(f"add {shown} to the inventory", label="verified" if found else "assumed")
        return
    runbook.device(name, may_move=False, **fields)
    print(f"Added {shown}, unless the inventory has another {name}")

"""The steps of Teardown. Each can be repeated: what is gone already is fine."""

from __future__ import annotations

import json
import os
import re
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any

import runbook
from lab_toolkit import guests
from lab_toolkit.calls import call
from runbook.connectors import netbox, proxmox
from runbook.connectors.errors import ConnectorError, ErrorCode

if TYPE_CHECKING:
    from pynetbox.core.api import Api

Record = Any
MARK = re.compile(r"\[run ([A-Za-z0-9-]+)\]")


def look_up() -> None:
    """Hand over the mark of the machine, and where its addresses are."""
    nb = netbox.connect("NETBOX")
    name = os.environ["MACHINE"]
    found = list(nb.virtualization.virtual_machines.filter(name=name))
    marked = [(it, mark) for it in found if (mark := _mark_of(it))]
    if len(marked) != 1:
        text = f"NetBox has {len(marked)} machines {name} that were made by Provision"
        raise ConnectorError(text, ErrorCode.NOT_FOUND if not marked else ErrorCode.CONFLICT)
    machine, mark = marked[0]
    own = nb.ipam.ip_addresses.filter(virtual_machine_id=machine.id)
    addresses = [
        {"address": str(it.address), "prefix": _prefix_of(nb, it), "mark": _mark_of(it)}
        for it in own
    ]
    kept = [it["address"] for it in addresses if not str(it["mark"] or "").startswith(mark)]
    for address in kept:
        print(f"{address} was not allocated by Provision: it stays")
    runbook.env("MARK", mark)
    runbook.env("ADDRESSES", json.dumps([it for it in addresses if it["address"] not in kept]))


def delete_guest() -> None:
    pve = proxmox.connect("PROXMOX")
    found = guests.find(pve, os.environ["MARK"], os.environ["MACHINE"])
    if not found:
        print("Proxmox VE doesn't have it")
    for guest in found:
        given = {"PROXMOX": os.environ["PROXMOX"], "VMID": guest.vmid, "NAME": guest.name}
        if runbook.dry_run():
            runbook.plan(f"delete {guest.name} ({guest.vmid}) and its disks", label="verified")
        call("proxmox/Delete.md", given, confirm=guest.name)


def remove_record() -> None:
    given = {"NETBOX": os.environ["NETBOX"], "MARK": os.environ["MARK"]}
    if runbook.dry_run():
        runbook.plan(f"remove {os.environ['MACHINE']} from NetBox", label="verified")
    call("netbox/RemoveMachine.md", given)


def release_addresses() -> None:
    for one in json.loads(os.environ["ADDRESSES"]):
        if runbook.dry_run():
            runbook.plan(f"release {one['address']}", label="verified")
            continue  # in a dry run, it is still assigned to the machine
        given = {"NETBOX": os.environ["NETBOX"], "PREFIX": one["prefix"], "MARK": one["mark"]}
        call("netbox/ReleaseIp.md", given)


def _mark_of(record: Record) -> str | None:
    found = MARK.search(str(record.description or ""))
    return found[1] if found else None


def _prefix_of(nb: Api, address: Record) -> str:
    """The smallest prefix that the address is in, as ReleaseIp names it."""
    vrf = address.vrf.id if address.vrf else "null"
    host = str(address.address).partition("/")[0]
    found = list(nb.ipam.prefixes.filter(contains=host, vrf_id=vrf))
    if not found:
        raise ConnectorError(f"NetBox has no prefix with {host}", ErrorCode.NOT_FOUND)
    smallest = max(found, key=lambda it: ip_network(str(it.prefix)).prefixlen)
    return f"{smallest.prefix}@{smallest.vrf.name}" if smallest.vrf else str(smallest.prefix)

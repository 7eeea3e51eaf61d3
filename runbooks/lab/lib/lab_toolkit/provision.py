"""The steps of Provision. Each records what it is about to do: Undo finds it after a crash."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import Any

import runbook
from lab_toolkit import guests
from lab_toolkit.calls import call
from lab_toolkit.interfaces import (
    Allocated,
    Wanted,
    by_interface,
    from_json,
    guest_rows,
    nameservers,
    rows,
    to_json,
    wanted_addresses,
)
from runbook.connectors import proxmox
from runbook.connectors.effects import EarlierChange, earlier, effect
from runbook.connectors.errors import ConnectorError

HANDED_OVER = "PROVISION_MARK"
CREATING = (20, 90)
"""The part of the progress, in percent, that the creation of the machine has."""
GRACE = "5"
"""Seconds in which a request that was sent before a crash may still arrive."""


def own_mark() -> str:
    """What everything of this run has in its description.

    A run that resumes another one goes on with its mark: Teardown looks for everything by one mark.
    """
    return os.environ.get(HANDED_OVER) or os.environ["RUNBOOK_RUN_ID"].rpartition("-")[2]


# -- addresses -----------------------------------------------------------------------------------


def allocate() -> None:
    release()
    made: list[Allocated] = []
    for wanted in wanted_addresses(rows(), own_mark()):
        probe = {"prefix": wanted.prefix, "mark": wanted.mark}
        what = f"allocate {wanted.address or 'an address'} in {wanted.prefix}"
        with effect(what, key="address", probe=probe):
            made.append(_allocated(wanted, made))
        if runbook.dry_run():
            text = f"allocate {made[-1].address} in {wanted.prefix} for eth{wanted.nic}"
            runbook.plan(text, label="verified")
    runbook.env("ALLOCATED", to_json(made))
    runbook.env(HANDED_OVER, own_mark())
    runbook.output("ADDRESSES", [one.address for one in made])


def _allocated(wanted: Wanted, made: list[Allocated]) -> Allocated:
    given = {
        "NETBOX": os.environ["NETBOX"],
        "PREFIX": wanted.prefix,
        "ADDRESS": wanted.address or _planned_next(wanted, made),
        "DESCRIPTION": f"{os.environ['NAME']} eth{wanted.nic}",
        "DNS_NAME": os.environ["NAME"],
        "MARK": wanted.mark,
    }
    said = call("netbox/AllocateIp.md", given)
    return Allocated(
        wanted.nic,
        wanted.family,
        wanted.prefix,
        wanted.mark,
        said["ADDRESS"],
        int(said["ADDRESS_ID"]),
        said.get("GATEWAY", ""),
        said.get("NAMESERVERS", ""),
    )


def _planned_next(wanted: Wanted, made: list[Allocated]) -> str:
    """In a dry run, nothing is allocated: two addresses of a prefix would be the same."""
    planned = [one.address.partition("/")[0] for one in made if one.prefix == wanted.prefix]
    if not (runbook.dry_run() and planned):
        return ""
    given = {"NETBOX": os.environ["NETBOX"], "PREFIX": wanted.prefix}
    free = call("netbox/FreeAddresses.md", given, quiet=True)["ADDRESSES"]
    return next((it for it in _listed(free) if it not in planned), "")


def release() -> None:
    """Release what earlier attempts have allocated, and only that.

    One that can't be released doesn't keep the others.
    """
    failures = []
    for change in earlier("address"):
        given = {
            "NETBOX": os.environ["NETBOX"],
            "PREFIX": change.probe["prefix"],
            "MARK": change.probe["mark"],
            "ASSIGNED": "true",
            "WAIT": _grace(change),
        }
        try:
            _settle(change, call("netbox/ReleaseIp.md", given)["RELEASED"])
        except ConnectorError as error:
            failures.append(error)
    if failures:
        raise failures[0]


# -- the machine ---------------------------------------------------------------------------------


def create() -> None:
    remove()
    mark = own_mark()
    kind = "container" if os.environ["KIND"] == "container" else "virtual machine"
    name = os.environ["NAME"]
    probe = {"mark": mark, "name": name}
    with effect(f"create the {kind} {name}", key="guest", probe=probe) as change:
        said = call(f"proxmox/{_RUNBOOKS[os.environ['KIND']]}", _guest(mark), progress=CREATING)
        change.outcome.update(vmid=said.get("vmid"), node=said.get("node"))
    if runbook.dry_run():
        text = f"create the {kind} {name} on {os.environ['NODE']}: {json.dumps(_nics())}"
        runbook.plan(text, label="verified")
    runbook.output("VMID", said.get("vmid"))
    runbook.output("NODE", os.environ["NODE"])


_RUNBOOKS = {"container": "CreateContainer.md", "machine": "CreateVm.md"}


def _guest(mark: str) -> dict[str, object]:
    is_container = os.environ["KIND"] == "container"
    return {
        "DESCRIPTION": guests.marked(os.environ.get("DESCRIPTION", ""), mark),
        "NICS": _nics(),
        "NAMESERVERS": nameservers(_allocated_before()),
        **{name: os.environ.get(name) for name in _PASSED},
        **(_container() if is_container else _machine()),
    }


_PASSED = ("PROXMOX", "NODE", "STORAGE", "CORES", "MEMORY", "DISK", "SSH_KEYS", "START")


def _container() -> dict[str, object]:
    return {
        "HOSTNAME": os.environ["NAME"],
        "TEMPLATE": os.environ["TEMPLATE"],
        "PASSWORD": os.environ.get("PASSWORD"),
    }


def _machine() -> dict[str, object]:
    return {
        "NAME": os.environ["NAME"],
        "SOURCE": "template",
        "TEMPLATE": os.environ["MACHINE_TEMPLATE"],
        "CLOUD_INIT": "true",
        "CI_PASSWORD": os.environ.get("PASSWORD"),
    }


def _nics() -> list[dict[str, Any]]:
    return guest_rows(rows(), _allocated_before())


def _allocated_before() -> list[Allocated]:
    return from_json(os.environ["ALLOCATED"])


def remove() -> None:
    """Remove the guests that earlier attempts have created, and only those."""
    for change in earlier("guest"):
        pve = proxmox.connect("PROXMOX")
        found = guests.find(
            pve, change.probe["mark"], change.probe["name"], grace_s=float(_grace(change))
        )
        for guest in found:
            guests.delete(pve, guest)
        _settle(change, found)


# -- the record ----------------------------------------------------------------------------------


def record() -> None:
    unrecord()
    mark = own_mark()
    name = os.environ["NAME"]
    given = {
        "NETBOX": os.environ["NETBOX"],
        "NAME": name,
        "CLUSTER": os.environ["CLUSTER"],
        "INTERFACES": json.dumps(by_interface(_allocated_before())),
        "VCPUS": os.environ["CORES"],
        "MEMORY": os.environ["MEMORY"],
        "DISK": str(1024 * int(os.environ["DISK"])),
        "DESCRIPTION": os.environ.get("DESCRIPTION", ""),
        "MARK": mark,
    }
    if runbook.dry_run():
        text = f"record {name} in the cluster {os.environ['CLUSTER']} of {os.environ['NETBOX']}"
        runbook.plan(text, label="verified")
        return
    with effect(f"record {name} in NetBox", key="record", probe={"mark": mark}):
        said = call("netbox/RecordMachine.md", given)
    runbook.output("MACHINE_ID", said["MACHINE_ID"])


def unrecord() -> None:
    """Remove what earlier attempts have recorded."""
    for change in earlier("record"):
        given = {
            "NETBOX": os.environ["NETBOX"],
            "MARK": change.probe["mark"],
            "WAIT": _grace(change),
        }
        _settle(change, call("netbox/RemoveMachine.md", given)["REMOVED"])


# -- after a crash -------------------------------------------------------------------------------


def _grace(change: EarlierChange) -> str:
    return GRACE if change.may_still_come else "0"


def _settle(change: EarlierChange, found: object) -> None:
    (change.undone if _listed(found) else change.did_not_happen)()


def _listed(value: object) -> list[Any]:
    """Outputs that aren't text come as JSON."""
    return list(json.loads(value)) if isinstance(value, str) else list(_iterated(value))


def _iterated(value: object) -> Iterator[Any]:
    yield from value if isinstance(value, list) else ()

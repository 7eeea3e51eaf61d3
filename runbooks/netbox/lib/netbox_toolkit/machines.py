"""Virtual machines in NetBox: recorded with their interfaces and addresses, and removed again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from netbox_toolkit.addresses import Record, is_marked, look_for, look_until_settled, marked_text
from runbook.connectors.effects import earlier, effect
from runbook.connectors.errors import ConnectorError, ErrorCode

if TYPE_CHECKING:
    from pynetbox.core.api import Api

INTERFACE = "virtualization.vminterface"


@dataclass(frozen=True)
class Machine:
    """What to record. `interfaces` maps the name of each to the IDs of its addresses."""

    mark: str
    name: str
    cluster: str
    interfaces: Mapping[str, Sequence[int]]
    vcpus: int | None = None
    memory_mib: int | None = None
    disk_mib: int | None = None
    description: str = ""


def record(nb: Api, machine: Machine) -> Record:
    """Record a machine; what an earlier attempt left unfinished is removed first."""
    undo(nb)
    cluster = nb.virtualization.clusters.get(name=machine.cluster)
    if cluster is None:
        text = f"NetBox has no cluster {machine.cluster}"
        raise ConnectorError(text, ErrorCode.NOT_FOUND)
    what = f"record the machine {machine.name}"
    with effect(what, key="machine", probe={"mark": machine.mark}) as change:
        made = nb.virtualization.virtual_machines.create(_given(machine, cluster.id))
        change.outcome["id"] = made.id
    _add_interfaces(nb, made, machine)
    return made


def marked(nb: Api, mark: str) -> list[Record]:
    found = nb.virtualization.virtual_machines.filter(description__ic=f"[run {mark}]")
    return [it for it in found if is_marked(it, mark)]


def remove(nb: Api, mark: str, *, wait_s: float = 0.0) -> list[str]:
    """Remove the machines with this mark, and return their names."""
    return delete(nb, look_for(wait_s, lambda: marked(nb, mark)))


def delete(nb: Api, machines: Sequence[Record]) -> list[str]:
    """Delete machines, and return their names. Their addresses stay, without an interface."""
    for machine in machines:
        # NetBox deletes the addresses of an interface with it, and keeps a primary one assigned.
        if machine.primary_ip4 or machine.primary_ip6:
            machine.update({"primary_ip4": None, "primary_ip6": None})
        for address in list(nb.ipam.ip_addresses.filter(virtual_machine_id=machine.id)):
            address.update({"assigned_object_type": None, "assigned_object_id": None})
        machine.delete()
    return [str(it.name) for it in machines]


def undo(nb: Api) -> list[str]:
    """Remove what the undone run recorded."""
    removed = []
    for change in earlier("machine"):
        mark = str(change.probe["mark"])
        found = look_until_settled(nb, change, partial(marked, nb, mark))
        removed += delete(nb, found)
        (change.undone if found else change.did_not_happen)()
    return removed


def _given(machine: Machine, cluster_id: int) -> dict[str, Any]:
    sizes = {"vcpus": machine.vcpus, "memory": machine.memory_mib, "disk": machine.disk_mib}
    return {
        "name": machine.name,
        "cluster": cluster_id,
        "status": "active",
        "description": marked_text(machine.description, machine.mark),
        **{name: size for name, size in sizes.items() if size is not None},
    }


def _add_interfaces(nb: Api, machine: Record, wanted: Machine) -> None:
    primary: dict[str, int] = {}
    for name, addresses in wanted.interfaces.items():
        interface = nb.virtualization.interfaces.create(virtual_machine=machine.id, name=name)
        for number in addresses:
            address = _address(nb, number)
            address.update({"assigned_object_type": INTERFACE, "assigned_object_id": interface.id})
            primary.setdefault(f"primary_ip{address.family.value}", number)
    if primary:
        machine.update(primary)


def _address(nb: Api, number: int) -> Record:
    found = nb.ipam.ip_addresses.get(number)
    if found is None:
        raise ConnectorError(f"NetBox has no address with ID {number}", ErrorCode.NOT_FOUND)
    return found

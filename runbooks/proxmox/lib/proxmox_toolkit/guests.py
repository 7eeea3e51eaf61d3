"""Virtual machines and containers: finding, creating, starting, stopping and removing them.

Each guest that a run creates has a mark in its description. By it, a later attempt recognizes the
guest as its own: it never touches one that somebody else has created under the same number.
"""

from __future__ import annotations

import os
import random
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

import runbook
from runbook.connectors.effects import EarlierChange, doing, earlier, effect
from runbook.connectors.errors import ConnectorError, ErrorCode
from runbook.connectors.proxmox import Proxmox, Span

GUEST = "guest"
DRY_MARK = "(a mark of the run)"
TRIES = 30
LOCK_PATIENCE_S = 600.0
POLL_S = 0.5
_UNFINISHED = ("create", "clone")
CREATING = Span(0, 80)
NAMES = {"qemu": "virtual machine", "lxc": "container"}


@dataclass(frozen=True)
class Guest:
    """`kind` is qemu or lxc."""

    kind: str
    node: str
    vmid: int
    name: str = ""
    status: str = ""

    @property
    def title(self) -> str:
        return f"{NAMES[self.kind]} {self.vmid}" + (f" ({self.name})" if self.name else "")


class Presence(Enum):
    ABSENT = "absent"
    OURS = "ours"
    OTHER = "other"
    """There is a guest with this number, but not the one that we made."""


def api(pve: Proxmox, guest: Guest) -> Any:
    """The part of the API that is about this guest."""
    return pve.api.nodes(guest.node)(guest.kind)(guest.vmid)


def find(pve: Proxmox, vmid: int) -> Guest | None:
    """The guest with this number, on whichever node it is."""
    for one in pve.api.cluster.resources.get(type="vm"):
        if int(one["vmid"]) == vmid:
            name, status = str(one.get("name") or ""), str(one.get("status") or "")
            return Guest(str(one["type"]), str(one["node"]), vmid, name, status)
    return None


def need(pve: Proxmox, vmid: int) -> Guest:
    """The guest with this number. Raises ConnectorError if there is none."""
    guest = find(pve, vmid)
    if guest is None:
        text = f"There is no virtual machine or container {vmid}"
        raise ConnectorError(text, ErrorCode.NOT_FOUND, nothing_changed=True)
    return guest


def named(pve: Proxmox, guest: Guest) -> Guest:
    """The guest with its name as configured: the cluster's list lags some seconds behind."""
    key = "hostname" if guest.kind == "lxc" else "name"
    return replace(guest, name=str(api(pve, guest).config.get().get(key) or guest.name))


def status(pve: Proxmox, guest: Guest) -> str:
    return str(api(pve, guest).status.current.get()["status"])


# -- creating ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Plan:
    """A guest to create. `send` starts the task for a number and a description.

    `vmid` is its number, or None for a free one.
    """

    kind: str
    node: str
    name: str
    description: str
    send: Callable[[int, str], str | None]
    vmid: int | None = None
    progress: Span = CREATING


def create(pve: Proxmox, plan: Plan) -> Guest:
    """Create a guest, or go on with the one that an earlier attempt has created."""
    found = _resumed(pve, plan)
    if found is not None:
        return found
    for tries_left in reversed(range(TRIES)):
        vmid = plan.vmid or int(pve.api.cluster.nextid.get())
        try:
            return _create(pve, plan, vmid)
        except ConnectorError as error:
            taken = error.code is ErrorCode.CONFLICT and error.nothing_changed
            if plan.vmid is not None or not taken or not tries_left:
                raise
            print(f"{vmid} was taken meanwhile: trying the next free number", flush=True)
            time.sleep(random.uniform(0.05, 0.5))
    raise AssertionError


def _create(pve: Proxmox, plan: Plan, vmid: int) -> Guest:
    guest = Guest(plan.kind, plan.node, vmid, plan.name)
    mark = DRY_MARK if pve.dry_run else secrets.token_hex(8)
    probe = {"kind": plan.kind, "node": plan.node, "vmid": vmid, "mark": mark}
    with effect(f"create {guest.title} on {plan.node}", key=GUEST, probe=probe) as change:
        try:
            pve.run(plan.send(vmid, marked(plan.description, mark)), progress=plan.progress)
        except ConnectorError as error:
            if error.nothing_changed:
                raise
            _look_again(pve, probe, error)
        change.outcome["node"] = plan.node
    return guest


def _look_again(pve: Proxmox, probe: Mapping[str, Any], error: ConnectorError) -> None:
    """After an error that doesn't tell whether the guest was created.

    Raises it unless it was created and only the answer got lost.
    """
    lost = not error.answered
    try:
        presence = _present(pve, probe, settled_at=time.time() + pve.timeout_s if lost else 0.0)
    except ConnectorError as failure:
        if not failure.nothing_changed:
            raise
        raise error from failure  # what is refused is the look: the guest may be there
    if presence is not Presence.OURS:
        raise ConnectorError(error.message, error.code, nothing_changed=True) from error
    if not lost:
        raise error


def _resumed(pve: Proxmox, plan: Plan) -> Guest | None:
    """The guest that an earlier attempt has created."""
    found, mark = None, None
    for change in earlier(GUEST):
        if found is not None:
            # An attempt that was killed while it adopted the guest has left two records of it.
            if change.probe["mark"] == mark:
                change.let_go()
        elif presence(pve, change) is Presence.OURS:
            found = named(pve, need(pve, int(change.probe["vmid"])))
            mark = change.probe["mark"]
            _check_same(plan, found, change)
            print(f"Run {change.run_id} has created {found.title}: going on with it", flush=True)
            change.adopt(node=found.node)
        else:
            change.did_not_happen()
    return found


def _check_same(plan: Plan, guest: Guest, change: EarlierChange) -> None:
    """The inputs of a retry may ask for another guest than the one that is there."""
    if (plan.kind, plan.name) != (guest.kind, guest.name) or plan.vmid not in (None, guest.vmid):
        text = (
            f"Run {change.run_id} has created {guest.title}, but the inputs ask for another guest: "
            "undo that run first, or execute the runbook anew"
        )
        raise ConnectorError(text, ErrorCode.CONFLICT, nothing_changed=True)


# -- recognizing ---------------------------------------------------------------------------------


def presence(pve: Proxmox, change: EarlierChange) -> Presence:
    """Whether the guest of an earlier attempt is there."""
    settled_at = change.at / 1000 + pve.timeout_s if change.may_still_come else 0.0
    return _present(pve, change.probe, settled_at)


def _present(pve: Proxmox, probe: Mapping[str, Any], settled_at: float) -> Presence:
    """Look for the guest with this mark.

    Until `settled_at`, a request that was sent may still arrive. While a guest is being created, it
    has no description yet.
    """
    give_up_at = time.time() + LOCK_PATIENCE_S
    while True:
        found = _seen(pve, probe)
        if found is not None and (found is not Presence.ABSENT or time.time() >= settled_at):
            return found
        if found is None and time.time() >= give_up_at:
            text = (
                f"{probe['vmid']} is locked because its creation has not ended. Check who creates "
                f"it: a guest of ours has {line_of(probe['mark'])!r} in its description"
            )
            raise ConnectorError(text, ErrorCode.LOCKED)
        time.sleep(POLL_S)


def _seen(pve: Proxmox, probe: Mapping[str, Any]) -> Presence | None:
    """None while it is being created."""
    guest = find(pve, int(probe["vmid"]))
    if guest is None:
        return Presence.ABSENT
    try:
        config = api(pve, guest).config.get()
    except ConnectorError as error:
        if error.code is not ErrorCode.NOT_FOUND:
            raise
        return Presence.ABSENT  # it was removed in between
    if line_of(str(probe["mark"])) in str(config.get("description", "")):
        return None if config.get("lock") in _UNFINISHED else Presence.OURS
    return None if config.get("lock") in _UNFINISHED else Presence.OTHER


def marked(description: str, mark: str) -> str:
    return f"{description}\n\n{line_of(mark)}".strip()


def line_of(mark: str) -> str:
    return f"runbook: {mark}"


# -- removing ------------------------------------------------------------------------------------


def remove_created(pve: Proxmox) -> None:
    """Undo: remove what earlier attempts have created, and only that."""
    for change in earlier(GUEST):
        vmid = int(change.probe["vmid"])
        seen = presence(pve, change)
        if seen is Presence.OURS:
            remove(pve, need(pve, vmid))
        elif seen is Presence.OTHER:
            print(f"{vmid} was not created by run {change.run_id}: it stays", flush=True)
        else:
            print(f"There is no {vmid} of run {change.run_id}: nothing to remove", flush=True)
        change.undone()


def remove(pve: Proxmox, guest: Guest) -> None:
    """Stop a guest and remove it with its disks."""
    if status(pve, guest) != "stopped":
        with doing(f"stop {guest.title}"):
            pve.run(api(pve, guest).status.stop.post(), progress=Span(0, 30))
    options = {"purge": 1, "destroy-unreferenced-disks": 1}
    if guest.kind == "lxc":
        options["force"] = 1
    with doing(f"remove {guest.title} and its disks"):
        pve.run(api(pve, guest).delete(**options), progress=Span(30, 100))


# -- between steps -------------------------------------------------------------------------------


def hand_over(guest: Guest) -> None:
    """Make the guest known to later steps and to the caller of the runbook."""
    runbook.output("vmid", guest.vmid)
    runbook.output("node", guest.node)
    for name, value in (("KIND", guest.kind), ("NODE", guest.node), ("NAME", guest.name)):
        runbook.env(f"GUEST_{name}", value)
    runbook.env("GUEST_VMID", guest.vmid)


def handed_over() -> Guest:
    """The guest of an earlier step."""
    values = {name: os.environ[f"GUEST_{name.upper()}"] for name in ("kind", "node", "name")}
    return Guest(vmid=int(os.environ["GUEST_VMID"]), **values)

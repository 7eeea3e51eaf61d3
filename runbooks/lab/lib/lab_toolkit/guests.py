"""Finds the machines that a run of Provision made, by the mark in their description."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from runbook.connectors.effects import doing
from runbook.connectors.errors import ConnectorError, ErrorCode
from runbook.connectors.proxmox import Proxmox, Span

POLL_S = 0.5
PATIENCE_S = 600.0
UNFINISHED = ("create", "clone")


@dataclass(frozen=True)
class Guest:
    """`is_finished` says whether its creation has ended: before, it can have no description."""

    kind: str
    node: str
    vmid: int
    name: str
    is_ours: bool
    is_finished: bool


def marked(text: str, mark: str) -> str:
    return f"{text}\n\nprovision: {mark}".strip()


def find(pve: Proxmox, mark: str, name: str, *, grace_s: float = 0.0) -> list[Guest]:
    """The guests with this mark.

    Looks again while one is being created that may get it, and for `grace_s` if there is none:
    a request that was sent before a crash may still arrive.
    """
    started = time.monotonic()
    while True:
        seen = list(_seen(pve, mark, name))
        ours = [guest for guest in seen if guest.is_ours]
        if all(guest.is_finished for guest in seen):
            if ours or time.monotonic() - started >= grace_s:
                return ours
        elif time.monotonic() - started >= PATIENCE_S:
            text = f"The creation of {name} hasn't ended. Try again when it has"
            raise ConnectorError(text, ErrorCode.LOCKED)
        time.sleep(POLL_S)


def delete(pve: Proxmox, guest: Guest) -> None:
    """Stop it and delete it with its disks.

    Undo calls no other runbook for that: Delete is for those who may delete any machine.
    """
    api = pve.api.nodes(guest.node)(guest.kind)(guest.vmid)
    if api.status.current.get()["status"] != "stopped":
        with doing(f"stop {guest.name} ({guest.vmid})"):
            pve.run(api.status.stop.post(), progress=Span(0, 30))
    options = {"purge": 1, "destroy-unreferenced-disks": 1}
    if guest.kind == "lxc":
        options["force"] = 1
    with doing(f"delete {guest.name} ({guest.vmid}) and its disks"):
        pve.run(api.delete(**options), progress=Span(30, 100))


def _seen(pve: Proxmox, mark: str, name: str) -> Iterator[Guest]:
    """Those that are ours, or could be: the list has no descriptions, but it has names."""
    for one in pve.api.cluster.resources.get(type="vm"):
        if one.get("template") or (one.get("name") and one["name"] != name):
            continue
        try:
            config: dict[str, Any] = pve.api.nodes(one["node"])(one["type"])(
                one["vmid"]
            ).config.get()
        except ConnectorError as error:
            if error.code is not ErrorCode.NOT_FOUND:
                raise
            continue  # it was removed in between
        yield Guest(
            str(one["type"]),
            str(one["node"]),
            int(one["vmid"]),
            str(one.get("name") or name),
            f"provision: {mark}" in str(config.get("description", "")),
            config.get("lock") not in UNFINISHED,
        )

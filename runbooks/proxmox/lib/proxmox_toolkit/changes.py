"""Changes of guests that are there: power, snapshots, backups, disks, removal."""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping
from typing import Any

import runbook
from proxmox_toolkit import guests, inputs, power
from proxmox_toolkit.guests import Guest
from proxmox_toolkit.machines import size_of
from runbook.connectors.effects import EarlierChange, doing, earlier, effect
from runbook.connectors.errors import ConnectorError, ErrorCode
from runbook.connectors.proxmox import Proxmox

SNAPSHOT, BACKUP, REMOVAL = "snapshot", "backup", "removal"
WANTED = {"start": power.RUNNING, "stop": power.STOPPED, "shutdown": power.STOPPED}
POLL_S = 0.5


def chosen(pve: Proxmox) -> Guest:
    """The guest that the inputs name."""
    return guests.need(pve, inputs.number("VMID"))


# -- power ---------------------------------------------------------------------------------------


def switch(pve: Proxmox, guest: Guest) -> None:
    """Start, stop, shut down or reboot a guest, unless it is in that state already."""
    action, state = inputs.text("ACTION"), guests.status(pve, guest)
    if WANTED.get(action) == state:
        print(f"{guest.title} is {state} already", flush=True)
    else:
        values: dict[str, object] = {}
        if action in ("shutdown", "reboot"):
            values = inputs.given(timeout=inputs.whole("TIMEOUT"))
        if action == "shutdown" and inputs.flag("FORCE_STOP"):
            values["forceStop"] = 1
        with doing(f"{action} {guest.title}"):
            pve.run(guests.api(pve, guest).status(action).post(**values))
    runbook.output("status", WANTED.get(action, power.RUNNING))


# -- snapshots -----------------------------------------------------------------------------------


def snapshots(pve: Proxmox, guest: Guest) -> dict[str, Mapping[str, Any]]:
    """The snapshots of a guest by name."""
    found = guests.api(pve, guest).snapshot.get()
    return {str(one["name"]): one for one in found if one["name"] != "current"}


def take_snapshot(pve: Proxmox, guest: Guest) -> None:
    """Take a snapshot, or go on with the one that an earlier attempt has taken."""
    for change in earlier(SNAPSHOT):
        if _taken(pve, change):
            print(f"Run {change.run_id} has taken the snapshot already", flush=True)
            change.adopt()
            return
        change.did_not_happen()
    name, mark = inputs.text("SNAPSHOT"), secrets.token_hex(8)
    mark = guests.DRY_MARK if pve.dry_run else mark
    values: dict[str, object] = {
        "snapname": name,
        "description": guests.marked(inputs.text("DESCRIPTION"), mark),
    }
    if guest.kind == "qemu" and inputs.flag("MEMORY_STATE"):
        values["vmstate"] = 1
    probe = {"vmid": guest.vmid, "snapshot": name, "mark": mark}
    with effect(f"take snapshot {name} of {guest.title}", key=SNAPSHOT, probe=probe):
        pve.run(guests.api(pve, guest).snapshot.post(**values))


def remove_taken_snapshot(pve: Proxmox) -> None:
    """Undo: delete the snapshot that earlier attempts have taken."""
    for change in earlier(SNAPSHOT):
        if _taken(pve, change):
            delete_snapshot(pve, guests.need(pve, int(change.probe["vmid"])), _name(change))
        change.undone()


def _taken(pve: Proxmox, change: EarlierChange) -> bool:
    """Whether the snapshot is there, by its mark. One that is being taken is waited for."""
    while True:
        guest = guests.find(pve, int(change.probe["vmid"]))
        found = None if guest is None else snapshots(pve, guest).get(_name(change))
        if found is not None and found.get("snapstate") != "prepare":
            return guests.line_of(str(change.probe["mark"])) in str(found.get("description", ""))
        if found is None and not _may_still_come(pve, change):
            return False
        time.sleep(POLL_S)


def _may_still_come(pve: Proxmox, change: EarlierChange) -> bool:
    """Whether the request of an earlier attempt may still be on its way."""
    return change.may_still_come and time.time() < change.at / 1000 + pve.timeout_s


def _name(change: EarlierChange) -> str:
    return str(change.probe["snapshot"])


def delete_snapshot(pve: Proxmox, guest: Guest, name: str) -> None:
    if name not in snapshots(pve, guest):
        print(f"{guest.title} has no snapshot {name}", flush=True)
        return
    with doing(f"delete snapshot {name} of {guest.title}"):
        pve.run(guests.api(pve, guest).snapshot(name).delete())


def roll_back(pve: Proxmox, guest: Guest, name: str) -> None:
    if name not in snapshots(pve, guest):
        text = f"{guest.title} has no snapshot {name}"
        raise ConnectorError(text, ErrorCode.NOT_FOUND, nothing_changed=True)
    with doing(f"roll {guest.title} back to snapshot {name}"):
        pve.run(guests.api(pve, guest).snapshot(name).rollback.post())


# -- backups -------------------------------------------------------------------------------------


def back_up(pve: Proxmox, guest: Guest) -> None:
    """Back a guest up, or go on with the backup that an earlier attempt has made."""
    storage = inputs.text("STORAGE")
    for before in earlier(BACKUP):
        if volume := _made(pve, before):
            print(f"Run {before.run_id} has made {volume} already", flush=True)
            before.adopt(volume=volume)
            runbook.output("volume", volume)
            return
        before.did_not_happen()
    mark = guests.DRY_MARK if pve.dry_run else secrets.token_hex(8)
    notes = f"{inputs.text('NOTES', '{{guestname}}')} {guests.line_of(mark)}"
    values = inputs.given(
        vmid=guest.vmid,
        storage=storage,
        mode=inputs.text("MODE", "snapshot"),
        compress=inputs.text("COMPRESS", "zstd"),
        protected=int(inputs.flag("PROTECTED")),
    )
    values["notes-template"] = notes
    if keep := inputs.whole("KEEP"):
        values["prune-backups"] = f"keep-last={keep}"
    probe = {"vmid": guest.vmid, "node": guest.node, "storage": storage, "mark": mark}
    with effect(f"back up {guest.title} to {storage}", key=BACKUP, probe=probe) as change:
        pve.run(pve.api.nodes(guest.node).vzdump.post(**values))
        try:
            change.outcome["volume"] = "" if pve.dry_run else _backup(pve, probe)
        except ConnectorError as error:
            # What is refused is the look: the backup is there.
            raise ConnectorError(error.message, error.code, answered=True) from error
    runbook.output("volume", change.outcome["volume"])


def remove_made_backup(pve: Proxmox) -> None:
    """Undo: delete the backup that earlier attempts have made."""
    for change in earlier(BACKUP):
        if volume := _made(pve, change):
            storage = pve.api.nodes(change.probe["node"]).storage(change.probe["storage"])
            with doing(f"delete {volume}"):
                pve.run(storage.content.delete(volume))
        change.undone()


def _made(pve: Proxmox, change: EarlierChange) -> str:
    """The volume of the backup that an earlier attempt has made; empty if there is none."""
    while not (volume := _backup(pve, change.probe)) and _may_still_come(pve, change):
        time.sleep(POLL_S)
    return volume


def _backup(pve: Proxmox, probe: Mapping[str, Any]) -> str:
    """The volume of the backup with this mark; empty if there is none."""
    storage = pve.api.nodes(probe["node"]).storage(probe["storage"])
    line = guests.line_of(str(probe["mark"]))
    for one in storage.content.get(content="backup", vmid=probe["vmid"]):
        if line in str(one.get("notes", "")):
            return str(one["volid"])
    return ""


# -- disks ---------------------------------------------------------------------------------------


def grow(pve: Proxmox, guest: Guest) -> None:
    """Grow a disk to a size. It never shrinks, so this can be repeated."""
    disk, size = inputs.text("DISK"), inputs.number("SIZE")
    config = guests.api(pve, guest).config.get()
    if disk not in config:
        text = f"{guest.title} has no disk {disk}"
        raise ConnectorError(text, ErrorCode.NOT_FOUND, nothing_changed=True)
    now = size_of(str(config[disk]))
    if now >= size:
        print(f"{disk} has {now:g} GiB already", flush=True)
        return
    with doing(f"grow {disk} of {guest.title} from {now:g} to {size} GiB"):
        pve.run(guests.api(pve, guest).resize.put(disk=disk, size=f"{size}G"))


# -- removal -------------------------------------------------------------------------------------


def remove(pve: Proxmox) -> None:
    """Remove the guest whose number and name are given. It is stopped first."""
    vmid, name = inputs.number("VMID"), inputs.text("NAME")
    guest = guests.find(pve, vmid)
    for change in earlier(REMOVAL):
        if guest is None:
            print(f"Run {change.run_id} has removed {vmid}", flush=True)
            change.adopt()
            return
        change.did_not_happen()
    guest = guests.named(pve, guest or guests.need(pve, vmid))
    if guest.name != name:
        text = f"{vmid} is named {guest.name!r}, not {name!r}: nothing was removed"
        raise ConnectorError(text, ErrorCode.CONFLICT, nothing_changed=True)
    probe = {"vmid": vmid, "name": name}
    with effect(f"remove {guest.title} and its disks", key=REMOVAL, probe=probe):
        guests.remove(pve, guest)

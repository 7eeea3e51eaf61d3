"""Starting and stopping guests."""

from __future__ import annotations

from proxmox_toolkit import guests
from proxmox_toolkit.guests import Guest
from runbook.connectors.effects import doing
from runbook.connectors.proxmox import Proxmox, Span

RUNNING = "running"
AFTER_CREATING = Span(80, 100)
STOPPED = "stopped"


def start(pve: Proxmox, guest: Guest, *, progress: Span = AFTER_CREATING) -> None:
    """Start a guest unless it runs. In a dry run, there may be no guest yet."""
    if not pve.dry_run and guests.status(pve, guest) == RUNNING:
        print(f"{guest.title} is running already", flush=True)
        return
    with doing(f"start {guest.title}"):
        pve.run(guests.api(pve, guest).status.start.post(), progress=progress)


def stop(pve: Proxmox, guest: Guest) -> None:
    """Switch a guest off unless it is off, or gone."""
    found = guests.find(pve, guest.vmid)
    if found is None or guests.status(pve, found) == STOPPED:
        print(f"{guest.title} is not running", flush=True)
        return
    with doing(f"stop {guest.title}"):
        pve.run(guests.api(pve, guest).status.stop.post())

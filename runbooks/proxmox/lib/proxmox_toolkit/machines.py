"""Creating virtual machines, from the inputs of the runbook."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from proxmox_toolkit import guests, inputs, networks
from proxmox_toolkit.guests import Guest, Plan
from runbook.connectors.effects import doing
from runbook.connectors.proxmox import Proxmox, Span

ISO, TEMPLATE = "iso", "template"
CREATING, CONFIGURING = Span(0, 60), Span(60, 80)
DISK_OPTIONS = {"FORMAT": "format", "CACHE": "cache"}
DISK_FLAGS = {"SSD": "ssd", "IOTHREAD": "iothread"}
_SIZE = re.compile(r"\bsize=(\d+(?:\.\d+)?)([KMGT]?)")
_UNITS = {"": 1 / 1024**3, "K": 1 / 1024**2, "M": 1 / 1024, "G": 1, "T": 1024}
_DISK = re.compile(r"(?:scsi|virtio|sata|ide)\d+")


def create(pve: Proxmox) -> Guest:
    """The virtual machine that the inputs describe: new, or a clone of a template."""
    if inputs.text("SOURCE") != TEMPLATE:
        return _create(pve)
    template = inputs.whole("TEMPLATE")
    if template is None:
        raise inputs.invalid("TEMPLATE is missing: the virtual machine to clone")
    return _clone(pve, template)


def _create(pve: Proxmox) -> Guest:
    node, values = inputs.text("NODE"), {**settings(), **disks(), **drives()}
    values["boot"] = boot_order(values)

    def send(vmid: int, description: str) -> str | None:
        upid: str | None = pve.api.nodes(node).qemu.post(
            vmid=vmid, description=description, **values
        )
        return upid

    return guests.create(pve, _plan(send))


def _clone(pve: Proxmox, template: int) -> Guest:
    source = guests.need(pve, template)
    node, full = inputs.text("NODE"), inputs.flag("FULL_CLONE")
    values = inputs.given(
        name=inputs.text("NAME"),
        full=int(full),
        storage=inputs.text("STORAGE") if full else "",
        target=node if node != source.node else "",
        pool=inputs.text("POOL"),
    )

    def send(vmid: int, description: str) -> str | None:
        upid: str | None = guests.api(pve, source).clone.post(
            newid=vmid, description=description, **values
        )
        return upid

    guest = guests.create(pve, _plan(send))
    # In a dry run, there is no clone yet: it would be as its template.
    known = guests.api(pve, source if pve.dry_run else guest).config.get()
    _configure(pve, guest, known)
    return guest


def _configure(pve: Proxmox, guest: Guest, known: Mapping[str, Any]) -> None:
    """Give a clone what was asked for. All of it can be repeated."""
    api = guests.api(pve, guest)
    values = settings()
    for name in ("name", "pool"):
        values.pop(name, None)
    if inputs.flag("CLOUD_INIT") and not _has_cloud_init(known):
        values |= cloud_init_drive(known)
    values |= {k: v for k, v in more_disks(known).items() if k not in known}
    with doing(f"configure {guest.title}"):
        pve.run(api.config.post(**values), progress=CONFIGURING)
    disk, size = first_disk(known), inputs.whole("DISK")
    if disk is not None and size is not None and size > size_of(str(known[disk])):
        with doing(f"grow {disk} of {guest.title} to {size} GiB"):
            pve.run(api.resize.put(disk=disk, size=f"{size}G"), progress=CONFIGURING)


def _plan(send: Any) -> Plan:
    description, vmid = inputs.text("DESCRIPTION"), inputs.whole("VMID")
    node, name = inputs.text("NODE"), inputs.text("NAME")
    return Plan("qemu", node, name, description, send, vmid, CREATING)


# -- what Proxmox VE takes -----------------------------------------------------------------------


def settings() -> dict[str, object]:
    """Everything but disks and drives."""
    nics = inputs.rows("NICS")
    values = inputs.given(
        name=inputs.text("NAME"),
        cores=inputs.whole("CORES"),
        sockets=inputs.whole("SOCKETS"),
        memory=inputs.text("MEMORY"),
        cpu=inputs.text("CPU"),
        ostype=inputs.text("OS_TYPE"),
        pool=inputs.text("POOL"),
        tags=";".join(inputs.words("TAGS")),
        **networks.machine_nets(nics),
    )
    values["agent"] = int(inputs.flag("AGENT"))
    values["onboot"] = int(inputs.flag("START_AT_BOOT"))
    if inputs.flag("CLOUD_INIT"):
        return values | cloud_init(nics)
    if networks.machine_addresses(nics):
        raise inputs.invalid("Addresses are set by cloud-init: set CLOUD_INIT, or remove them")
    return values


def cloud_init(nics: Sequence[networks.Row]) -> dict[str, object]:
    """What cloud-init sets in the machine. Proxmox VE takes the keys URL-encoded once more."""
    return inputs.given(
        ciuser=inputs.text("CI_USER"),
        cipassword=inputs.text("CI_PASSWORD"),
        sshkeys=quote(inputs.text("SSH_KEYS"), safe=""),
        nameserver=networks.name_servers(nics, inputs.words("NAMESERVERS")),
        searchdomain=inputs.text("SEARCHDOMAIN"),
        **networks.machine_addresses(nics),
    )


def disks() -> dict[str, object]:
    """The disks of a new machine, `STORAGE:GiB` each."""
    size = inputs.whole("DISK")
    first = {"STORAGE": inputs.text("STORAGE"), "SIZE": size, "DISCARD": True}
    rows = [*([first] if size else []), *inputs.rows("DISKS")]
    found: dict[str, object] = {f"scsi{n}": _disk(n, row) for n, row in enumerate(rows)}
    return {"scsihw": "virtio-scsi-single", **found} if found else {}


def more_disks(known: Mapping[str, Any]) -> dict[str, object]:
    """The disks that a clone has besides those of its template."""
    taken = [int(name[4:]) for name in known if re.fullmatch(r"scsi\d+", name)]
    first = max(taken, default=-1) + 1
    return {f"scsi{n}": _disk(n, row) for n, row in enumerate(inputs.rows("DISKS"), start=first)}


def _disk(n: int, row: Mapping[str, Any]) -> str:
    storage, size = row.get("STORAGE") or inputs.text("STORAGE"), row.get("SIZE")
    if not storage or not size:
        raise inputs.invalid(f"Disk {n}: STORAGE and SIZE are needed")
    parts = [f"{storage}:{size}"]
    parts += [f"{name}={row[given]}" for given, name in DISK_OPTIONS.items() if given in row]
    parts += [f"{n}=1" for given, n in DISK_FLAGS.items() if row.get(given) in (True, "true")]
    if row.get("DISCARD") in (True, "true"):
        parts.append("discard=on")
    return ",".join(parts)


def drives() -> dict[str, object]:
    """The CD drive, and the one of cloud-init, which needs another place."""
    found: dict[str, object] = {}
    if inputs.text("SOURCE") == ISO and (iso := inputs.text("ISO")):
        found["ide2"] = f"{iso},media=cdrom"
    if inputs.flag("CLOUD_INIT"):
        found |= cloud_init_drive(found)
    return found


def cloud_init_drive(known: Mapping[str, Any]) -> dict[str, object]:
    place = next(name for name in ("ide2", "ide0", "ide3", "sata0") if name not in known)
    return {place: f"{inputs.text('STORAGE')}:cloudinit"}


def boot_order(values: Mapping[str, object]) -> str:
    """The first disk, then the CD, then the network."""
    places = [name for name in ("scsi0", "ide2", "net0") if name in values]
    places = [p for p in places if not str(values[p]).endswith(":cloudinit")]
    return f"order={';'.join(places)}" if places else ""


def first_disk(known: Mapping[str, Any]) -> str | None:
    """The disk that a machine boots from."""
    order = re.findall(r"[a-z]+\d+", str(known.get("boot", "")))
    names = [*order, *sorted(known)]
    return next((n for n in names if _DISK.fullmatch(n) and _is_disk(known.get(n))), None)


def size_of(disk: str) -> float:
    """The size of a disk in GiB; 0 if that isn't known."""
    found = _SIZE.search(disk)
    return float(found[1]) * _UNITS[found[2]] if found else 0


def _is_disk(value: object) -> bool:
    text = str(value or "")
    return bool(text) and "media=cdrom" not in text and "cloudinit" not in text


def _has_cloud_init(known: Mapping[str, Any]) -> bool:
    return any("cloudinit" in str(value) for name, value in known.items() if _DISK.fullmatch(name))

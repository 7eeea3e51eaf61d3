"""Creating containers, from the inputs of the runbook."""

from __future__ import annotations

from proxmox_toolkit import inputs, networks
from proxmox_toolkit.guests import Guest, Plan
from proxmox_toolkit.guests import create as create_guest
from runbook.connectors.proxmox import Proxmox


def create(pve: Proxmox) -> Guest:
    """The container that the inputs describe."""
    node, name = inputs.text("NODE"), inputs.text("HOSTNAME")
    values = parameters()

    def send(vmid: int, description: str) -> str | None:
        upid: str | None = pve.api.nodes(node).lxc.post(
            vmid=vmid, description=description, **values
        )
        return upid

    description, vmid = inputs.text("DESCRIPTION"), inputs.whole("VMID")
    return create_guest(pve, Plan("lxc", node, name, description, send, vmid))


def parameters() -> dict[str, object]:
    """What Proxmox VE takes, except number and description."""
    nics = inputs.rows("NICS")
    storage, size = inputs.text("STORAGE"), inputs.whole("DISK", 8)
    return inputs.given(
        ostemplate=inputs.text("TEMPLATE"),
        rootfs=f"{storage}:{size}",
        hostname=inputs.text("HOSTNAME"),
        cores=inputs.whole("CORES"),
        memory=inputs.whole("MEMORY"),
        swap=inputs.whole("SWAP"),
        unprivileged=int(inputs.flag("UNPRIVILEGED")),
        features=inputs.text("FEATURES"),
        pool=inputs.text("POOL"),
        tags=";".join(inputs.words("TAGS")),
        nameserver=networks.name_servers(nics, inputs.words("NAMESERVERS")),
        searchdomain=inputs.text("SEARCHDOMAIN"),
        password=inputs.text("PASSWORD"),
        **networks.container_nets(nics),
        **{"ssh-public-keys": inputs.text("SSH_KEYS")},
    )

"""Serves fakepve, which answers like Proxmox VE: `python -m runbook.lab.pve`.

Nothing else imports fakepve. It needs the extra lab. See lab/processes.py.
"""

from __future__ import annotations

import asyncio
import secrets
import tempfile
from pathlib import Path
from typing import Any

from runbook.lab.ready import announce, given

GIB = 1 << 30
SECONDS_PER_SECOND = 0.2
"""Tasks take a fifth of the time that they take on Proxmox VE, so that there is progress to see."""
CONTAINER_TEMPLATES = (
    "debian-12-standard_12.7-1_amd64.tar.zst",
    "ubuntu-24.04-standard_24.04-2_amd64.tar.zst",
)
IMAGES = ("debian-12-generic-amd64.iso",)
MACHINE_TEMPLATE = 9000


def main() -> None:
    asyncio.run(serve(given()))


async def serve(values: dict[str, str]) -> None:
    from fakepve import FakePve

    pve = FakePve(password=secrets.token_urlsafe(32), host="127.0.0.1", port=0)
    pve.time_scale = SECONDS_PER_SECOND
    pve.apitokens[values["token_id"]] = values["token_secret"]
    fill(pve)
    with tempfile.TemporaryDirectory() as folder:
        authority = await _start(pve, folder)
    announce({"host": pve.host, "port": pve.port, "ca": authority})
    await asyncio.Event().wait()


def fill(pve: Any) -> None:
    """Two nodes, with templates on their storage."""
    pve.add_node("pve2")
    for name in CONTAINER_TEMPLATES:
        pve.store_file("local", name, GIB // 8, content="vztmpl")
    for name in IMAGES:
        pve.store_file("local", name, GIB // 2)
    disk = f"local-lvm:base-{MACHINE_TEMPLATE}-disk-0,size=4G"
    pve.add_vm(
        MACHINE_TEMPLATE,
        "debian-12",
        node="pve1",
        template=True,
        config={
            "boot": "order=scsi0",
            "scsi0": disk,
            "ide2": "local-lvm:cloudinit",
            "memory": "1024",
            "cores": 1,
        },
    )


async def _start(pve: Any, folder: str) -> str:
    """Start it, and return the certificate that signs its own."""
    from fakepve.certs import make_cert

    certificate, key, _ = make_cert(folder, hosts=(pve.host,))
    await pve.start(certificate, key)
    return _content(certificate)


def _content(path: str) -> str:
    return Path(path).read_text(encoding="ascii")


if __name__ == "__main__":
    main()

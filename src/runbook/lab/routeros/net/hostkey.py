"""The key by which SSH clients know the router."""

from __future__ import annotations

import io
from typing import Any

from runbook.lab.routeros.device import Device

NAME = "ssh-host-key"


class HostKey:
    """Made when it's first needed, and kept with the state. A reset or a backup keeps it."""

    def __init__(self, router: Device) -> None:
        self._router = router

    def get(self) -> Any:
        import paramiko

        pem = self._router.state.facts.get(NAME) or self.renew()
        return paramiko.Ed25519Key.from_private_key(io.StringIO(pem))

    @property
    def public(self) -> str:
        key = self.get()
        return f"{key.get_name()} {key.get_base64()}"

    def renew(self) -> str:
        from cryptography.hazmat.primitives import serialization as form
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        pem = (
            Ed25519PrivateKey.generate()
            .private_bytes(form.Encoding.PEM, form.PrivateFormat.OpenSSH, form.NoEncryption())
            .decode()
        )
        self._router.state.facts[NAME] = pem
        return pem

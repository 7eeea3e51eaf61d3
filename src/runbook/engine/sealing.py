"""Encrypts the inputs of queued runs, with a key outside the database."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
from dataclasses import field

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from runbook.core.inputs.values import GivenFile
from runbook.errors import StoreUnavailableError
from runbook.quick_dataclass import dataclass

NONCE_BYTES = 12


@dataclass(frozen=True, slots=True)
class RunInputs:
    """The values and files a script gets, and the names of the values that are secret.

    A rerun also has what the steps of the earlier run handed over: `variables` and `outputs`.
    `masks` are further values to mask.
    """

    values: dict[str, str]
    secrets: frozenset[str]
    files: dict[str, GivenFile] = field(default_factory=dict)
    variables: dict[str, str] = field(default_factory=dict)
    outputs: dict[str, str] = field(default_factory=dict)
    masks: tuple[str, ...] = ()

    def secret_values(self) -> list[str]:
        """All values to mask."""
        return [*(self.values[name] for name in sorted(self.secrets)), *self.masks]


class Sealer:
    """AES-256-GCM with the run's ID as associated data: inputs can't be moved to another row."""

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(key)
        self._key = key

    def seal(self, inputs: RunInputs, run_id: str) -> bytes:
        plain = json.dumps(
            {
                "values": inputs.values,
                "secrets": sorted(inputs.secrets),
                "files": {
                    name: [file.name, base64.b64encode(file.content).decode()]
                    for name, file in inputs.files.items()
                },
                "variables": inputs.variables,
                "outputs": inputs.outputs,
                "masks": inputs.masks,
            }
        )
        nonce = os.urandom(NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, plain.encode(), run_id.encode())

    def digest(self, text: str) -> str:
        """A digest that can't be computed without the key."""
        data = text.encode("utf-8", "surrogatepass")
        return hmac.new(self._key, data, hashlib.sha256).hexdigest()

    def open(self, sealed: bytes, run_id: str) -> RunInputs:
        """Raises StoreUnavailableError if they were encrypted with another key, or are damaged."""
        nonce, data = sealed[:NONCE_BYTES], sealed[NONCE_BYTES:]
        try:
            plain = json.loads(self._cipher.decrypt(nonce, data, run_id.encode()))
        except (InvalidTag, ValueError):  # ValueError: too short to be ours
            raise StoreUnavailableError(
                "The run's inputs can't be decrypted: the key in DATA_DIR isn't the one that "
                "sealed them, or they are damaged"
            ) from None
        files = {
            name: GivenFile(file, base64.b64decode(content))
            for name, (file, content) in plain["files"].items()
        }
        return RunInputs(
            plain["values"],
            frozenset(plain["secrets"]),
            files,
            plain["variables"],
            plain["outputs"],
            tuple(plain["masks"]),
        )

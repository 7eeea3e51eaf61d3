"""Asks the system of a connection, in a process of its own: whether it works, its host keys."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import field
from typing import Any

from runbook.connectors.kinds import KINDS
from runbook.core.connection import Opened
from runbook.core.output.mask import Masker
from runbook.core.ssh.host_key import HostAddress, PublicKey, read_address, read_public_key
from runbook.engine.process.probe import ProbeError, ProbeTimeoutError, ask_module
from runbook.quick_dataclass import dataclass
from runbook.store.store import Store

CHECKING = "runbook.connectors.checking"
CHECK_SECONDS = 30.0
MAX_MESSAGE = 1000


@dataclass(frozen=True, slots=True)
class Answer:
    """What the system says; `host_keys` are those that its SSH servers showed."""

    ok: bool
    code: str | None
    message: str
    version: str | None = None
    host_keys: Mapping[HostAddress, PublicKey] = field(default_factory=dict)


def ask(opened: Opened, store: Store, search_path: str, *, scan: bool = False) -> Answer:
    """Check a connection; with `scan`, only see which host keys its SSH servers show.

    The answer has no secret.
    """
    kind = KINDS[opened.kind]
    question: dict[str, Any] = {"values": dict(opened.values)}
    if kind.ssh:
        addresses = kind.ssh_addresses(opened.values)
        known = (store.host_keys.of(address) for address in addresses)
        question |= {
            "name": opened.name,
            "kind": opened.kind,
            "host_keys": {str(one.address): str(one.key) for one in known if one is not None},
            "scan": scan,
        }
    try:
        told = ask_module(
            CHECKING,
            kind.module,
            question=json.dumps(question),
            path=search_path,
            timeout_s=CHECK_SECONDS,
        )
        return _answer_of(json.loads(told), Masker(opened.secrets))
    except ProbeTimeoutError:
        return Answer(False, "timeout", f"No result after {CHECK_SECONDS:g} seconds")
    except (ProbeError, ValueError, LookupError, TypeError, AttributeError):
        return Answer(False, "server", "The check failed")


def _answer_of(told: Mapping[str, Any], masker: Masker) -> Answer:
    code, version = told["code"], told["version"]
    pairs = (
        (read_address(place), read_public_key(key))
        for place, key in told.get("host_keys", {}).items()
    )
    return Answer(
        bool(told["ok"]),
        None if code is None else str(code),
        masker.mask_text(str(told["message"])[:MAX_MESSAGE]),
        None if version is None else str(version)[:100],
        {address: key for address, key in pairs if address is not None and key is not None},
    )

"""The kinds of connections, and the fields of each. Nothing here needs a connector's extra."""

from __future__ import annotations

from collections.abc import Mapping

from runbook.core.connection import Kind
from runbook.core.document import Input, InputType

MIN_SECRET = "4"  # noqa: S105 - a length: shorter secrets can't be masked
_HOST = r"[A-Za-z0-9._-]+|[0-9A-Fa-f:]+"
_TOKEN_ID = r"[^\s@!]+@[^\s@!]+![^\s@!]+"  # noqa: S105 - a pattern
_USER = r"[^\s@]+@[^\s@!]+"


def _field(
    name: str, description: str, kind: InputType = InputType.STRING, **more: object
) -> Input:
    values: dict[str, object] = {"label": None, "optional": False, **more}
    return Input(name, description, 0, kind, True, **values)  # type: ignore[arg-type]


def _secret(name: str, description: str, **more: object) -> Input:
    return _field(name, description, InputType.SECRET, minimum=MIN_SECRET, **more)


_VERIFY_TLS = _field(
    "verify_tls",
    "Whether to check the server's certificate",
    InputType.BOOLEAN,
    label="Verify TLS",
    default="true",
)
_CA = _field(
    "ca",
    "Certificate of the authority that signed the server's, in PEM, if the system doesn't know it",
    InputType.TEXT,
    label="CA certificate",
    optional=True,
)
_TIMEOUT = _field(
    "timeout",
    "Maximum duration of a request, in seconds",
    InputType.INTEGER,
    label="Timeout",
    default="30",
    minimum="1",
    maximum="600",
)

PROXMOX = Kind(
    "proxmox",
    "Proxmox VE",
    (
        _field(
            "host",
            "Host name or IP address of a node",
            label="Host",
            pattern=_HOST,
            example="pve.example.com",
        ),
        _field(
            "port",
            "Port of the API",
            InputType.INTEGER,
            label="Port",
            default="8006",
            minimum="1",
            maximum="65535",
        ),
        _field(
            "token_id",
            "API token, as USER@REALM!NAME",
            label="Token ID",
            optional=True,
            pattern=_TOKEN_ID,
            example="root@pam!runbook",
        ),
        _secret("token_secret", "Secret of the API token", label="Token secret", optional=True),
        _field(
            "user",
            "User instead of a token, as USER@REALM",
            label="User",
            optional=True,
            pattern=_USER,
            example="runbook@pve",
        ),
        _secret("password", "Password of the user", label="Password", optional=True),
        _VERIFY_TLS,
        _CA,
        _TIMEOUT,
    ),
    "runbook.connectors.proxmox",
    "PROXMOX",
    alternatives=(("token_id", "token_secret"), ("user", "password")),
)
NETBOX = Kind(
    "netbox",
    "NetBox",
    (
        _field(
            "url",
            "Address of NetBox",
            InputType.URL,
            label="URL",
            example="https://netbox.example.com",
        ),
        _secret("token", "API token", label="Token"),
        _VERIFY_TLS,
        _CA,
        _TIMEOUT,
    ),
    "runbook.connectors.netbox",
    "NETBOX",
)

KINDS: Mapping[str, Kind] = {kind.name: kind for kind in (PROXMOX, NETBOX)}

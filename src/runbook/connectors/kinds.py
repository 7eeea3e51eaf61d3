"""The kinds of connections, and the fields of each. Nothing here needs a connector's extra."""

from __future__ import annotations

from collections.abc import Mapping

from runbook.core.connection import Kind
from runbook.core.document import Input, InputType

MIN_SECRET = "4"  # noqa: S105 - a length: shorter secrets can't be masked
_HOST = r"[A-Za-z0-9._-]+|[0-9A-Fa-f:]+"
_TOKEN_ID = r"[^\s@!]+@[^\s@!]+![^\s@!]+"  # noqa: S105 - a pattern
_USER = r"[^\s@]+@[^\s@!]+"
_PATH = r"/[^\x00-\x1f]*"
_SSH_CREDENTIALS = (
    *("password", "private_key", "passphrase", "host_key"),
    *("jump_host", "jump_port", "jump_username", "jump_password", "jump_private_key"),
    *("jump_passphrase", "jump_host_key"),
)
"""The fields of SSH connections that other kinds have, too."""


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


def _host(name: str, description: str, **more: object) -> Input:
    return _field(name, description, InputType.STRING, pattern=_HOST, **more)


def _port(name: str, description: str, label: str, default: str, **more: object) -> Input:
    return _number(name, description, label, default, "65535", **more)


def _seconds(name: str, description: str, label: str, default: str) -> Input:
    return _number(name, description, label, default, "3600")


def _number(
    name: str, description: str, label: str, default: str, most: str, **more: object
) -> Input:
    return _field(
        name,
        description,
        InputType.INTEGER,
        label=label,
        default=default,
        minimum="1",
        maximum=most,
        **more,
    )


_CONNECT_TIMEOUT = _seconds(
    "timeout", "Maximum duration of connecting and of logging in, in seconds", "Timeout", "10"
)
_COMMAND_TIMEOUT = _seconds(
    "command_timeout", "Maximum duration of a command, in seconds", "Command timeout", "30"
)
_PINNED = "host key that it must show, as TYPE BASE64; else the one of the first connection"

SSH = Kind(
    "ssh",
    "SSH",
    (
        _host(
            "host",
            "Host name or IP address",
            label="Host",
            example="server.example.com",
        ),
        _port("port", "Port of the SSH server", "Port", "22"),
        _field("username", "User to log in as", label="User name", example="admin"),
        _secret("password", "Password of the user", label="Password", optional=True),
        _secret(
            "private_key",
            "Private key of the user, in the format of OpenSSH or PEM",
            label="Private key",
            optional=True,
        ),
        _secret("passphrase", "Passphrase of the key", label="Passphrase", optional=True),
        _field("host_key", f"The {_PINNED}", label="Host key", optional=True),
        _host("jump_host", "Host to connect through, if needed", label="Jump host", optional=True),
        _port("jump_port", "Port of the jump host's SSH server", "Jump port", "22"),
        _field(
            "jump_username",
            "User to log in as at the jump host; that of the server if not set",
            label="Jump user name",
            optional=True,
        ),
        _secret("jump_password", "Password at the jump host", label="Jump password", optional=True),
        _secret(
            "jump_private_key",
            "Private key for the jump host",
            label="Jump private key",
            optional=True,
        ),
        _secret(
            "jump_passphrase",
            "Passphrase of the key for the jump host",
            label="Jump passphrase",
            optional=True,
        ),
        _field(
            "jump_host_key",
            f"The jump host's {_PINNED}",
            label="Jump host key",
            optional=True,
        ),
        _CONNECT_TIMEOUT,
        _COMMAND_TIMEOUT,
    ),
    "runbook.connectors.ssh",
    "SSH",
    alternatives=(("password",), ("private_key",)),
    ssh=(("jump_host", "jump_port"), ("host", "port")),
)
ROUTEROS = Kind(
    "routeros",
    "RouterOS",
    (
        _host(
            "host",
            "Host name or IP address of the router",
            label="Host",
            example="192.0.2.1",
        ),
        _port(
            "port",
            "Port of the API: 8729 with TLS, usually 8728 without",
            "Port",
            "8729",
        ),
        _field("username", "User to log in as", label="User name", example="runbook"),
        _secret("password", "Password of the user", label="Password"),
        _field(
            "tls",
            "verified; unverified doesn't check the certificate; plain sends the password in clear",
            InputType.CHOICE,
            label="TLS",
            default="verified",
            choices=("verified", "unverified", "plain"),
        ),
        _CA,
        _CONNECT_TIMEOUT,
        _COMMAND_TIMEOUT,
        _port("ssh_port", "Port of the SSH server", "SSH port", "22"),
        _field(
            "ssh_username",
            "User for SSH, if it isn't the one above",
            label="SSH user name",
            optional=True,
        ),
        _secret(
            "ssh_password",
            "Password for SSH, if it isn't the one above",
            label="SSH password",
            optional=True,
        ),
        _secret(
            "ssh_private_key",
            "Private key for SSH, in the format of OpenSSH or PEM",
            label="SSH private key",
            optional=True,
        ),
    ),
    "runbook.connectors.routeros",
    "ROUTEROS",
    ssh=(("host", "ssh_port"),),
)

DOCKER = Kind(
    "docker",
    "Docker",
    (
        _field(
            "transport",
            "How the engine is reached: its socket on this machine, TLS, or SSH",
            InputType.CHOICE,
            label="Transport",
            default="local",
            choices=("local", "tls", "ssh"),
        ),
        _field(
            "socket",
            "Path of the engine's socket on this machine",
            label="Socket",
            default="/var/run/docker.sock",
            pattern=_PATH,
        ),
        _host(
            "host",
            "Host name or IP address, for TLS and SSH",
            label="Host",
            optional=True,
            example="docker.example.com",
        ),
        _port("port", "Port of the engine, for TLS", "Port", "2376"),
        _CA,
        _field(
            "client_cert",
            "Certificate of this client in PEM, for TLS",
            InputType.TEXT,
            label="Client certificate",
            optional=True,
        ),
        _secret("client_key", "Key of that certificate in PEM", label="Client key", optional=True),
        _port("ssh_port", "Port of the SSH server", "SSH port", "22"),
        _field("username", "User to log in as by SSH", label="User name", optional=True),
        *(field for field in SSH.fields if field.name in _SSH_CREDENTIALS),
        _field(
            "config",
            "Folder on this machine with the Docker CLI's configuration, such as registry logins",
            label="Configuration",
            optional=True,
            pattern=_PATH,
        ),
        _seconds("timeout", "Maximum duration of connecting, and of reading", "Timeout", "30"),
        _seconds(
            "command_timeout",
            "Maximum duration of a command that changes something, such as a pull, in seconds",
            "Command timeout",
            "600",
        ),
    ),
    "runbook.connectors.compose",
    "DOCKER_ENGINE",
    ssh=(("jump_host", "jump_port"), ("host", "ssh_port")),
)

KINDS: Mapping[str, Kind] = {kind.name: kind for kind in (PROXMOX, NETBOX, SSH, ROUTEROS, DOCKER)}

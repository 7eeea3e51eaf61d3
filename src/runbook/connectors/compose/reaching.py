"""Prepares a private folder and the options of the CLI for an engine."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from pathlib import Path

from runbook.connectors.compose import tunnel
from runbook.connectors.compose.cli import Cli
from runbook.connectors.compose.target import Target, Transport
from runbook.connectors.errors import ConnectorError, ErrorCode
from runbook.connectors.host_keys import HostKeys
from runbook.script import commands

SAFE_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def reached(target: Target, host_keys: HostKeys) -> Cli:
    """Ready to run commands. Nothing has been sent to the engine yet, but to its SSH server.

    Raises ConnectorError.
    """
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="docker-")))
        options = _options(target, folder, host_keys, stack)
        path = _path()
        return Cli(
            target.name,
            options,
            folder,
            _environment(target, folder, path),
            path,
            target.timeout_s,
            target.command_timeout_s,
            stack.pop_all(),
        )
    raise AssertionError  # for the type checker: nothing above suppresses an exception


def _options(
    target: Target, folder: Path, host_keys: HostKeys, stack: ExitStack
) -> tuple[str, ...]:
    match target.transport:
        case Transport.TLS:
            return ("--host", target.host, *_tls_options(target, folder))
        case Transport.SSH:
            made = _tunnel(target, folder, host_keys)
            stack.callback(made.close)
            # Relative to the current folder of the CLI: a path could be too long for a socket.
            return ("--host", f"unix://{tunnel.NAME}")
    return ("--host", target.host)


def _tls_options(target: Target, folder: Path) -> list[str]:
    """The key is in a file of the private folder, and never an argument."""
    given = target.certificates
    files = {"tlscacert": given.ca, "tlscert": given.certificate, "tlskey": given.key}
    options = ["--tlsverify"]
    for option, text in files.items():
        if text:
            path = folder / f"{option}.pem"
            path.touch(mode=0o600)
            path.write_text(text.replace("\r\n", "\n").strip() + "\n", encoding="utf-8")
            options += [f"--{option}", str(path)]
    return options


def _tunnel(target: Target, folder: Path, host_keys: HostKeys) -> tunnel.Tunnel:
    assert target.route is not None  # noqa: S101 - of each target by SSH
    try:
        from runbook.connectors.ssh import transport
    except ImportError:
        text = "SSH needs more packages. Install them: pip install 'runbook-engine[ssh]'"
        raise ConnectorError(text, ErrorCode.MISSING_EXTRA, nothing_changed=True) from None
    chain = transport.open_chain(target.route, host_keys)
    try:
        return tunnel.Tunnel(chain, folder)
    except BaseException:
        chain.close()
        raise


def _path() -> str:
    """That of the script; checks have no run."""
    try:
        return commands.variable("PATH")
    except commands.NotInRunError:
        return SAFE_PATH


def _environment(target: Target, folder: Path, path: str) -> dict[str, str]:
    """Nothing of the script's: a stack's own values are in its .env file."""
    return {
        "PATH": path,
        "HOME": str(folder),
        "LC_ALL": "C.UTF-8",
        "DOCKER_CONFIG": str(target.config or folder / "config"),
        "DOCKER_CLI_HINTS": "false",
        "COMPOSE_ANSI": "never",
        "COMPOSE_PROGRESS": "plain",
        "COMPOSE_MENU": "false",
    }

"""What the Docker CLI prints, as ConnectorErrors with stable codes."""

from __future__ import annotations

import re
from dataclasses import dataclass

from runbook.connectors.errors import ConnectorError, ErrorCode

_MOST_SHOWN = 600
_NO_COMPOSE = "the Docker CLI has no plugin for Compose. Install docker-compose-plugin"


@dataclass(frozen=True, slots=True)
class _Rule:
    """`unsent`: the request didn't reach the engine, so it surely changed nothing."""

    code: ErrorCode
    pattern: re.Pattern[str]
    unsent: bool = False


def _rule(code: ErrorCode, *phrases: str, unsent: bool = False) -> _Rule:
    return _Rule(code, re.compile("|".join(phrases), re.IGNORECASE), unsent)


# The first that matches counts. The words are those of the CLI, the engine, Compose and registries.
_RULES = (
    _rule(
        ErrorCode.MISSING_EXTRA,
        "is not a docker command",
        "unknown command: docker compose",
        "unknown flag: --project-name",
        unsent=True,
    ),
    _rule(
        ErrorCode.REFUSED,
        "permission denied while trying to connect",
        "dial unix .*permission denied",
        unsent=True,
    ),
    _rule(
        ErrorCode.AUTH,
        r"remote error: tls: (bad certificate|certificate required|unknown certificate)",
        unsent=True,
    ),
    _rule(ErrorCode.TIMEOUT, "TLS handshake timeout", unsent=True),
    _rule(
        ErrorCode.TLS,
        "x509:",
        "tls: ",
        "HTTP request to an HTTPS server",
        "malformed HTTP response",
        "could not read CA certificate",
        "load X509 key pair",
        "unable to resolve docker endpoint",
        unsent=True,
    ),
    _rule(ErrorCode.TIMEOUT, "i/o timeout", r"Client\.Timeout exceeded"),
    _rule(
        ErrorCode.UNREACHABLE,
        "Cannot connect to the Docker daemon",
        "failed to connect to the docker API",
        "error during connect",
        unsent=True,
    ),
    _rule(ErrorCode.FULL, "no space left on device", "disk quota exceeded"),
    _rule(
        ErrorCode.AUTH,
        "unauthorized: ",
        "authentication required",
        "no basic auth credentials",
        "incorrect username or password",
    ),
    _rule(
        ErrorCode.NOT_FOUND,
        "manifest unknown",
        "manifest for .* not found",
        "pull access denied",
        "repository .* not found",
        "no such (image|container|volume|service|object)",
        "no configuration file provided",
        "no such file or directory",
    ),
    _rule(
        ErrorCode.CONFLICT,
        "port is already allocated",
        "address already in use",
        "is already in use by container",
        "volume is in use",
        "has active endpoints",
    ),
    _rule(
        ErrorCode.TASK_FAILED,
        "is unhealthy",
        r"exited \(\d+\)",
        "OCI runtime create failed",
        "failed to create shim",
    ),
    _rule(
        ErrorCode.INVALID,
        "additional propert",
        "yaml: ",
        "validating ",
        "must be an? ",
        "invalid (reference|compose|interpolation)",
        "undefined (volume|network|service|secret|config)",
        "required variable",
    ),
)


def error_of(where: str, what: str, said: str) -> ConnectorError:
    """`where` is the connection's name, `what` the command in short, `said` its standard error."""
    text = "\n".join(line.strip() for line in said.splitlines() if line.strip())
    rule = next((one for one in _RULES if one.pattern.search(text)), None)
    code = ErrorCode.SERVER if rule is None else rule.code
    shown = text[-_MOST_SHOWN:] or "it printed nothing"
    if code is ErrorCode.MISSING_EXTRA:
        shown = _NO_COMPOSE
    unsent = rule is not None and rule.unsent
    return ConnectorError(f"{where}: {what}: {shown}", code, nothing_changed=unsent, answered=True)

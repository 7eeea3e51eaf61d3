"""Checks of settings that are valid each by itself, but unsafe or unusable together."""

from __future__ import annotations

import ipaddress
import os
from pathlib import Path

from runbook.errors import ConfigurationError
from runbook.script.limits import DEVICE_BACKUPS
from runbook.settings import Settings

MIN_SECRET_BYTES = 32
KNOWN_SECRETS = frozenset(
    {
        "dev-secret-change-me",
        "change-me",
        "changeme",
        "secret",
        "your-secret-key",
        "your-256-bit-secret",
        "dev-secret-key-change-in-production",
    }
)
STOP_MARGIN_SECONDS = 15
"""Time to stop after DRAIN_SECONDS: the server kills scripts and records how they ended."""
SQLITE = "sqlite:///"
SHARED_FOLDERS = frozenset({"toolkits", DEVICE_BACKUPS})
DATA_FOLDERS = ("keys", "wake", "artifacts")
SYMMETRIC = frozenset({"HS256", "HS384", "HS512"})
ASYMMETRIC = frozenset(
    {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}
)


def is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def check_server(settings: Settings) -> None:
    """Check the settings that `runbook serve` needs.

    Raises ConfigurationError with one line that says what to change.
    """
    check_tokens(settings)
    _check_dev_login(settings)
    if not settings.runbooks_dir.is_dir():
        raise ConfigurationError(
            f"RUNBOOKS_DIR {settings.runbooks_dir} is not a folder. Create it, or change "
            "RUNBOOKS_DIR"
        )
    check_paths(settings)
    _check_stop_timeout(settings)


def _check_stop_timeout(settings: Settings) -> None:
    """A server that is killed while its runs drain would record them as lost."""
    allowed, needed = settings.stop_timeout_seconds, settings.drain_seconds + STOP_MARGIN_SECONDS
    if allowed and allowed < needed:
        raise ConfigurationError(
            f"STOP_TIMEOUT_SECONDS is {allowed:g}, but a server with DRAIN_SECONDS "
            f"{settings.drain_seconds:g} needs up to {needed:g} seconds to stop. Increase the stop "
            "timeout of your service manager and STOP_TIMEOUT_SECONDS, or decrease DRAIN_SECONDS"
        )


def _check_dev_login(settings: Settings) -> None:
    if not settings.enable_login or is_loopback(settings.bind_host):
        return
    if not settings.allow_remote_dev_login:
        raise ConfigurationError(
            f"ENABLE_LOGIN issues tokens to anyone, and BIND_HOST {settings.bind_host} is not a "
            "loopback address. Turn ENABLE_LOGIN off, set BIND_HOST=127.0.0.1, or set "
            "ALLOW_REMOTE_DEV_LOGIN=true"
        )


def check_tokens(settings: Settings) -> None:
    """Raises ConfigurationError if the algorithm, the keys or the secret are unsafe."""
    algorithm = settings.jwt_algorithm
    if algorithm not in SYMMETRIC | ASYMMETRIC:
        known = ", ".join(sorted(SYMMETRIC | ASYMMETRIC))
        raise ConfigurationError(f"JWT_ALGORITHM must be one of {known}")
    if algorithm in ASYMMETRIC and not settings.jwt_jwks_url:
        raise ConfigurationError(f"JWT_ALGORITHM {algorithm} requires JWT_JWKS_URL")
    if algorithm in SYMMETRIC and settings.jwt_jwks_url:
        raise ConfigurationError(
            f"JWT_JWKS_URL provides public keys, but JWT_ALGORITHM {algorithm} is symmetric. Set "
            "JWT_ALGORITHM to the provider's algorithm, for example RS256"
        )
    if settings.enable_login and settings.jwt_jwks_url:
        raise ConfigurationError(
            "ENABLE_LOGIN can't issue tokens if JWT_JWKS_URL is set. Unset one of them"
        )
    _check_secret(settings)


def _check_secret(settings: Settings) -> None:
    if settings.jwt_algorithm not in SYMMETRIC:
        return
    secret = settings.jwt_secret.get_secret_value()
    if not secret:
        if settings.enable_login and is_loopback(settings.bind_host):
            return
        raise ConfigurationError(
            "JWT_SECRET is not set. Set it to at least 32 random bytes, for example from "
            "`openssl rand -hex 32`"
        )
    if secret.strip().lower() in KNOWN_SECRETS or len(set(secret)) < 8:
        raise ConfigurationError(
            "JWT_SECRET is easy to guess. Generate one with `openssl rand -hex 32`"
        )
    if len(secret.encode()) < MIN_SECRET_BYTES:
        raise ConfigurationError(
            f"JWT_SECRET is shorter than {MIN_SECRET_BYTES} bytes. Generate one with "
            "`openssl rand -hex 32`"
        )


def check_paths(settings: Settings) -> None:
    """Check that DATA_DIR and EXECUTION_DIR are separate from RUNBOOKS_DIR, and MOUNT_DIR."""
    if settings.mount_dir and "execution_dir" not in settings.given:
        raise ConfigurationError(
            "MOUNT_DIR is the host's path of EXECUTION_DIR, which is not set. Set EXECUTION_DIR to "
            "the folder that is mounted from there"
        )
    runbooks = settings.runbooks_dir.resolve()
    for field in ("data_dir", "execution_dir"):
        path: Path = getattr(settings, field).resolve()
        inside = path == runbooks or runbooks in path.parents
        above = path in runbooks.parents
        # RUNBOOKS_DIR may be in the system's temp directory: runs only add folders there.
        if inside or (above and field in settings.given):
            raise ConfigurationError(
                f"{field.upper()} {path} must not be inside or above RUNBOOKS_DIR {runbooks}"
            )
        for writable in settings.isolation_writable:
            if path == writable.resolve() or path in writable.resolve().parents:
                raise ConfigurationError(
                    f"ISOLATION_WRITABLE {writable} must not be inside {field.upper()}"
                )


def hidden_paths(settings: Settings) -> list[Path]:
    """What a script in a sandbox doesn't see of the engine and of other runs."""
    folders = [settings.data_dir, settings.execution_dir]
    folders += [settings.secrets_dir, settings.connections_dir]
    file = settings.database.removeprefix(SQLITE)
    if file != settings.database:
        folders += [Path(f"{file}{suffix}") for suffix in ("", "-wal", "-shm", "-journal")]
    return folders


class DataDirUnusableError(ConfigurationError):
    """DATA_DIR can't be created."""


def prepare_data_dir(settings: Settings) -> None:
    """Create DATA_DIR with mode 0700. Raises DataDirUnusableError if that fails.

    Raises ConfigurationError if a file has the name of one of its folders.
    """
    folder = settings.data_dir
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise DataDirUnusableError(
            f"Couldn't create DATA_DIR {folder}: {error.strerror}. Set DATA_DIR to a "
            "writable folder"
        ) from None
    for path in (folder / name for name in DATA_FOLDERS):
        if os.path.lexists(path) and not path.is_dir():
            raise ConfigurationError(f"{path} is not a folder. Move it out of DATA_DIR")
    if settings.run_as_user:
        _let_scripts_through(settings)


def _let_scripts_through(settings: Settings) -> None:
    """Scripts of another user reach toolkits and the store of backups in DATA_DIR, and no more."""
    folder = settings.data_dir
    database = settings.database.removeprefix(SQLITE)
    if database != settings.database and Path(database).parent == folder:
        os.close(os.open(database, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))
    (folder / "keys").mkdir(mode=0o700, exist_ok=True)
    for path in folder.iterdir():
        if not path.is_symlink() and path.name not in SHARED_FOLDERS:
            path.chmod(path.stat().st_mode & 0o700)
    for path in (folder, folder / "keys"):
        path.chmod(0o711)

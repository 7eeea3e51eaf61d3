"""The settings, read once from the environment.

Each field is set by the variable with the same name in upper case. `Settings.load` takes the
environment as an argument (see `sealing.seal_environment`): nothing else reads `os.environ`.
"""

from __future__ import annotations

import dataclasses
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from runbook.core.environ import SETTING_NAMES
from runbook.core.permissions import STANDARD_ROLES, RolePermissions
from runbook.errors import ConfigurationError
from runbook.host.scratch import METRICS_DIR
from runbook.settings_files import read_secret_files
from runbook.settings_kinds import (
    Secret,
    integer,
    log_level,
    networks,
    number,
    one_of,
    passed_names,
    paths,
    setting,
    switch,
)

PACKAGE = Path(__file__).resolve().parent
CHECKOUT = PACKAGE.parents[1]

PORT = integer(low=0, high=65535)
COUNT = integer(low=0)
POSITIVE = integer(above=0)


def in_checkout() -> bool:
    return (CHECKOUT / "samples" / "runbooks").is_dir()


def in_image() -> bool:
    """Whether this is a container image: it has a `/runbooks` folder and no checkout."""
    return not in_checkout() and Path("/runbooks").is_dir()


def _default_runbooks_dir() -> Path:
    return CHECKOUT / "samples" / "runbooks" if in_checkout() else Path("/runbooks")


def _default_data_dir() -> Path:
    if in_checkout():
        return CHECKOUT / ".data"
    if in_image():
        return Path("/data")
    home = Path(os.path.expanduser("~"))  # noqa: PTH111 - Path.home() raises if there is none
    return home / ".local" / "share" / "runbook"


def _default_bind_host() -> str:
    return "0.0.0.0" if in_image() else "127.0.0.1"  # noqa: S104 - clients of a container are outside it


@dataclass(frozen=True, eq=False)
class Settings:
    """All settings; see docs/configuration.md."""

    api_port: int = setting(PORT, 8083, "Port to listen on")
    api_host: str = setting(str, "localhost", "Host name in RUNBOOK_URL")
    api_protocol: Literal["http", "https"] = setting(
        one_of("http", "https"), "http", "Scheme in RUNBOOK_URL"
    )
    bind_host: str = setting(str, _default_bind_host, "Address to listen on")
    runbooks_dir: Path = setting(Path, _default_runbooks_dir, "Folder of the runbooks")
    execution_dir: Path = setting(
        Path, lambda: Path(tempfile.gettempdir()), "Folder of the runs' working directories"
    )
    mount_dir: str = setting(str, "", "Path of EXECUTION_DIR on the host, for docker run -v")
    data_dir: Path = setting(Path, _default_data_dir, "Folder of the database, keys and artifacts")
    toolkits_dir: str = setting(
        str, "", "Folder of the installed toolkits; by default toolkits in DATA_DIR"
    )
    toolkit_catalogue: str = setting(
        str, "", "URL or path of a catalogue to look for newer toolkits in; none by default"
    )
    database_url: Secret = setting(
        Secret, Secret(""), "URL of SQLite or PostgreSQL; by default runbook.db in DATA_DIR"
    )
    audit_retention_days: int = setting(
        COUNT, 400, "Retention of audit events, in days; 0 keeps all events"
    )
    retention_days: int = setting(POSITIVE, 90, "Retention of finished runs, in days")

    enable_login: bool = setting(
        switch, False, "Enable POST /dev-login, which issues tokens to anyone"
    )
    allow_remote_dev_login: bool = setting(
        switch, False, "Allow ENABLE_LOGIN if BIND_HOST is not a loopback address"
    )
    jwt_secret: Secret = setting(Secret, Secret(""), "Key for HS tokens, at least 32 bytes")
    jwt_algorithm: str = setting(str, "HS256", "The only accepted signature algorithm")
    jwt_issuer: str = setting(str, "dev-idp", "Required iss of tokens")
    jwt_audience: str = setting(str, "dev-api", "Required aud of tokens")
    jwt_ttl_minutes: int = setting(POSITIVE, 480, "Lifetime of issued tokens, in minutes")
    jwt_jwks_url: str = setting(
        str, "", "URL of the identity provider's keys, for RS, PS, ES and EdDSA"
    )
    role_permissions: RolePermissions = setting(
        RolePermissions.parse,
        lambda: RolePermissions.parse(STANDARD_ROLES),
        "Permissions of each role; * applies to every token",
    )
    enforce_claims: bool = setting(switch, False, "Enforce Required Claims for local users too")

    script_timeout_seconds: float = setting(
        number(above=0), 600, "Maximum duration of a run, in seconds"
    )
    max_output_size_bytes: int = setting(
        integer(low=1024), 10 * 1024 * 1024, "Maximum output stored per stream, in bytes"
    )
    max_artifact_bytes: int = setting(
        COUNT, 100 * 1024 * 1024, "Maximum total size of a run's artifacts, in bytes"
    )
    max_input_files: int = setting(
        POSITIVE, 1000, "Maximum number of a run's input files and folders"
    )
    max_input_bytes: int = setting(
        POSITIVE, 16 * 1024 * 1024, "Maximum total size of a run's input files, in bytes"
    )
    max_recursion_depth: int = setting(POSITIVE, 50, "Maximum length of a chain of calls")
    max_parallel_runs: int = setting(POSITIVE, 8, "Maximum number of runs at a time")
    max_queued_runs: int = setting(COUNT, 1000, "Maximum number of queued and waiting runs")
    web_processes: int = setting(POSITIVE, 2, "Number of web processes")
    drain_seconds: float = setting(
        number(low=0), 30, "Time for scripts to finish after SIGTERM, in seconds"
    )
    stop_timeout_seconds: float = setting(
        number(low=0),
        0,
        "Time from SIGTERM to SIGKILL that the service manager allows, in seconds; 0: unknown",
    )
    script_max_processes: int = setting(
        COUNT, 0, "Maximum number of processes of the engine's user; 0: no limit"
    )
    script_max_memory_bytes: int = setting(
        COUNT, 0, "Maximum address space of a process, in bytes; 0: no limit"
    )
    script_max_file_bytes: int = setting(
        COUNT, 0, "Maximum size of a written file, in bytes; 0: no limit"
    )

    script_max_open_files: int = setting(
        integer(low=256), 16384, "Maximum number of open files of a process"
    )
    isolation: Literal["auto", "process", "bwrap"] = setting(
        one_of("auto", "process", "bwrap"),
        "auto",
        "auto: a sandbox for each script where bubblewrap works; process: none; bwrap: required",
    )
    isolation_writable: tuple[Path, ...] = setting(
        paths, (), "Paths outside of a run that scripts in a sandbox can write"
    )
    run_as_user: str = setting(str, "", "User of scripts, if the server runs as root")
    run_max_processes: int = setting(
        COUNT, 0, "Maximum number of processes and threads of a run; 0: no limit"
    )
    run_max_memory_bytes: int = setting(
        COUNT, 0, "Maximum memory of all processes of a run, in bytes; 0: no limit"
    )

    rate_limit_enabled: bool = setting(switch, True, "Enable rate limits")
    rate_limit_per_minute: int = setting(POSITIVE, 60, "Requests per minute per caller")
    rate_limit_execute_per_minute: int = setting(POSITIVE, 10, "Executions per minute per caller")
    rate_limit_storage_backend: Literal["memory", "redis"] = setting(
        one_of("memory", "redis"),
        "memory",
        "memory: a count per web process; redis: one exact count",
    )
    redis_url: Secret = setting(
        Secret, Secret("redis://localhost:6379/0"), "Address of Redis, if it is used"
    )
    max_body_bytes: int = setting(POSITIVE, 1024 * 1024, "Maximum size of a request body, in bytes")
    trusted_proxies: tuple[str, ...] = setting(
        networks, (), "Proxies whose X-Forwarded-For is used"
    )

    history: Literal["file", "store", "stdout"] = setting(
        one_of("file", "store", "stdout"),
        "file",
        "file: append entries to the runbook; store: database only; stdout: print them",
    )
    history_max_entries: int = setting(POSITIVE, 10000, "Maximum number of entries in a runbook")
    history_entry_bytes: int = setting(
        integer(low=256), 65536, "Maximum output in a history entry, in bytes"
    )
    allow_undeclared_env: bool = setting(switch, False, "Accept undeclared variables")
    script_env_pass: tuple[str, ...] = setting(
        passed_names, (), "Variables of the server to pass to scripts"
    )
    secrets_dir: Path = setting(
        Path, Path("/run/secrets"), "Folder of secrets, for inputs with from: file"
    )
    connections_dir: Path = setting(
        Path, Path("/run/connections"), "Folder of connections for runbook execute"
    )

    logging_level: str = setting(log_level, "INFO", "Minimum level of log lines")
    metrics_port: int = setting(PORT, 0, "Port of /metrics; 0: API_PORT")
    ui_header: str = setting(str, "", "Title in the top bar of the web app")
    idp_login_uri: str = setting(str, "/login", "Target of the redirect at /auth/login")
    built_at: str = setting(str, "", "When the image was built")

    given: frozenset[str] = frozenset()
    """The names of the fields that are not set to their default."""
    environment: Mapping[str, str] = dataclasses.field(default_factory=dict, repr=False)
    """The server's environment, from which inputs and SCRIPT_ENV_PASS may take values."""

    @classmethod
    def load(cls, environment: Mapping[str, str], **overrides: object) -> Settings:
        """Settings from the environment; an empty variable counts as not set.

        Overrides are text or values. Raises ConfigurationError naming every invalid variable.
        """
        in_files, problems = read_secret_files(environment)
        values = {**environment, **in_files}
        texts = {name: values.get(name.upper(), "") for name in FIELDS}
        given: dict[str, Any] = {name: text for name, text in texts.items() if text.strip()}
        given |= overrides
        for name, field in FIELDS.items():
            if isinstance(text := given.get(name), str):
                try:
                    given[name] = field.metadata["read"](text)
                except ValueError as error:
                    problems.append(f"{name.upper()}: {error}")
        if problems:
            raise ConfigurationError("; ".join(problems))
        return cls(**given, given=frozenset(given), environment=dict(environment))

    def with_data_dir(self, folder: Path) -> Settings:
        return dataclasses.replace(self, data_dir=folder, given=self.given | {"data_dir"})

    @property
    def database(self) -> str:
        return self.database_url.get_secret_value() or f"sqlite:///{self.data_dir / 'runbook.db'}"

    @property
    def toolkits_folder(self) -> Path:
        return Path(self.toolkits_dir) if self.toolkits_dir else self.data_dir / "toolkits"

    @property
    def bundled_toolkits(self) -> Path:
        """The toolkits that come with this package."""
        return CHECKOUT / "runbooks" if in_checkout() else PACKAGE / "bundled"

    @property
    def api_url(self) -> str:
        return f"{self.api_protocol}://{self.api_host}:{self.api_port}/api/runbooks"

    def supplied(self) -> dict[str, str]:
        """Values that the server may supply for inputs: its environment without its settings."""
        return {
            name: value for name, value in self.environment.items() if name not in SETTING_NAMES
        }

    def passed(self) -> dict[str, str]:
        """The variables that SCRIPT_ENV_PASS passes to every script."""
        supplied = self.supplied()
        return {name: supplied[name] for name in self.script_env_pass if name in supplied}


FIELDS: Mapping[str, dataclasses.Field[Any]] = {
    field.name: field for field in dataclasses.fields(Settings) if field.metadata
}
"""The fields of `Settings` that variables set, by name."""


@dataclass(frozen=True, slots=True)
class ConfigItem:
    name: str
    value: str
    source: Literal["default", "environment"]
    description: str


def config_items(settings: Settings) -> list[ConfigItem]:
    """Every setting with its source; the values of secrets appear as `secret`."""
    return [
        ConfigItem(
            name=name.upper(),
            value=_display(getattr(settings, name)),
            source="environment" if name in settings.given else "default",
            description=field.metadata["description"],
        )
        for name, field in FIELDS.items()
    ]


def _display(value: object) -> str:
    if isinstance(value, Secret):
        return "secret"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return ",".join(str(part) for part in value)
    return f"{value:g}" if isinstance(value, float) else str(value)


def share_metrics(environment: Mapping[str, str]) -> None:
    """Share metrics with the server's processes. Call before importing prometheus_client."""
    if folder := environment.get(METRICS_DIR):
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder


def metrics_directory() -> str | None:
    return os.environ.get("PROMETHEUS_MULTIPROC_DIR")


def process_environment() -> Mapping[str, str]:
    """The environment of a command that runs no scripts, and so was not sealed."""
    return dict(os.environ)

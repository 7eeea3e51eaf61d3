"""The settings, read once from the environment.

Each field is set by the variable with the same name in upper case. `Settings.load` takes the
environment as an argument (see `guard.seal_environment`): nothing else reads `os.environ`.
"""

from __future__ import annotations

import ipaddress
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    PrivateAttr,
    SecretStr,
    ValidationError,
)

from runbook.core.environ import not_passed
from runbook.core.permissions import STANDARD_ROLES, RolePermissions
from runbook.errors import ConfigurationError
from runbook.host.scratch import METRICS_DIR

CHECKOUT = Path(__file__).resolve().parents[2]

_TRUE = frozenset({"true", "1", "yes", "on"})
_FALSE = frozenset({"false", "0", "no", "off"})


def _switch(value: object) -> object:
    if isinstance(value, str):
        word = value.strip().lower()
        if word in _TRUE:
            return True
        if word in _FALSE:
            return False
        raise ValueError("must be true, 1, yes, on, false, 0, no or off")
    return value


def _names(value: object) -> object:
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return value


def _networks(value: object) -> object:
    names = _names(value)
    for name in names if isinstance(names, tuple) else ():
        ipaddress.ip_network(name, strict=False)
    return names


def _passed(value: object) -> object:
    names = _names(value)
    for name in names if isinstance(names, tuple) else ():
        reason = not_passed(name)
        if reason is not None:
            raise ValueError(f"can't include {name}: {reason}")
    return names


def _roles(value: object) -> object:
    return RolePermissions.parse(value) if isinstance(value, str) else value


Switch = Annotated[bool, BeforeValidator(_switch)]
PassedNames = Annotated[tuple[str, ...], BeforeValidator(_passed)]
Networks = Annotated[tuple[str, ...], BeforeValidator(_networks)]
Roles = Annotated[RolePermissions, PlainValidator(_roles)]
Port = Annotated[int, Field(ge=0, le=65535)]
Count = Annotated[int, Field(ge=0)]
Positive = Annotated[int, Field(gt=0)]


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


class Settings(BaseModel):
    """All settings; see docs/configuration.md."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    api_port: Port = Field(8083, description="Port to listen on")
    api_host: str = Field("localhost", description="Host name in RUNBOOK_URL")
    api_protocol: Literal["http", "https"] = Field("http", description="Scheme in RUNBOOK_URL")
    bind_host: str = Field(default_factory=_default_bind_host, description="Address to listen on")
    runbooks_dir: Path = Field(
        default_factory=_default_runbooks_dir, description="Folder of the runbooks"
    )
    execution_dir: Path = Field(
        default_factory=lambda: Path(tempfile.gettempdir()),
        description="Folder of the runs' working directories",
    )
    mount_dir: str = Field("", description="Path of EXECUTION_DIR on the host, for docker run -v")
    data_dir: Path = Field(
        default_factory=_default_data_dir, description="Folder of the database, keys and artifacts"
    )
    database_url: SecretStr = Field(
        SecretStr(""), description="URL of SQLite or PostgreSQL; by default runbook.db in DATA_DIR"
    )
    audit_retention_days: Count = Field(
        400, description="Retention of audit events, in days; 0 keeps all events"
    )
    retention_days: Positive = Field(90, description="Retention of finished runs, in days")

    enable_login: Switch = Field(
        False, description="Enable POST /dev-login, which issues tokens to anyone"
    )
    allow_remote_dev_login: Switch = Field(
        False, description="Allow ENABLE_LOGIN if BIND_HOST is not a loopback address"
    )
    jwt_secret: SecretStr = Field(SecretStr(""), description="Key for HS tokens, at least 32 bytes")
    jwt_algorithm: str = Field("HS256", description="The only accepted signature algorithm")
    jwt_issuer: str = Field("dev-idp", description="Required iss of tokens")
    jwt_audience: str = Field("dev-api", description="Required aud of tokens")
    jwt_ttl_minutes: Positive = Field(480, description="Lifetime of issued tokens, in minutes")
    jwt_jwks_url: str = Field(
        "", description="URL of the identity provider's keys, for RS, PS, ES and EdDSA"
    )
    role_permissions: Roles = Field(
        default_factory=lambda: RolePermissions.parse(STANDARD_ROLES),
        description="Permissions of each role; * applies to every token",
    )
    enforce_claims: Switch = Field(False, description="Enforce Required Claims for local users too")

    script_timeout_seconds: Annotated[float, Field(gt=0)] = Field(
        600, description="Maximum duration of a run, in seconds"
    )
    max_output_size_bytes: Annotated[int, Field(ge=1024)] = Field(
        10 * 1024 * 1024, description="Maximum output stored per stream, in bytes"
    )
    max_artifact_bytes: Count = Field(
        100 * 1024 * 1024, description="Maximum total size of a run's artifacts, in bytes"
    )
    max_input_files: Positive = Field(
        1000, description="Maximum number of a run's input files and folders"
    )
    max_input_bytes: Positive = Field(
        16 * 1024 * 1024, description="Maximum total size of a run's input files, in bytes"
    )
    max_recursion_depth: Positive = Field(50, description="Maximum length of a chain of calls")
    max_parallel_runs: Positive = Field(8, description="Maximum number of runs at a time")
    max_queued_runs: Count = Field(1000, description="Maximum number of queued and waiting runs")
    web_processes: Positive = Field(2, description="Number of web processes")
    drain_seconds: Annotated[float, Field(ge=0)] = Field(
        30, description="Time for scripts to finish after SIGTERM, in seconds"
    )
    script_max_processes: Count = Field(
        0, description="Maximum number of processes of the engine's user; 0: no limit"
    )
    script_max_memory_bytes: Count = Field(
        0, description="Maximum address space of a process, in bytes; 0: no limit"
    )
    script_max_file_bytes: Count = Field(
        0, description="Maximum size of a written file, in bytes; 0: no limit"
    )

    rate_limit_enabled: Switch = Field(True, description="Enable rate limits")
    rate_limit_per_minute: Positive = Field(60, description="Requests per minute per caller")
    rate_limit_execute_per_minute: Positive = Field(
        10, description="Executions per minute per caller"
    )
    rate_limit_storage_backend: Literal["memory", "redis"] = Field(
        "memory", description="memory: a count per web process; redis: one exact count"
    )
    redis_url: SecretStr = Field(
        SecretStr("redis://localhost:6379/0"), description="Address of Redis, if it is used"
    )
    max_body_bytes: Positive = Field(
        1024 * 1024, description="Maximum size of a request body, in bytes"
    )
    trusted_proxies: Networks = Field((), description="Proxies whose X-Forwarded-For is used")

    history: Literal["file", "store"] = Field(
        "file", description="file: append entries to the runbook; store: database only"
    )
    history_max_entries: Positive = Field(
        10_000, description="Maximum number of entries in a runbook"
    )
    history_entry_bytes: Annotated[int, Field(ge=256)] = Field(
        65_536, description="Maximum output in a history entry, in bytes"
    )
    allow_undeclared_env: Switch = Field(False, description="Accept undeclared variables")
    script_env_pass: PassedNames = Field(
        (), description="Variables of the server to pass to scripts"
    )
    secrets_dir: Path = Field(
        Path("/run/secrets"), description="Folder of secrets, for inputs with from: file"
    )

    logging_level: Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"] = Field(
        "INFO", description="Minimum level of log lines"
    )
    metrics_port: Port = Field(0, description="Port of /metrics; 0: API_PORT")
    ui_header: str = Field("", description="Title in the top bar of the web app")
    idp_login_uri: str = Field("/login", description="Target of the redirect at /auth/login")
    built_at: str = Field("", description="When the image was built")

    _environment: Mapping[str, str] = PrivateAttr(default_factory=dict)

    @classmethod
    def load(cls, environment: Mapping[str, str], **overrides: object) -> Settings:
        """Settings from the environment; an empty variable counts as not set.

        Raises ConfigurationError naming every invalid variable.
        """
        given: dict[str, object] = {
            field: environment[field.upper()]
            for field in cls.model_fields
            if environment.get(field.upper(), "").strip()
        }
        if isinstance(level := given.get("logging_level"), str):
            given["logging_level"] = level.upper()
        try:
            settings = cls.model_validate(given | overrides)
        except ValidationError as error:
            raise ConfigurationError(_explain(error)) from None
        settings._environment = dict(environment)  # noqa: SLF001 - set by the class itself
        return settings

    @property
    def environment(self) -> Mapping[str, str]:
        """The server's environment, from which inputs and SCRIPT_ENV_PASS may take values."""
        return self._environment

    @property
    def database(self) -> str:
        return self.database_url.get_secret_value() or f"sqlite:///{self.data_dir / 'runbook.db'}"

    @property
    def api_url(self) -> str:
        return f"{self.api_protocol}://{self.api_host}:{self.api_port}/api/runbooks"

    def supplied(self) -> dict[str, str]:
        """Values that the server may supply for inputs: its environment without its settings."""
        own = {field.upper() for field in type(self).model_fields}
        return {name: value for name, value in self._environment.items() if name not in own}

    def passed(self) -> dict[str, str]:
        """The variables that SCRIPT_ENV_PASS passes to every script."""
        supplied = self.supplied()
        return {name: supplied[name] for name in self.script_env_pass if name in supplied}


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
            name=field.upper(),
            value=_display(getattr(settings, field)),
            source="environment" if field in settings.model_fields_set else "default",
            description=info.description or "",
        )
        for field, info in Settings.model_fields.items()
    ]


def _display(value: object) -> str:
    if isinstance(value, SecretStr):
        return "secret"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return ",".join(value)
    return f"{value:g}" if isinstance(value, float) else str(value)


def _explain(error: ValidationError) -> str:
    lines = [
        f"{str(item['loc'][0]).upper()}: {item['msg'].removeprefix('Value error, ')}"
        for item in error.errors(include_url=False, include_input=False)
    ]
    return "; ".join(lines)


def share_metrics(environment: Mapping[str, str]) -> None:
    """Share metrics with the server's processes. Call before importing prometheus_client."""
    if folder := environment.get(METRICS_DIR):
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder


def metrics_directory() -> str | None:
    return os.environ.get("PROMETHEUS_MULTIPROC_DIR")


def process_environment() -> Mapping[str, str]:
    """The environment of a command that runs no scripts, and so was not sealed."""
    return dict(os.environ)

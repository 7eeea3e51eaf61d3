"""The configuration of the engine."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import field
from pathlib import Path
from typing import Protocol

from runbook.core.permissions import NO_GRANTS, Grants
from runbook.core.run import Run
from runbook.engine.isolation.isolation import Isolation, no_isolation
from runbook.engine.process.limits import ScriptLimits
from runbook.engine.process.run import Grace
from runbook.engine.process.workspace import SAFE_PATH
from runbook.quick_dataclass import dataclass


class MintToken(Protocol):
    """Issues the token of a run's script: see access.tokens.RunTokens.mint."""

    def __call__(self, run_id: str, subject: str, claims: Mapping[str, object]) -> str: ...


class Observer(Protocol):
    """Counts events for metrics. Must not raise."""

    def run_ended(self, run: Run) -> None: ...

    def run_refused(self, run: Run) -> None: ...

    def run_quarantined(self, run: Run) -> None: ...


class NoObserver:
    def run_ended(self, run: Run) -> None: ...

    def run_refused(self, run: Run) -> None: ...

    def run_quarantined(self, run: Run) -> None: ...


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """Sizes in bytes, times in seconds. See Settings for `supplied` and `passed`.

    `secrets_dir` is the folder with secrets that runbooks may use.
    `call_socket` is the socket for calls from scripts; empty if a server accepts them.
    """

    execution_dir: Path
    data_dir: Path
    api_url: str
    mint_token: MintToken
    mount_dir: str = ""
    timeout_s: float = 600.0
    max_output_bytes: int = 10 * 1024 * 1024
    max_recursion_depth: int = 50
    max_queued_runs: int | None = 1000
    history_in_file: bool = True
    history_max_entries: int = 10_000
    history_entry_bytes: int = 65_536
    allow_undeclared_env: bool = False
    enforce_claims: bool = False
    supplied: Mapping[str, str] = field(default_factory=dict)
    passed: Mapping[str, str] = field(default_factory=dict)
    secrets_dir: Path | None = None
    config_items: Sequence[Mapping[str, object]] = ()
    search_path: str = SAFE_PATH
    timezone: str = ""
    user: str = ""
    """The name of the user that scripts run as."""
    grace: Grace = field(default_factory=Grace)
    limits: ScriptLimits = field(default_factory=ScriptLimits)
    isolation: Isolation = field(default_factory=no_isolation)
    call_socket: str = ""
    role_grants: Callable[[Iterable[str]], Grants] = lambda _roles: NO_GRANTS
    """What the roles of a run's requester grant, for what the engine does on a run's behalf."""

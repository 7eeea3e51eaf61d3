"""Executes a test case with a temporary engine, whose data is deleted afterwards."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path

from runbook.bootstrap import operator
from runbook.cli.authoring.selection import Selected
from runbook.cli.one_shot.execution import OneShot, calling_engine
from runbook.cli.source.opening import load_settings
from runbook.cli.terminal.render import Json
from runbook.core import return_codes
from runbook.core.access import LOCAL_PREFIX, Principal
from runbook.core.authoring.case_outcome import CaseOutcome, Difference, differences
from runbook.core.authoring.cases import Case
from runbook.core.claims import roles_of
from runbook.core.connection import Opened
from runbook.core.events import EventType, RunEvent
from runbook.core.run import Origin
from runbook.core.status import RunStatus
from runbook.engine.connections.loose import made
from runbook.engine.requests import ExecuteRequest
from runbook.errors import AccessDeniedError, RunbookError
from runbook.host import scratch
from runbook.quick_dataclass import dataclass
from runbook.settings import FIELDS, Settings
from runbook.worker.one_shot import OneShotWorker, executing_here

SUBJECT = "test"
TAIL_LINES = 20
_KEPT = frozenset({"PATH", "HOME", "LANG", "TZ", "TMPDIR"})


class InterruptedCaseError(Exception):
    """The tests were interrupted."""


@dataclass(frozen=True, slots=True)
class CaseResult:
    """The result of a case. `error` says why it didn't execute; `tail` is the end of its log."""

    item: Selected
    case: Case
    seconds: float
    outcome: CaseOutcome | None
    differences: tuple[Difference, ...] = ()
    error: str | None = None
    tail: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        return self.error is None and not self.differences


class CaseRunner:
    """Executes cases one at a time. `interrupt` may be called from a signal handler."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self._worker: OneShotWorker | None = None
        self._stopped = False

    def interrupt(self) -> None:
        self._stopped = True
        if self._worker is not None:
            self._worker.interrupt()

    def abandon(self) -> None:
        """Kill the script, because the guardian is gone."""
        self._stopped = True
        if self._worker is not None:
            self._worker.abandon()

    def execute(self, item: Selected, case: Case) -> CaseResult:
        """Execute a case. Raises InterruptedCaseError if it was interrupted."""
        view = _CaseView()
        error: str | None = None
        started = time.monotonic()
        with scratch.temporary_folder(scratch.TESTS) as name:
            try:
                self._run(item, case, case_settings(item, self._environment, Path(name)), view)
            except AccessDeniedError:
                pass  # the view has recorded it
            except RunbookError as failure:
                error = view.failed(failure)
        if self._stopped:
            raise InterruptedCaseError
        outcome = view.outcome()
        if outcome is None:
            error = error or "the run did not finish"
        found = differences(case, outcome) if outcome else []
        took = time.monotonic() - started
        return CaseResult(item, case, took, outcome, tuple(found), error, tuple(view.tail()))

    def _run(self, item: Selected, case: Case, settings: Settings, view: _CaseView) -> None:
        with calling_engine(settings, _connections(case)) as engine:
            principal = _principal(settings, case)
            engine.choices.executing = executing_here(engine, principal)
            one_shot = OneShot(engine, principal, item.ref, view)
            self._worker = one_shot.worker
            try:
                if not self._stopped:
                    one_shot.execute(_request(case))
            finally:
                self._worker = None


def case_settings(item: Selected, environment: Mapping[str, str], data_dir: Path) -> Settings:
    """The settings of a case, without the caller's variables, which must not become inputs.

    Raises ConfigurationError.
    """
    own = {name.upper() for name in FIELDS}
    passed = set(load_settings(environment).script_env_pass)
    kept = {k: v for k, v in environment.items() if k in own | _KEPT | passed}
    return load_settings(
        kept, runbooks_dir=item.root, data_dir=data_dir, database_url="", history="store"
    )


def _connections(case: Case) -> dict[str, Opened]:
    """Raises InvalidConnectionError."""
    return {
        name: made(name, given.kind, given.values, f"the case {case.name!r}")
        for name, given in case.connections.items()
    }


def _principal(settings: Settings, case: Case) -> Principal:
    if case.claims is None:
        return operator(settings, f"{LOCAL_PREFIX}{SUBJECT}")
    subject = case.claims.get("sub")
    name = subject if isinstance(subject, str) else SUBJECT
    grants = settings.role_permissions.grants(roles_of(case.claims))
    return Principal(name, Origin.CLI, case.claims, grants=grants)


def _request(case: Case) -> ExecuteRequest:
    return ExecuteRequest(
        env_vars=dict(case.inputs),
        secrets=case.secrets,
        timeout_s=case.timeout_s,
        confirm=case.confirm,
        dry_run=case.dry_run,
    )


class _CaseView:
    """Records the output and the result of a run."""

    def __init__(self) -> None:
        self._texts: dict[EventType, list[str]] = {EventType.STDOUT: [], EventType.STDERR: []}
        self._log: deque[str] = deque(maxlen=1000)
        self._ended: Json | None = None
        self._errors: list[str] = []
        self._status: RunStatus | None = None

    def event(self, event: RunEvent) -> None:
        if event.type.is_output:
            self._texts[event.type].append(event.text or "")
            self._log.append(event.text or "")

    def refused(self, ref: str, message: str) -> None:  # noqa: ARG002 - the protocol's signature
        self._status = RunStatus.REFUSED
        self._errors.append(message)

    def invalid(self, events: Sequence[RunEvent], problems: Sequence[Json]) -> None:  # noqa: ARG002
        for event in events:
            self.event(event)

    def ended(self, run: Json) -> None:
        self._ended = run

    def failed(self, error: RunbookError) -> str | None:
        """Record an error that prevented the run. Returns its text unless a status covers it."""
        if error.exit_code in (65, 77) and self._ended is None:
            self._status = RunStatus.INVALID if error.exit_code == 65 else RunStatus.REFUSED
            self._errors.append(error.message)
            return None
        return error.message

    def tail(self) -> list[str]:
        """The last lines of the output."""
        return "".join(self._log).splitlines()[-TAIL_LINES:]

    def outcome(self) -> CaseOutcome | None:
        run = self._ended
        if run is None and self._status is None:
            return None
        errors, outputs, code = self._of(run)
        return CaseOutcome(
            status=self._status or RunStatus(str(run["status"] if run else "")),
            return_code=return_codes.REFUSED if self._status is RunStatus.REFUSED else code,
            outputs=outputs,
            stdout="".join(self._texts[EventType.STDOUT]),
            stderr="".join(self._texts[EventType.STDERR]),
            errors=(*self._errors, *errors),
        )

    def _of(self, run: Json | None) -> tuple[list[str], dict[str, object], int | None]:
        if run is None:
            return [], {}, None
        errors, outputs, code = run.get("errors"), run.get("outputs"), run.get("return_code")
        return (
            [str(error) for error in errors] if isinstance(errors, list) else [],
            dict(outputs) if isinstance(outputs, Mapping) else {},
            code if isinstance(code, int) else None,
        )

"""The engine process of `runbook execute`: submits one run, executes it, shows its events.

It is a copy of the guardian (see `guardian.py`), with the same options.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import click

from runbook.bootstrap import build_authenticator, local_operator
from runbook.cli.commands import Invocation
from runbook.cli.execute import execute_options
from runbook.cli.one_shot.guarded import obey_signals, run_guarded
from runbook.cli.one_shot.socket import CallServer, socket_path
from runbook.cli.options.execute_options import ExecuteOptions
from runbook.cli.options.inputs import Assignment, GivenInputs, gather, with_files
from runbook.cli.source.choose import SourceOptions
from runbook.cli.source.locate import locate
from runbook.cli.source.opening import NO_CONNECTIONS, open_engine, principal_for, usable
from runbook.cli.source.protocol import URL_VARIABLE
from runbook.cli.terminal import exit_codes
from runbook.cli.terminal.messages import note, print_bytes, print_warning
from runbook.cli.terminal.views import RunView, view_of
from runbook.core.access import Principal
from runbook.core.connection import Opened
from runbook.core.run import Run
from runbook.core.status import RunStatus
from runbook.engine.connections.loose import read_file
from runbook.engine.engine import Engine
from runbook.engine.isolation.isolated import Mode
from runbook.engine.process.limits import inherit_limits, runs_allowed
from runbook.engine.requests import ExecuteRequest, Submitted
from runbook.errors import (
    AccessDeniedError,
    HistoryError,
    HistoryReadOnlyError,
    StoreBusyError,
)
from runbook.resources.run import run_json
from runbook.settings import Settings
from runbook.store.models import RunFilter
from runbook.worker.one_shot import OneShotWorker, executing_here

WATCH_SECONDS = 1.0
UNWRITTEN = frozenset({HistoryError.code, HistoryReadOnlyError.code})


def run_once(options: ExecuteOptions, environment: Mapping[str, str]) -> int:
    """Execute a runbook. Returns the exit code; raises RunbookError and click.UsageError."""
    inputs = gather(options.env, options.secret, options.env_file)
    token = SourceOptions(token_stdin=options.token_stdin).token(environment)
    target = locate(options.runbook, environment)
    view = view_of(
        options.runbook, as_json=options.as_json, quiet=options.quiet, environment=environment
    )
    if environment.get(URL_VARIABLE) and not options.quiet:
        note(f"executing on this machine; to execute on the server in {URL_VARIABLE}, use --url")
    with opened(target.settings, token, connections_in(options.connection)) as (engine, principal):
        inputs = with_files(inputs, lambda: engine.runbooks.input_schema(target.ref, principal))
        if options.ask:
            inputs = _asked_for(engine, principal, target.ref, inputs)
        request = ExecuteRequest(
            env_vars=dict(inputs.values),
            secrets=inputs.secrets,
            reason=options.reason,
            timeout_s=options.timeout,
            confirm=options.confirm,
            dry_run=options.dry_run,
        )
        prints = target.settings.history == "stdout" and not options.as_json
        one_shot = OneShot(engine, principal, target.ref, view, prints_history=prints)
        obey_signals(one_shot.worker)
        return one_shot.execute(request)


def connections_in(given: Iterable[Assignment]) -> Mapping[str, Opened]:
    """The connections of --connection, from their files. Raises RunbookError."""
    return {one.name: read_file(one.name, Path(one.value)) for one in given}


def _asked_for(engine: Engine, principal: Principal, ref: str, inputs: GivenInputs) -> GivenInputs:
    from runbook.cli.source.form import asked_for
    from runbook.cli.source.local import LocalSource

    return asked_for(LocalSource(engine, principal), ref, inputs)


@contextmanager
def opened(
    settings: Settings, token: str, connections: Mapping[str, Opened] = NO_CONNECTIONS
) -> Iterator[tuple[Engine, Principal]]:
    """An engine for one run and the runs that it calls, and the run's requester."""
    with usable(settings) as kept:
        principal = principal_for(kept, token)
        with calling_engine(kept, connections) as engine:
            engine.choices.executing = executing_here(engine, principal)
            yield engine, principal
            if kept is not settings and _is_unrecorded(engine, kept):
                print_warning(
                    "This run is recorded nowhere: neither DATA_DIR nor the runbook's history is "
                    "writable"
                )


def _is_unrecorded(engine: Engine, settings: Settings) -> bool:
    """Whether a run in a temporary DATA_DIR is not in the runbook's history either."""
    if settings.database_url.get_secret_value() or settings.history == "stdout":
        return False
    with suppress(AccessDeniedError):
        page = engine.runs.page(local_operator(settings), RunFilter(), cursor=None, limit=1)
        codes = {problem.code for run in page.runs for problem in run.result.warnings}
        return settings.history == "store" or not UNWRITTEN.isdisjoint(codes)
    return False


@contextmanager
def calling_engine(
    settings: Settings, connections: Mapping[str, Opened] = NO_CONNECTIONS
) -> Iterator[Engine]:
    """An engine whose scripts may call other runbooks, without a server; see open_engine."""
    runs_allowed(1)
    if "isolation" not in settings.given:
        # The script can do what its user can do anyway; that is whom a sandbox would protect.
        settings = dataclasses.replace(settings, isolation=Mode.PROCESS.value)
    path = socket_path(settings.execution_dir)
    engine = open_engine(settings, call_socket=str(path), connections=connections)
    try:
        inherit_limits(engine.options.limits)
        with CallServer(path, engine, lambda: build_authenticator(settings)):
            yield engine
    finally:
        engine.close()


class OneShot:
    """One run, from request to result. For the main thread, which only shows events."""

    def __init__(
        self,
        engine: Engine,
        principal: Principal,
        ref: str,
        view: RunView,
        *,
        prints_history: bool = False,
    ) -> None:
        self._engine = engine
        self._principal = principal
        self._ref = ref
        self._view = view
        self._prints_history = prints_history
        self.worker = OneShotWorker(engine, principal)

    def execute(self, request: ExecuteRequest) -> int:
        """Execute the runbook. Returns the exit code."""
        return self.execute_as(
            lambda asked: self._engine.submit(self._ref, self._principal, asked), request
        )

    def execute_as(
        self, submit: Callable[[ExecuteRequest], Submitted], request: ExecuteRequest
    ) -> int:
        """Execute the run that `submit` creates. Returns the exit code."""
        self.worker.register()
        try:
            run = submit(dataclasses.replace(request, assigned_to=self.worker.id)).run
            if run.status is RunStatus.INVALID:
                self._show_invalid(run)
            else:
                self.worker.start(run)
                self._show(run.id)
                self.worker.wait()
            return self._conclude(run)
        except AccessDeniedError as error:
            self._view.refused(self._ref, error.message)
            raise
        finally:
            self.worker.close()

    def _show(self, run_id: str) -> None:
        """Show events from the store, so that a slow terminal doesn't slow the script."""
        shown = 0
        while True:
            try:
                for event in self._engine.follow(run_id, after=shown, heartbeat_s=WATCH_SECONDS):
                    self.worker.check()
                    if event is not None:
                        shown = event.n
                        self._view.event(event)
            except StoreBusyError:
                continue
            return

    def _show_invalid(self, run: Run) -> None:
        """Show the problems from the last event: the run itself has only texts, without lines."""
        events = self._engine.runs.events(run.id)
        problems = (events[-1].data or {}).get("problems", [])
        self._view.invalid(events, problems if isinstance(problems, list) else [])

    def _conclude(self, run: Run) -> int:
        current = self._engine.runs.current(run) or run
        ended = run_json(current)
        self._view.ended(ended)
        if self._prints_history and current.status is not RunStatus.INVALID:
            print_bytes(self._engine.runs.history_entry(current))
        return exit_codes.of_run(ended)


@click.command("execute")
@execute_options
@click.pass_obj
def _command(called: Invocation, /, **given: Any) -> int:
    options = ExecuteOptions(**given)
    options.check()
    return run_once(options, called.environment or {})


def main(arguments: Sequence[str], environment: Mapping[str, str]) -> int:
    return run_guarded(_command, "execute", arguments, environment)

"""Local runbooks and runs, in the JSON form of the HTTP API."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from runbook.cli.options.inputs import GivenInputs
from runbook.cli.source.opening import (
    load_settings,
    open_engine,
    principal_for,
    usable,
)
from runbook.cli.source.protocol import AuditQuery, Json, RunQuery
from runbook.core.access import Principal
from runbook.core.run import Run
from runbook.core.runbook_filter import ALL_RUNBOOKS, RunbookFilter
from runbook.core.status import RunStatus
from runbook.engine.engine import Engine
from runbook.engine.form_choices import Executing
from runbook.engine.requests import ExecuteRequest, FormValues
from runbook.resources.artifact import artifact_json
from runbook.resources.audit import audit_page_json
from runbook.resources.declaration import required_env_json
from runbook.resources.event import event_json
from runbook.resources.report import report_json
from runbook.resources.run import run_json, run_page_json, whole_run_json
from runbook.resources.runbook import listed_json, runbook_json
from runbook.settings import Settings
from runbook.store.models import AuditFilter, InputMatch, RunFilter


class LocalSource:
    """Reads local files and the local database."""

    def __init__(self, engine: Engine, principal: Principal) -> None:
        self._engine = engine
        self._principal = principal

    def runbooks(self, wanted: RunbookFilter = ALL_RUNBOOKS) -> list[Json]:
        return [
            listed_json(item.entry, item.decision, item.last_run)
            for item in self._engine.runbooks.listing(self._principal, wanted)
        ]

    def runbook(self, ref: str) -> Json:
        found = self._engine.runbooks.text_for(ref, self._principal)
        return runbook_json(found.entry, found.decision, found.content)

    def inputs(self, ref: str) -> Json:
        return self._engine.runbooks.input_schema(ref, self._principal)

    def required_env(self, ref: str) -> Json:
        return required_env_json(ref, self._engine.runbooks.required_env(ref, self._principal))

    def choices(
        self, ref: str, path: str, values: Mapping[str, object], row: Mapping[str, object] | None
    ) -> Json:
        from runbook.resources.choices import choices_json

        known = FormValues(dict(values), row)
        return choices_json(
            ref, path, self._engine.runbooks.choices(ref, self._principal, path, known)
        )

    def validate(self, ref: str, inputs: GivenInputs) -> Json:
        request = ExecuteRequest(env_vars=dict(inputs.values), secrets=inputs.secrets)
        report = self._engine.validate(ref, self._principal, request)
        return report_json(report.ref, report.errors, report.warnings)

    def runs(self, query: RunQuery, cursor: str | None, limit: int) -> Json:
        wanted = RunFilter(
            refs=frozenset({query.runbook}) if query.runbook else None,
            statuses=frozenset(RunStatus(status) for status in query.statuses),
            subject=query.who,
            since=query.since,
            dry_run=query.dry_run,
            inputs=tuple(map(InputMatch.of, filter(None, query.inputs))),
            device=query.device,
        )
        page = self._engine.runs.page(self._principal, wanted, cursor=cursor, limit=limit)
        return run_page_json(page.runs, page.next_cursor)

    def run(self, run_id: str) -> Json:
        run = self._engine.runs.get(run_id, self._principal)
        return whole_run_json(self._engine.runs.details(run, self._principal))

    def events(self, run_id: str, *, after: int = 0) -> Iterator[Json]:
        run = self._engine.runs.get(run_id, self._principal)
        for event in self._engine.follow(run.id, after=after):
            if event is not None:
                yield event_json(event)

    def cancel(self, run_id: str) -> Json:
        run = self._engine.runs.get(run_id, self._principal)
        return run_json(self._engine.cancel(run, self._principal))

    def devices(self, run_id: str, cursor: str | None, limit: int) -> Json:
        from runbook.resources.fanout import fanout_page_json

        run = self._engine.runs.get(run_id, self._principal)
        return fanout_page_json(self._engine.fanouts.page(run, cursor=cursor, limit=limit))

    def pause(self, run_id: str, *, paused: bool) -> Json:
        run = self._engine.runs.get(run_id, self._principal)
        self._engine.fanouts.pause(run, self._principal, paused=paused)
        return run_json(run)

    def audit(self, query: AuditQuery, cursor: int | None, limit: int) -> Json:
        wanted = AuditFilter(query.who, query.action, query.target, query.since, query.until)
        page = self._engine.audit_events(self._principal, wanted, cursor=cursor, limit=limit)
        return audit_page_json(page)

    def artifacts(self, run_id: str) -> list[Json]:
        run = self._engine.runs.get(run_id, self._principal)
        return [artifact_json(artifact) for artifact in self._engine.runs.artifacts(run)]

    def artifact(self, run_id: str, name: str) -> bytes:
        run = self._engine.runs.get(run_id, self._principal)
        return self._engine.runs.artifact_path(run, name).read_bytes()


def _executing(engine: Engine, principal: Principal) -> Executing:
    """Most commands never need it, so it is imported late."""

    def execute(submit: Callable[[str | None], Run]) -> Run:
        from runbook.worker.one_shot import executing_here

        return executing_here(engine, principal)(submit)

    return execute


@contextmanager
def open_local(environment: Mapping[str, str], token: str) -> Iterator[LocalSource]:
    """Open the runbooks and runs that the environment's settings specify."""
    with open_with(load_settings(environment), token) as source:
        yield source


@contextmanager
def open_with(settings: Settings, token: str) -> Iterator[LocalSource]:
    with usable(settings) as kept:
        principal = principal_for(kept, token)
        engine = open_engine(kept)
        engine.choices.executing = _executing(engine, principal)
        try:
            yield LocalSource(engine, principal)
        finally:
            engine.close()

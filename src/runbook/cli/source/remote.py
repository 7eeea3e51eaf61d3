"""Runbooks and runs of a server, through its HTTP API."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

from runbook.cli.options.inputs import GivenInputs
from runbook.cli.source.client import Client
from runbook.cli.source.protocol import AuditQuery, Json, RunQuery
from runbook.core.runbook_filter import ALL_RUNBOOKS, RunbookFilter
from runbook.core.times import iso


class RemoteSource:
    """Reads from a server."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def runbooks(self, wanted: RunbookFilter = ALL_RUNBOOKS) -> list[Json]:
        asked: dict[str, Any] = {"q": wanted.text, "tag": list(wanted.tags), "owner": wanted.owner}
        given = {name: value for name, value in asked.items() if value}
        runbooks: list[Json] = self._client.get("/api/runbooks", **given)["runbooks"]
        return runbooks

    def runbook(self, ref: str) -> Json:
        return self._client.get(f"/api/runbooks/{quote(ref)}")

    def inputs(self, ref: str) -> Json:
        return self._client.get(f"/api/runbooks/{quote(ref)}/inputs")

    def required_env(self, ref: str) -> Json:
        return self._client.get(f"/api/runbooks/{quote(ref)}/required-env")

    def choices(
        self, ref: str, path: str, values: Mapping[str, object], row: Mapping[str, object] | None
    ) -> Json:
        body = {"env_vars": dict(values), "row": None if row is None else dict(row)}
        return self._client.post(f"/api/runbooks/{quote(ref)}/choices/{quote(path)}", body)

    def validate(self, ref: str, inputs: GivenInputs) -> Json:
        return self._client.validate(ref, inputs.values)

    def runs(self, query: RunQuery, cursor: str | None, limit: int) -> Json:
        asked: dict[str, Any] = {
            "runbook": query.runbook,
            "status": ",".join(query.statuses),
            "who": query.who,
            "since": None if query.since is None else iso(query.since),
            "dry_run": None if query.dry_run is None else str(query.dry_run).lower(),
            "input": list(query.inputs),
            "device": query.device,
            "cursor": cursor,
            "limit": limit,
        }
        return self._client.get("/api/runs", **{k: v for k, v in asked.items() if v})

    def run(self, run_id: str) -> Json:
        return self._client.get(f"/api/runs/{quote(run_id, safe='')}")

    def events(self, run_id: str, *, after: int = 0) -> Iterator[Json]:
        return self._client.events(run_id, after=after)

    def cancel(self, run_id: str) -> Json:
        return self._client.post(f"/api/runs/{quote(run_id, safe='')}/cancel")

    def devices(self, run_id: str, cursor: str | None, limit: int) -> Json:
        more = {} if cursor is None else {"cursor": cursor}
        path = f"/api/runs/{quote(run_id, safe='')}/devices"
        return self._client.get(path, limit=limit, **more)

    def pause(self, run_id: str, *, paused: bool) -> Json:
        action = "pause" if paused else "continue"
        return self._client.post(f"/api/runs/{quote(run_id, safe='')}/{action}")

    def audit(self, query: AuditQuery, cursor: int | None, limit: int) -> Json:
        asked: dict[str, Any] = {
            "who": query.who,
            "action": query.action,
            "target": query.target,
            "since": None if query.since is None else iso(query.since),
            "until": None if query.until is None else iso(query.until),
            "cursor": cursor,
            "limit": limit,
        }
        return self._client.get("/api/audit", **{k: v for k, v in asked.items() if v})

    def artifacts(self, run_id: str) -> list[Json]:
        path = f"/api/runs/{quote(run_id, safe='')}/artifacts"
        found: list[Json] = self._client.get(path)["artifacts"]
        return found

    def artifact(self, run_id: str, name: str) -> bytes:
        return self._client.content(f"/api/runs/{quote(run_id, safe='')}/artifacts/{quote(name)}")


@contextmanager
def open_remote(url: str, token: str) -> Iterator[RemoteSource]:
    with Client(url, token) as client:
        yield RemoteSource(client)

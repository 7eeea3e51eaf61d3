"""The server: its status and settings, and sign-in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from typing_extensions import TypedDict

from runbook.core.document import Problem, texts_of
from runbook.core.times import iso
from runbook.resources.forms import Doc, optional_iso
from runbook.resources.problem import ProblemItemJson, problems_json
from runbook.store.models import DatabaseState, QueueStats, Worker, WorkerKind


class LoginJson(TypedDict):
    access_token: str
    token_type: Literal["bearer"]
    expires_at: str
    subject: str
    roles: list[str]


_From = TypedDict(
    "_From",
    {"from": Annotated[Literal["default", "environment"], Doc("Source of the value")]},
)


class ConfigItemJson(_From):
    name: str
    value: str


class TokenInfoJson(TypedDict):
    user_id: str
    roles: list[str]
    permissions: Annotated[list[str], Doc("What you may do, for some runbooks or all")]
    remote_ip: str | None
    claims: dict[str, Any]


class ConfigJson(TypedDict):
    config_items: list[ConfigItemJson]
    token: TokenInfoJson


class MessageJson(TypedDict):
    success: Literal[True]
    message: str


class LivenessJson(TypedDict):
    status: Literal["ok"]


class DatabaseStateJson(TypedDict):
    version: str | None
    bytes: Annotated[int, Doc("Size on disk, including SQLite's write-ahead log")]
    kind: Literal["sqlite", "postgresql"]


class QueueStateJson(TypedDict):
    queued: int
    waiting: int
    running: int
    oldest_queued_at: str | None
    accepting: Annotated[bool, Doc("Whether a worker accepts runs")]


class WorkerStateJson(TypedDict):
    id: str
    kind: WorkerKind
    host: str
    slots: int
    started_at: str
    beat_at: Annotated[str, Doc("Last heartbeat")]
    draining: bool
    running: Annotated[int, Doc("Number of runs that it is executing")]


class WebAppStateJson(TypedDict):
    header: str
    login: Annotated[bool, Doc("Whether POST /dev-login is enabled")]
    idp_login_uri: str


class ReadinessJson(TypedDict):
    """Whether runs can be accepted and executed."""

    ready: bool
    reasons: Annotated[list[str], Doc("Why the server is not ready")]
    problems: Annotated[list[ProblemItemJson], Doc("The reasons, with code and parameters")]


class ProbeJson(TypedDict):
    """The response of the readiness check."""

    status: Literal["ok", "not ready"]
    database: str
    reasons: list[str]
    problems: list[ProblemItemJson]
    notes: Annotated[list[ProblemItemJson], Doc("What an operator should know. Never a reason")]


class IsolationJson(TypedDict):
    """How this server isolates scripts."""

    mode: Literal["process", "bwrap"]
    user: Annotated[str, Doc("User of scripts, if it is not the server's")]
    notes: Annotated[list[ProblemItemJson], Doc("What does not work as the settings ask")]


class EngineStatusJson(ReadinessJson):
    database: DatabaseStateJson
    queue: QueueStateJson
    workers: list[WorkerStateJson]
    isolation: Annotated[IsolationJson | None, Doc("null while the worker starts")]


class StatusJson(EngineStatusJson):
    """The status of the server."""

    version: str
    python: str
    ui: WebAppStateJson


class PublicInfoJson(TypedDict):
    """What a sign-in page needs."""

    header: str
    dev_login: bool
    idp_login_uri: str
    version: str


def readiness_json(problems: Sequence[Problem]) -> ReadinessJson:
    return {
        "ready": not problems,
        "reasons": texts_of(problems),
        "problems": problems_json(problems),
    }


def engine_status_json(
    *,
    database: DatabaseState,
    queue: QueueStats,
    workers: Sequence[Worker],
    running: Mapping[str, int],
    problems: Sequence[Problem],
    isolation: IsolationJson | None,
) -> EngineStatusJson:
    """`running` has the number of runs that each worker is executing, by worker ID."""
    return {
        "database": {
            "version": database.version,
            "bytes": database.bytes,
            "kind": database.kind,
        },
        "queue": _queue_json(queue),
        "workers": [worker_json(worker, running.get(worker.id, 0)) for worker in workers],
        "isolation": isolation,
        **readiness_json(problems),
    }


def isolation_json(
    mode: Literal["process", "bwrap"], user: str, notes: Sequence[Problem]
) -> IsolationJson:
    return {"mode": mode, "user": user, "notes": problems_json(notes)}


def _queue_json(queue: QueueStats) -> QueueStateJson:
    return {
        "queued": queue.queued,
        "waiting": queue.waiting,
        "running": queue.running,
        "oldest_queued_at": optional_iso(queue.oldest_queued_at),
        "accepting": queue.accepting,
    }


def worker_json(worker: Worker, running: int) -> WorkerStateJson:
    return {
        "id": worker.id,
        "kind": worker.kind,
        "host": worker.host,
        "slots": worker.slots,
        "started_at": iso(worker.started_at),
        "beat_at": iso(worker.beat_at),
        "draining": worker.draining,
        "running": running,
    }

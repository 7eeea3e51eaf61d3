"""What the API answers about the server and its callers: see schemas.py."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from runbook.store.models import WorkerKind


class Schema(BaseModel):
    model_config = ConfigDict(extra="allow")


class Login(Schema):
    access_token: str
    token_type: Literal["bearer"]
    expires_at: str
    subject: str
    roles: list[str]


class ConfigItem(Schema):
    name: str
    value: str
    from_: Literal["default", "environment"] = Field(alias="from")


class TokenInfo(Schema):
    user_id: str
    roles: list[str]
    remote_ip: str | None
    claims: dict[str, Any]


class Config(Schema):
    config_items: list[ConfigItem]
    token: TokenInfo


class DatabaseState(Schema):
    version: str | None
    bytes: int = Field(description="Size on disk, including SQLite's log")
    kind: Literal["sqlite", "postgresql"]
    url: str = Field(description="Which database it is, without its password")


class QueueState(Schema):
    queued: int
    waiting: int
    running: int
    oldest_queued_at: str | None
    accepting: bool = Field(description="Whether a worker takes runs")


class WorkerState(Schema):
    id: str
    kind: WorkerKind
    host: str
    slots: int
    started_at: str
    beat_at: str = Field(description="When it last said that it lives")
    draining: bool
    running: int = Field(description="How many runs it executes")


class WebAppState(Schema):
    header: str
    login: bool = Field(description="Whether POST /dev-login makes tokens")
    idp_login_uri: str


class Status(Schema):
    """How the server does."""

    version: str
    python: str
    database: DatabaseState
    queue: QueueState
    workers: list[WorkerState]
    ready: bool
    reasons: list[str] = Field(description="Why it is not ready")
    ui: WebAppState


class PublicInfo(Schema):
    """What a sign-in page needs."""

    header: str
    dev_login: bool
    idp_login_uri: str
    version: str

"""Connections and their kinds. No resource has a secret."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any

from typing_extensions import TypedDict

from runbook.core.connection import Connection, Kind, LastCheck
from runbook.core.ssh.host_key import Retrusted
from runbook.core.times import iso
from runbook.resources.forms import Doc, optional_iso


class ConnectionCheckJson(TypedDict):
    """The result of a check."""

    ok: bool
    code: Annotated[str | None, Doc("What is wrong, for example `auth`, `tls` or `timeout`")]
    message: str
    version: Annotated[str | None, Doc("The version of the system")]
    at: str


class LastUseJson(TypedDict):
    run_id: str
    at: Annotated[str, Doc("When the run read it")]


class ConnectionJson(TypedDict):
    """A connection. Secrets are never returned: see `has_secret`."""

    name: str
    kind: str
    description: str
    values: Annotated[dict[str, Any], Doc("The values, without secrets")]
    has_secret: Annotated[dict[str, bool], Doc("Whether each secret of the kind is set")]
    claims: Annotated[
        dict[str, list[str]], Doc("Who may use it: the allowed values of each required claim")
    ]
    labels: dict[str, str]
    revision: Annotated[int, Doc("Counts changes; send it to change only what you have read")]
    usable: Annotated[bool, Doc("Whether you may use it in runs")]
    created_at: str
    updated_at: str
    updated_by: str
    rotated_at: Annotated[str | None, Doc("When a secret last changed")]
    check: Annotated[ConnectionCheckJson | None, Doc("The last check of the current values")]
    last_use: Annotated[LastUseJson | None, Doc("The last run that used it")]


class ConnectionListJson(TypedDict):
    connections: list[ConnectionJson]


class ConnectionKindJson(TypedDict):
    name: str
    title: str
    schema: Annotated[dict[str, Any], Doc("JSON Schema (2020-12) of `values`")]
    host_keys: Annotated[bool, Doc("Whether its SSH host keys are kept, and can be trusted anew")]


class ConnectionKindListJson(TypedDict):
    kinds: list[ConnectionKindJson]


class HostKeyJson(TypedDict):
    """The host key of an SSH server."""

    address: str
    type: str
    fingerprint: str
    before: Annotated[str | None, Doc("The fingerprint that was trusted before")]


class RetrustJson(TypedDict):
    """Which host keys are trusted now."""

    ok: bool
    code: Annotated[str | None, Doc("Why nothing has changed, for example `timeout`")]
    message: str
    host_keys: list[HostKeyJson]


def connection_json(connection: Connection, kind: Kind | None, *, usable: bool) -> ConnectionJson:
    used = connection.last_use
    declared = kind.secrets if kind else connection.secrets
    return {
        "name": connection.name,
        "kind": connection.kind,
        "description": connection.description,
        "values": dict(connection.values),
        "has_secret": {name: name in connection.secrets for name in sorted(declared)},
        "claims": {name: list(allowed) for name, allowed in connection.claims.items()},
        "labels": dict(connection.labels),
        "revision": connection.revision,
        "usable": usable,
        "created_at": iso(connection.created_at),
        "updated_at": iso(connection.updated_at),
        "updated_by": connection.updated_by,
        "rotated_at": optional_iso(connection.rotated_at),
        "check": None if connection.check is None else check_json(connection.check),
        "last_use": None if used is None else {"run_id": used.run_id, "at": iso(used.at)},
    }


def check_json(check: LastCheck) -> ConnectionCheckJson:
    return {
        "ok": check.ok,
        "code": check.code,
        "message": check.message,
        "version": check.version,
        "at": iso(check.at),
    }


def retrust_json(result: Retrusted) -> RetrustJson:
    return {
        "ok": result.ok,
        "code": result.code,
        "message": result.message,
        "host_keys": [
            {
                "address": str(one.address),
                "type": one.key.type,
                "fingerprint": one.key.fingerprint,
                "before": one.before.fingerprint if one.before else None,
            }
            for one in result.host_keys
        ],
    }


def connection_kinds_json(kinds: Iterable[Kind]) -> ConnectionKindListJson:
    return {
        "kinds": [
            {
                "name": kind.name,
                "title": kind.title,
                "schema": kind.schema(),
                "host_keys": bool(kind.ssh),
            }
            for kind in kinds
        ]
    }

"""Generates the OpenAPI 3.1 document from the routes and their policies."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import yaml
from werkzeug.routing import Map, Rule

from runbook import __version__
from runbook.api.openapi.examples import EXAMPLES
from runbook.api.openapi.replies import headers, responses
from runbook.api.openapi.schemas import Json, reference, schemas
from runbook.api.routing import PUBLIC, Parameter, RoutePolicy, policy_of

_ARGUMENT = re.compile(r"<(?:\w+:)?(\w+)>")
_PATH_PARAMETERS: dict[str, Json] = {
    "ref": {
        "description": "The runbook's ref. It may contain slashes, as they are or as %2F",
        "schema": {"type": "string", "pattern": r"^.+\.md$"},
        "example": "SimpleRunbook.md",
    },
    "path": {
        "description": "The name of the input, or LIST.FIELD",
        "schema": {"type": "string", "minLength": 1},
        "example": "NODE",
    },
    "run_id": {
        "description": "The ID of the run",
        "schema": {"type": "string", "minLength": 1},
    },
    "slug": {
        "description": "The toolkit",
        "schema": {"type": "string", "pattern": "^[a-z][a-z0-9-]*$"},
    },
    "connection": {
        "description": "The connection's name",
        "schema": {"type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"},
    },
    "device": {
        "description": "The device's name",
        "schema": {"type": "string", "pattern": "^[a-z0-9][a-z0-9._-]{0,62}$"},
    },
    "n": {
        "description": "The number of the entry, from 1",
        "schema": {"type": "integer", "minimum": 1},
    },
    "artifact": {
        "description": "The name of the artifact. It may contain slashes",
        "schema": {"type": "string", "minLength": 1},
    },
}
_SKIPPED = frozenset({"HEAD", "OPTIONS"})
_TAGS = {
    "runbooks": "List, read, validate and execute runbooks",
    "runs": "Follow, cancel and rerun runs, and read their output",
    "toolkits": "List, install and enable toolkits",
    "connections": "List, add, change, check and remove connections to other systems",
    "inventory": "List, add, change, import and export devices",
    "audit": "Read the audit trail",
    "session": "Sign in, and read the configuration",
    "server": "Check, monitor and shut down the server",
}


def document_text(routes: Map, views: Mapping[str, Callable[..., Any]]) -> str:
    return yaml.safe_dump(document(routes, views), sort_keys=False, allow_unicode=True)


def document(routes: Map, views: Mapping[str, Callable[..., Any]]) -> Json:
    paths: Json = {}
    for rule in sorted(routes.iter_rules(), key=lambda rule: (rule.rule, rule.endpoint)):
        policy = policy_of(views.get(rule.endpoint))
        if policy is None or not policy.documented:
            continue
        path = paths.setdefault(_ARGUMENT.sub(r"{\1}", rule.rule), {})
        for method in sorted((rule.methods or set()) - _SKIPPED):
            path[method.lower()] = _operation(rule, policy)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Runbook engine",
            "version": __version__,
            "description": (
                "List, validate, execute and follow Markdown runbooks. Send the token as "
                "`Authorization: Bearer <token>`. Errors are problems (RFC 9457) with a stable "
                "`code`; see /docs/problems."
            ),
            "contact": {"name": "The operator of this server"},
        },
        "servers": [{"url": "/", "description": "This server"}],
        "tags": [{"name": name, "description": text} for name, text in _TAGS.items()],
        "paths": paths,
        "components": {
            "schemas": schemas(),
            "headers": headers(),
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
            },
        },
    }


def _operation(rule: Rule, policy: RoutePolicy) -> Json:
    blueprint, _, name = rule.endpoint.rpartition(".")
    operation: Json = {
        "operationId": name,
        "tags": [policy.tag or blueprint],
        "summary": policy.summary,
        "description": policy.description or f"{policy.summary}.",
        "parameters": [*_path_parameters(rule), *_parameters(policy)],
        "responses": responses(policy),
    }
    if policy.permission is not PUBLIC:
        operation["security"] = [{"bearer": []}]
        operation["x-permission"] = policy.permission.value
    if policy.body is not None:
        content = {"schema": reference(policy.body.__name__)}
        example = EXAMPLES.get(policy.body.__name__)
        operation["requestBody"] = {
            "required": any(it.is_required() for it in policy.body.model_fields.values()),
            "content": {"application/json": content | ({"example": example} if example else {})},
        }
    if policy.media_type:
        content = {"schema": {"type": "string", "format": "binary"}}
        operation["requestBody"] = {"required": True, "content": {policy.media_type: content}}
    return operation


def _path_parameters(rule: Rule) -> list[Json]:
    return [
        {"name": name, "in": "path", "required": True, **_PATH_PARAMETERS[name]}
        for name in sorted(rule.arguments)
    ]


def _parameters(policy: RoutePolicy) -> list[Json]:
    known = "The ETag of the response that you have"
    more = (Parameter("If-None-Match", known, "header"),) if policy.revalidates else ()
    return [
        {
            "name": item.name,
            "in": item.place,
            "required": False,
            "description": item.description,
            **_described(item),
        }
        for item in (*policy.parameters, *more)
    ]


def _described(item: Parameter) -> Json:
    if item.media is None:
        return {"schema": item.schema}
    return {"content": {item.media: {"schema": item.schema}}}

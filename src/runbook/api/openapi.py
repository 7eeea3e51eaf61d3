"""Generates the OpenAPI 3.1 document from the routes and their policies."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from types import GenericAlias
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, TypeAdapter
from pydantic.json_schema import models_json_schema
from werkzeug.routing import Map, Rule

from runbook import __version__
from runbook.api.bodies import LoginBody, ResumeBody, RunBody
from runbook.api.routing import PUBLIC, Limit, Parameter, Policy, policy_of
from runbook.resources.documented import DOCUMENTED

Json = dict[str, Any]
TEMPLATE = "#/components/schemas/{model}"
_ARGUMENT = re.compile(r"<(?:\w+:)?(\w+)>")
_PATH_SCHEMAS: dict[str, Json] = {
    "ref": {"type": "string", "pattern": r"^.+\.md$", "description": "May contain slashes"},
    "run_id": {"type": "string", "minLength": 1},
    "n": {"type": "integer", "minimum": 1},
    "artifact": {"type": "string", "minLength": 1, "description": "May contain slashes"},
}
_JSON_EVENTS = ("Event", "Changes")
SUFFIX = "Json"
"""The suffix of resource type names."""
# Responses may get more members in later versions.
_OPEN = ConfigDict(extra="allow")
_SKIPPED = frozenset({"HEAD", "OPTIONS"})


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
            path[method.lower()] = _operation(rule, method, policy)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Runbook engine",
            "version": __version__,
            "description": "List, validate, execute and follow Markdown runbooks.",
        },
        "paths": paths,
        "components": {
            "schemas": _schemas(),
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
            },
        },
    }


def _operation(rule: Rule, method: str, policy: Policy) -> Json:
    operation: Json = {
        "operationId": f"{method.lower()}_{rule.endpoint.replace('.', '_')}",
        "summary": policy.summary,
        "parameters": [*_path_parameters(rule), *_parameters(policy)],
        "responses": _responses(policy),
    }
    if policy.permission is not PUBLIC:
        operation["security"] = [{"bearer": []}]
        operation["x-permission"] = policy.permission.value
    if policy.body is not None:
        operation["requestBody"] = {
            "required": False,
            "content": {"application/json": {"schema": _nullable(policy.body.__name__)}},
        }
    return operation


def _path_parameters(rule: Rule) -> list[Json]:
    return [
        {"name": name, "in": "path", "required": True, "schema": _PATH_SCHEMAS[name]}
        for name in sorted(rule.arguments)
    ]


def _parameters(policy: Policy) -> list[Json]:
    return [
        {
            "name": item.name,
            "in": item.place,
            "required": False,
            "description": item.description,
            **_described(item),
        }
        for item in policy.parameters
    ]


def _described(item: Parameter) -> Json:
    if item.media is None:
        return {"schema": item.schema}
    return {"content": {item.media: {"schema": item.schema}}}


def _responses(policy: Policy) -> Json:
    content: Json = {media: {"schema": _schema_of(policy, media)} for media in policy.media}
    responses: Json = {"200": {"description": "OK", "content": content}}
    for status, text in policy.replies.items():
        body = _content_of(status, policy)
        responses[str(status)] = {"description": text, "content": body}
    for status, text in _refusals(policy).items():
        body = {"application/problem+json": {"schema": _reference("Problem")}}
        if str(status) in responses:
            responses[str(status)]["content"] |= body
        else:
            responses[str(status)] = {"description": text, "content": body}
    return responses


def _content_of(status: int, policy: Policy) -> Json:
    if status in (204, 304):
        return {}
    if status == 416:
        return {"application/problem+json": {"schema": _reference("Problem")}}
    if status == 206:
        return {"text/plain": {"schema": {"type": "string"}}}
    if status == 202 and policy.body is not None:
        return {"application/json": {"schema": {"type": "object"}}}
    return {"application/json": {"schema": _schema_of(policy, "application/json")}}


def _schema_of(policy: Policy, media: str) -> Json:
    if media == "text/event-stream":
        return _event_schema(policy)
    if media != "application/json":
        return {"type": "string"}
    return _reference(policy.schema) if policy.schema else {"type": "object"}


def _event_schema(policy: Policy) -> Json:
    """The schema of one event: before OpenAPI 3.2, there is none for a stream."""
    data: Json = {"type": "string"}
    if policy.schema in _JSON_EVENTS:
        model = _reference(policy.schema)
        data |= {"contentMediaType": "application/json", "contentSchema": model}
    properties: Json = {"id": {"type": "string"}, "event": _reference("EventType"), "data": data}
    if policy.schema == "Changes":
        properties = {"event": {"const": "changed"}, "data": data}
    return {
        "type": "object",
        "description": "An event of the stream",
        "properties": properties,
        "required": list(properties),
    }


def _refusals(policy: Policy) -> dict[int, str]:
    refusals = {400: "The request is malformed", 404: "Not found"}
    if policy.permission is not PUBLIC:
        refusals |= {
            401: "A valid bearer token is required",
            403: "A permission or a claim is missing; see `missing`",
        }
    if policy.body is not None:
        refusals |= {413: "The body is too large"}
    if policy.conflicts:
        refusals |= {409: "The current state doesn't allow this; see `detail`"}
    if policy.limit is not Limit.NONE:
        refusals |= {429: "Too many requests; see Retry-After"}
    if policy.limit is Limit.EXECUTE:
        refusals |= {422: "The Idempotency-Key was used with a different request"}
    return refusals | {503: "Temporarily unavailable; see Retry-After"}


def _nullable(name: str) -> Json:
    return {"anyOf": [_reference(name), {"type": "null"}]}


def _reference(name: str) -> Json:
    return {"$ref": TEMPLATE.format(model=name)}


def _schemas() -> Json:
    bodies: list[type[BaseModel]] = [RunBody, ResumeBody, LoginBody]
    _, definitions = models_json_schema(
        [(model, "validation") for model in bodies], ref_template=TEMPLATE
    )
    found: Json = definitions["$defs"]
    return found | _resource_schemas()


def _resource_schemas() -> Json:
    """The schemas of responses, by name."""
    resources: TypeAdapter[Any] = TypeAdapter(_all_of(DOCUMENTED), config=_OPEN)
    found = resources.json_schema(ref_template=TEMPLATE)["$defs"]
    return {_named(name): _renamed(schema, name) for name, schema in found.items()}


def _all_of(types: tuple[type, ...]) -> Any:
    """A tuple type of these types, to generate all schemas at once."""
    return GenericAlias(tuple, types)


def _renamed(value: Any, name: str) -> Any:
    """A schema with the names of the document instead of those of the types."""
    match value:
        case {"$ref": str() as reference}:
            return value | {"$ref": _named(reference)}
        case {"title": str() as title} if title == name:
            return _renamed(value | {"title": _named(title)}, "")
        case dict():
            return {key: _renamed(item, name) for key, item in value.items()}
        case list():
            return [_renamed(item, name) for item in value]
    return value


def _named(name: str) -> str:
    return name.removesuffix(SUFFIX)

"""The schemas of bodies and resources, from pydantic models and typed dictionaries."""

from __future__ import annotations

from types import GenericAlias
from typing import Any

from pydantic import BaseModel, ConfigDict, TypeAdapter
from pydantic.json_schema import models_json_schema

from runbook.api.bodies import ChoicesBody, LoginBody, ResumeBody, RunBody, SwitchBody
from runbook.api.connections.bodies import ConnectionChangesBody, NewConnectionBody, RetrustBody
from runbook.api.fanout.bodies import AdvanceBody, FanoutBody
from runbook.api.inventory.bodies import DeviceBody, ImportBody
from runbook.resources.documented import DOCUMENTED

Json = dict[str, Any]
TEMPLATE = "#/components/schemas/{model}"
SUFFIX = "Json"
"""The suffix of resource type names."""
BODIES: tuple[type[BaseModel], ...] = (
    RunBody,
    ResumeBody,
    ChoicesBody,
    LoginBody,
    SwitchBody,
    NewConnectionBody,
    RetrustBody,
    DeviceBody,
    ImportBody,
    FanoutBody,
    AdvanceBody,
    ConnectionChangesBody,
)
# Responses may get more members in later versions.
_OPEN = ConfigDict(extra="allow")


def reference(name: str) -> Json:
    return {"$ref": TEMPLATE.format(model=name)}


def schemas() -> Json:
    """All schemas, by name."""
    return _body_schemas() | _resource_schemas()


def _body_schemas() -> Json:
    _, definitions = models_json_schema(
        [(model, "validation") for model in BODIES], ref_template=TEMPLATE
    )
    found: Json = _without_defaults(definitions["$defs"])
    return found


def _without_defaults(value: Any) -> Any:
    """Without `default`: generators of TypeScript clients make members with a default required."""
    match value:
        case dict():
            return {key: _without_defaults(item) for key, item in value.items() if key != "default"}
        case list():
            return [_without_defaults(item) for item in value]
    return value


def _resource_schemas() -> Json:
    resources: TypeAdapter[Any] = TypeAdapter(_all_of(DOCUMENTED), config=_OPEN)
    found = resources.json_schema(ref_template=TEMPLATE)["$defs"]
    # In generated Python clients, this is the name of the member for all others.
    found["InputSchemaJson"]["properties"].pop("additionalProperties")
    found["InputSchemaJson"]["required"].remove("additionalProperties")
    return {_named(name): _renamed(schema, name) for name, schema in found.items()}


def _all_of(types: tuple[type, ...]) -> Any:
    """A tuple type of these types, to generate all schemas at once."""
    return GenericAlias(tuple, types)


def _renamed(value: Any, name: str) -> Any:
    """A schema with the names of the document instead of those of the types."""
    match value:
        case {"$ref": str() as target}:
            return value | {"$ref": _named(target)}
        case {"title": str() as title} if title == name:
            return _renamed(value | {"title": _named(title)}, "")
        case dict():
            return {key: _renamed(item, name) for key, item in value.items()}
        case list():
            return [_renamed(item, name) for item in value]
    return value


def _named(name: str) -> str:
    return name.removesuffix(SUFFIX)

"""Request bodies, validated by pydantic, from which the OpenAPI document is generated."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Annotated, Any, TypeVar

from flask import request
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from werkzeug.exceptions import ClientDisconnected

from runbook.api.unknown import unknown_member
from runbook.core.document import Problem, texts_of
from runbook.errors import RequestError, RequestTimeoutError, UnsupportedMediaTypeError

Body = TypeVar("Body", bound=BaseModel)
Value = Annotated[
    str | int | float | bool | list[Any] | dict[str, Any] | None,
    Field(description="Any value that the input's schema allows; numbers and booleans become text"),
]
# An ignored member would do something other than what was asked: {"dryrun": true} would execute.
_STRICT = ConfigDict(strict=True, extra="forbid")


class EmptyBody(BaseModel):
    """Body of a request that takes none: nothing, `{}` or null."""

    model_config = _STRICT


class RunBody(BaseModel):
    """Body of validate and execute. No body, `{}` and null are equivalent."""

    model_config = _STRICT

    env_vars: dict[str, Value] | None = Field(None, description="Values of the inputs")
    reason: Annotated[str, Field(max_length=500)] | None = Field(
        None, description="Why you run it; stored with the run and in its history entry"
    )
    confirm: Annotated[str, Field(max_length=500)] | None = Field(
        None, description="The text that the runbook's policy requires you to type"
    )
    dry_run: bool = Field(
        False,
        description="Show what the run would do. The script is executed only if the runbook "
        "supports dry runs, and is trusted to change nothing",
    )
    digest: Annotated[str, Field(max_length=100)] | None = Field(
        None,
        description="Digest of the document that you read; 409 if the runbook has changed since",
    )


class ChoicesBody(BaseModel):
    """Body of a request for choices: what the form holds so far."""

    model_config = _STRICT

    env_vars: dict[str, Value] | None = Field(None, description="Values of the inputs so far")
    row: dict[str, Value] | None = Field(
        None, description="For a field of a list: values of the other fields in its row so far"
    )
    refresh: bool = Field(False, description="Ask again, although an earlier answer is fresh")


class ResumeBody(RunBody):
    """Body of resume."""

    from_step: Annotated[str, Field(min_length=1, max_length=500)] | None = Field(
        None,
        description="Name or number of the step to resume at; by default the first incomplete step",
    )


class SwitchBody(BaseModel):
    """Body of a change to a toolkit."""

    model_config = _STRICT

    enabled: bool | None = Field(None, description="Whether to offer the toolkit's runbooks")


class LoginBody(BaseModel):
    """Body of dev-login."""

    model_config = _STRICT

    subject: Annotated[str, Field(min_length=1, max_length=256)] = "dev-user-1"
    roles: list[str] = Field(default_factory=lambda: ["developer"])


# As Stage0 takes it for calls whose body may be missing.
_NULL_IS_EMPTY = (EmptyBody, RunBody, ChoicesBody, LoginBody)


def read_body(model: type[Body]) -> Body:
    """The request's JSON body.

    Raises RequestError naming every invalid member, UnsupportedMediaTypeError, and
    RequestEntityTooLarge.
    """
    data = _received()
    if data.strip():
        _require_json_type()
    try:
        value = _parsed(data) if data.strip() else {}
    except (ValueError, RecursionError) as error:
        raise RequestError(f"The body is not JSON: {error}") from None
    if value is None and issubclass(model, _NULL_IS_EMPTY):
        value = {}
    if not isinstance(value, dict):
        raise RequestError("The body must be a JSON object")
    try:
        return model.model_validate(value)
    except ValidationError as error:
        problems = tuple(_problems(error, model))
        raise RequestError("; ".join(texts_of(problems)), problems=problems) from None


def _received() -> bytes:
    try:
        data = request.get_data(cache=False)
        request.stream.read(1)  # refuses a chunked body beyond the limit instead of cutting it
    except ClientDisconnected as error:
        if isinstance(error.__context__, TimeoutError):
            raise RequestTimeoutError from None
        raise RequestError("The body is incomplete or malformed") from None
    return data


def _require_json_type() -> None:
    """A body without a content type may be JSON; one that says that it is something else is not."""
    given = request.mimetype
    if given and given != "application/json" and not given.endswith("+json"):
        raise UnsupportedMediaTypeError(
            f"The body must be JSON, not {given[:80]}. Send Content-Type: application/json."
        )


def _parsed(data: bytes) -> Any:
    return json.loads(data, parse_constant=_refuse_constant, object_pairs_hook=_without_duplicates)


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name} is not JSON")


def _without_duplicates(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Refuse duplicate members: parsers differ in which one they use."""
    value: dict[str, object] = {}
    for name, item in pairs:
        if name in value:
            raise ValueError(f"it has two members named {name[:80]!r}")
        value[name] = item
    return value


def _problems(error: ValidationError, model: type[BaseModel]) -> Iterator[Problem]:
    """One problem per member: the members of a union each report why they don't fit."""
    seen = set()
    for item in error.errors(include_url=False, include_input=False):
        place = ".".join(str(part)[:80] for part in item["loc"][:2])
        if place in seen:
            continue
        seen.add(place)
        if item["type"] == "extra_forbidden":
            yield unknown_member(place, model.model_fields)
        else:
            text = f"{place}: {item['msg']}"
            yield Problem("invalid_member", text, params={"member": place})

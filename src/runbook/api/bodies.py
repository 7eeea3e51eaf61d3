"""Request bodies, validated by pydantic, from which the OpenAPI document is generated."""

from __future__ import annotations

import json
from typing import Annotated, Any, TypeVar

from flask import request
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from runbook.errors import RequestError

Body = TypeVar("Body", bound=BaseModel)
Value = Annotated[
    str | int | float | bool | list[Any] | dict[str, Any] | None,
    Field(description="Any value that the input's schema allows; numbers and booleans become text"),
]


class RunBody(BaseModel):
    """Body of validate and execute. No body, `{}` and null are equivalent."""

    model_config = ConfigDict(strict=True, extra="ignore")

    env_vars: dict[str, Value] | None = Field(None, description="Values of the inputs")
    reason: Annotated[str, Field(max_length=500)] | None = Field(
        None, description="Why you run it; stored with the run and in its history entry"
    )
    confirm: Annotated[str, Field(max_length=500)] | None = Field(
        None, description="The text that the runbook's policy requires you to type"
    )
    dry_run: bool = Field(False, description="Change nothing; show what the run would do")
    digest: Annotated[str, Field(max_length=100)] | None = Field(
        None,
        description="Digest of the document that you read; 409 if the runbook has changed since",
    )


class ResumeBody(RunBody):
    """Body of resume."""

    from_step: Annotated[str, Field(min_length=1, max_length=500)] | None = Field(
        None,
        description="Name or number of the step to resume at; by default the first incomplete step",
    )


class LoginBody(BaseModel):
    """Body of dev-login."""

    model_config = ConfigDict(strict=True, extra="ignore")

    subject: Annotated[str, Field(min_length=1, max_length=256)] = "dev-user-1"
    roles: list[str] = Field(default_factory=lambda: ["developer"])


def read_body(model: type[Body]) -> Body:
    """The request's JSON body, regardless of its content type.

    Raises RequestError naming every invalid field, and RequestEntityTooLarge.
    """
    data = request.get_data(cache=False)
    request.stream.read(1)  # refuses a chunked body beyond the limit instead of cutting it
    try:
        value = json.loads(data, parse_constant=_refuse_constant) if data.strip() else {}
    except (ValueError, RecursionError) as error:
        raise RequestError(f"The body is not JSON: {error}") from None
    if value is None:
        value = {}
    if not isinstance(value, dict):
        raise RequestError("The body must be a JSON object")
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise RequestError(_explain(error)) from None


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name} is not JSON")


def _explain(error: ValidationError) -> str:
    faults = {
        ".".join(str(part) for part in item["loc"][:2]): item["msg"]
        for item in error.errors(include_url=False, include_input=False)
    }
    return "; ".join(f"{place}: {message}" for place, message in faults.items())

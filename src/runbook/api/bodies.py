"""Request bodies, checked by pydantic; the API's document is made from them."""

from __future__ import annotations

import json
from typing import Annotated, Any, TypeVar

from flask import request
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from runbook.errors import RequestError

Body = TypeVar("Body", bound=BaseModel)
Value = Annotated[
    str | int | float | bool | list[Any] | dict[str, Any] | None,
    Field(description="As the input's schema says; numbers and booleans become their JSON text"),
]


class RunBody(BaseModel):
    """Request of validate and execute. No body, `{}` and null mean none."""

    model_config = ConfigDict(strict=True, extra="ignore")

    env_vars: dict[str, Value] | None = Field(None, description="Values of declared inputs")
    reason: Annotated[str, Field(max_length=500)] | None = Field(
        None, description="Why: a ticket, a sentence; kept with the run and its history"
    )
    confirm: Annotated[str, Field(max_length=500)] | None = Field(
        None, description="The text that the runbook's policy wants to be typed"
    )
    dry_run: bool = Field(False, description="Change nothing; show what would be done")
    digest: Annotated[str, Field(max_length=100)] | None = Field(
        None, description="Of the document that was read: where it is another one now, 409"
    )


class ResumeBody(RunBody):
    """Request of resume."""

    from_step: Annotated[str, Field(min_length=1, max_length=500)] | None = Field(
        None, description="Name or number of a step; the first that was not completed if absent"
    )


class LoginBody(BaseModel):
    """Request of dev-login."""

    model_config = ConfigDict(strict=True, extra="ignore")

    subject: Annotated[str, Field(min_length=1, max_length=256)] = "dev-user-1"
    roles: list[str] = Field(default_factory=lambda: ["developer"])


def read_body(model: type[Body]) -> Body:
    """The request's JSON body, whatever its content type says.

    Raises RequestError naming every field that is wrong, and RequestEntityTooLarge.
    """
    data = request.get_data(cache=False)
    request.stream.read(1)  # a chunked body that goes on beyond the limit is refused, not cut
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

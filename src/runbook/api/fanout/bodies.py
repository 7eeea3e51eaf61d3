"""Bodies of requests of scripts that fan out."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from runbook.api.bodies import Value
from runbook.core.fanout.limits import DEFAULT_PARALLEL, MOST_DEVICES

_STRICT = ConfigDict(strict=True, extra="forbid")
_Share = Annotated[str, Field(max_length=40, description="A number, or a percentage of all: 20%")]


class FanoutBody(BaseModel):
    """Body of a fan-out."""

    model_config = _STRICT

    runbook: Annotated[str, Field(max_length=1000)] = Field(description="Ref of the child runbook")
    devices: Annotated[list[str], Field(max_length=MOST_DEVICES)] = Field(
        description="Names of devices"
    )
    input: Annotated[str, Field(max_length=200)] | None = Field(
        None, description="The input that gets the device; by default the only one of type device"
    )
    parallel: _Share = DEFAULT_PARALLEL
    max_failures: _Share | None = None
    canary: Annotated[int, Field(ge=0)] = Field(
        0, description="How many devices must succeed before the others start"
    )
    on_busy: Literal["wait", "skip"] = Field(
        "wait", description="What to do with a device that another run works on"
    )
    session: Annotated[str, Field(max_length=100)] = Field(
        "", description="Differs between attempts of the script"
    )


class AdvanceBody(BaseModel):
    """Body of advancing a fan-out."""

    model_config = _STRICT

    env_vars: dict[str, Value] | None = Field(None, description="Inputs besides the device")
    confirm: Annotated[str, Field(max_length=500)] | None = None

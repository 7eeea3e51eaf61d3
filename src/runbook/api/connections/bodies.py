"""Bodies of requests for connections."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from runbook.connectors.kinds import KINDS
from runbook.core.inputs.types import CONNECTION_NAME

_STRICT = ConfigDict(strict=True, extra="forbid")
Claims = Annotated[
    dict[str, str | list[str]],
    Field(description="Who may use it: allowed values of each claim; none: everyone"),
]
Labels = Annotated[dict[str, str], Field(description="For example `site`")]


class NewConnectionBody(BaseModel):
    """Body of adding a connection."""

    model_config = _STRICT

    name: str = Field(json_schema_extra={"pattern": f"^{CONNECTION_NAME}$"})
    kind: str = Field(json_schema_extra={"enum": list(KINDS)})
    values: dict[str, Any] = Field(
        description="The values, with secrets, as the schema of the kind says"
    )
    claims: Claims | None = None
    labels: Labels | None = None
    description: str = ""


class ConnectionChangesBody(BaseModel):
    """Body of a change to a connection. What is left out stays as it is."""

    model_config = _STRICT

    values: dict[str, Any] | None = Field(
        None, description="The values to change, secrets or not; null removes a value"
    )
    claims: Claims | None = None
    labels: Labels | None = None
    description: str | None = None
    revision: int | None = Field(
        None, description="The revision that you read; 409 if the connection has changed since"
    )


class RetrustBody(BaseModel):
    """Body of trusting host keys anew."""

    model_config = _STRICT

    fingerprint: str | None = Field(
        None, description="The new host key must have this fingerprint, `SHA256:...`"
    )
    host: str | None = Field(
        None, description="Another host that is reached with the values of the connection"
    )

"""Bodies of requests for devices."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

_STRICT = ConfigDict(strict=True, extra="forbid")


class DeviceBody(BaseModel):
    """Body of adding, replacing or changing a device."""

    model_config = _STRICT

    connection: str | None = Field(None, description="The connection whose credentials it takes")
    address: str | None = Field(
        None, description="Host name or IP address; without one, the connection's own"
    )
    vendor: str | None = None
    model: str | None = None
    version: str | None = None
    site: str | None = None
    role: str | None = None
    tags: list[str] | None = None
    groups: list[str] | None = None
    last_seen: str | None = Field(None, description="ISO 8601 time")
    last_backup: str | None = Field(None, description="ISO 8601 time")
    last_poll: str | None = Field(None, description="ISO 8601 time")
    last_proof: str | None = Field(None, description="ISO 8601 time")
    last_damage: str | None = Field(None, description="ISO 8601 time")
    facts: dict[str, Any] | None = Field(None, description="Anything else; at most 16 KiB")
    revision: int | None = Field(
        None,
        description="The revision that you read; 409 if the device has changed since. "
        "With 0, PUT only adds: 409 if there is a device with this name",
    )

    def fields(self) -> dict[str, Any]:
        """Those that the body has."""
        return self.model_dump(exclude_unset=True, exclude={"revision"})


class ImportBody(BaseModel):
    """Body of an import."""

    model_config = _STRICT

    csv: str = Field(description="A table with a heading; the column `name` is required")
    dry_run: bool = Field(False, description="Only check, and show what would change")

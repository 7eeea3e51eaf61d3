"""Helpers for all resources."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from runbook.core.times import Millis, iso
from runbook.quick_dataclass import dataclass

Schema = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Doc:
    """The description of a member in the OpenAPI document."""

    text: str

    def __get_pydantic_json_schema__(self, core: Any, handler: Callable[[Any], Schema]) -> Schema:
        return handler(core) | {"description": self.text}


def optional_iso(at: Millis | None) -> str | None:
    return None if at is None else iso(at)


def text_of(content: bytes) -> str:
    """A document's bytes as text, without the byte order mark."""
    return content.decode("utf-8", "replace").removeprefix("\ufeff")

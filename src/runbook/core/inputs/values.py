"""Converts the values of a request from JSON to text or files."""

from __future__ import annotations

import base64
import binascii
import json
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import field

from runbook.core.document import Input, InputType, Problem
from runbook.core.inputs.types import Broken, broken, compact_json
from runbook.quick_dataclass import dataclass

FILE_LIMIT = 1024 * 1024
"""Maximum size of an input's file, in bytes."""
FILE_NAME_LIMIT = 255
"""In UTF-8 bytes; the limit of common file systems for a name."""
_STRUCTURED = (InputType.JSON, InputType.LIST)
FILE_FORM = 'Send {"name": "...", "content_base64": "..."}, or use --env NAME=@PATH'


@dataclass(frozen=True, slots=True)
class GivenFile:
    """A file set as an input. `name` is a plain name, without a folder."""

    name: str
    content: bytes


@dataclass(frozen=True, slots=True)
class GivenValues:
    """The values of a request, by input name. `refused` names the invalid ones."""

    texts: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, GivenFile] = field(default_factory=dict)
    refused: frozenset[str] = frozenset()


def coerce_values(
    raw: object, declared: Sequence[Input] = (), hidden: Collection[str] = ()
) -> tuple[GivenValues, list[Problem]]:
    """The values of `env_vars`: text as is, other JSON converted for the declared type.

    Null becomes empty text. A missing mapping counts as empty. `hidden` names the values that no
    problem may show.
    """
    if raw is None:
        return GivenValues(), []
    if not isinstance(raw, Mapping):
        return GivenValues(), [
            Problem("bad_env_vars", "env_vars must be an object that maps names to values")
        ]
    types = {item.name: item for item in declared if item.typed}
    texts: dict[str, str] = {}
    files: dict[str, GivenFile] = {}
    refused: dict[str, Problem] = {}
    for name, value in raw.items():
        asked = value if isinstance(name, str) else object()
        match read_value(str(name), asked, types.get(name), hidden=name in hidden):
            case Problem() as problem:
                refused[str(name)] = problem
            case GivenFile() as file:
                files[name] = file
            case text:
                texts[name] = text
    return GivenValues(texts, files, frozenset(refused)), list(refused.values())


def read_value(
    name: str, value: object, item: Input | None, *, hidden: bool
) -> str | GivenFile | Problem:
    kind = item.type if item else InputType.TEXT
    if item and kind is InputType.FILE:
        return _file(item, value)
    if item and kind is InputType.MULTICHOICE and isinstance(value, list):
        return _joined(item, value, hidden=hidden)
    is_selection = kind is InputType.DEVICES and isinstance(value, list)
    if is_selection or (kind in _STRUCTURED and isinstance(value, dict | list)):
        text = _json(value)
    elif kind is InputType.INTEGER and isinstance(value, float) and value.is_integer():
        text = str(int(value))  # JSON doesn't distinguish 5 from 5.0
    else:
        text = _text(value)
    if text is not None:
        return text
    message = f"The value of {name[:128]} must be a string, number, boolean or null"
    return Problem("bad_env_vars", message, params={"variable": name[:128]})


def _text(value: object) -> str | None:
    match value:
        case str():
            return value
        case None:
            return ""
        case float() if not math.isfinite(value):
            return None
        case bool() | int() | float():
            try:
                return json.dumps(value)
            except ValueError:  # an integer of thousands of digits
                return None
    return None


def _json(value: object) -> str | None:
    try:
        return compact_json(value)
    except (ValueError, TypeError, RecursionError):
        return None


def _joined(item: Input, values: Sequence[object], *, hidden: bool) -> str | Problem:
    """The choices joined by commas; a choice that contains a comma is rejected."""
    texts = [_text(value) for value in values]
    wrong = next((text or "" for text in texts if not text or "," in text), None)
    if wrong is None:
        return ",".join(text for text in texts if text)
    rule = Broken("must be a list of choices, none of them empty or containing a comma")
    return broken(item, rule, wrong, hidden=hidden)


def _file(item: Input, value: object) -> str | GivenFile | Problem:
    """The file, empty text for no file, or the problem, which omits the file's content."""
    if value is None or value == "":
        return ""
    if not isinstance(value, Mapping) or set(value) != {"name", "content_base64"}:
        return Problem(
            "bad_input_value",
            f"{item.name} must be a file",
            hint=FILE_FORM,
            params={"variable": item.name},
        )
    name, content = value["name"], _decoded(value["content_base64"])
    if not isinstance(name, str) or not plain_name(name):
        text = f"The file for {item.name} must have a plain name"
        return Problem(
            "bad_input_value",
            text,
            hint="Remove folders and control characters from the name",
            params={"variable": item.name},
        )
    if content is None:
        text = f"The content of the file for {item.name} is not valid base64"
        return Problem(
            "bad_input_value",
            text,
            hint="Use standard base64 with padding, on one line",
            params={"variable": item.name},
        )
    if len(content) > FILE_LIMIT:
        text = f"The file for {item.name} is too large: {len(content)} bytes (max: 1 MiB)"
        return Problem(
            "bad_input_value",
            text,
            params={"variable": item.name, "bytes": len(content), "limit": FILE_LIMIT},
        )
    return GivenFile(name, content)


def _decoded(content: object) -> bytes | None:
    if not isinstance(content, str):
        return None
    try:
        return base64.b64decode(content, validate=True)
    except (binascii.Error, ValueError):
        return None


def plain_name(name: str) -> bool:
    """Whether a name is a plain file name, without folders or special names."""
    if name in {"", ".", ".."} or not name.isprintable() or "/" in name or "\\" in name:
        return False
    return len(name.encode()) <= FILE_NAME_LIMIT

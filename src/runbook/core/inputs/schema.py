"""The inputs of a runbook as a JSON Schema (2020-12), for forms and other programs.

The engine accepts every value that the schema allows, except for checks that a schema can't
express: maximum sizes, duration bounds, `x-pattern`, and inputs that are required only if shown
(`x-show-if`). It also accepts every value as text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from urllib.parse import urlsplit

from runbook.core.document import Document, Input, InputType
from runbook.core.inputs.rows import fewest_rows, most_rows
from runbook.core.inputs.types import (
    CONNECTION_NAME,
    HOSTNAME,
    HOSTNAME_LIMIT,
    URL,
    bounds_of,
    json_number,
    json_value,
)
from runbook.core.inputs.values import FILE_LIMIT, FILE_NAME_LIMIT
from runbook.core.inventory.names import DEVICE_NAME
from runbook.core.syntax.durations import UNITS
from runbook.quick_dataclass import dataclass

Json = dict[str, object]
DIALECT = "https://json-schema.org/draft/2020-12/schema"
ONE_LINE = r"^[^\r\n\x00]*$"
_AMOUNT = r"[0-9]{1,9}(?:\.[0-9]{1,6})?"
_OCTET = "(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_CIDR_4 = rf"(?:{_OCTET}\.){{3}}{_OCTET}/(?:3[0-2]|[12]?[0-9])"
_CIDR_6 = r"(?=[^/]*:)[0-9A-Fa-f:.]+/(?:12[0-8]|1[01][0-9]|[1-9]?[0-9])"
CIDR = f"^(?:{_CIDR_4}|{_CIDR_6})$"
DURATION = f"^(?=.)(?:{_AMOUNT}|{''.join(f'(?:{_AMOUNT}{unit})?' for unit in UNITS)})$"
SELECTOR_PART = rf"(?:tag|site|group):[^\s,\x00][^,\r\n\x00]*|{DEVICE_NAME}"
SELECTOR = f"(?:{SELECTOR_PART})(?:, ?(?:{SELECTOR_PART}))*"
BASE64 = "^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$"
PLAIN_NAME = r"^(?!\.{1,2}$)[^/\\\x00-\x1f\x7f]+$"
# Supported by Python's regular expressions, but not by ECMAScript's, which schemas use.
_PYTHON_ONLY = re.compile(r"\(\?(?![:=!]|<[=!])|\\[AZ]|[*+?}]\+|\\[0-9]|\[\]|\[\^\]")


def input_schema(
    document: Document, *, schema_id: str, choices: Mapping[str, tuple[str, ...]]
) -> Json:
    """The schema of `env_vars`. `choices` holds the choices that are not in the document.

    Those of a list's field are named `LIST.FIELD`.
    """
    place = _Place(schema_id, choices)
    return {
        "$schema": DIALECT,
        "$id": schema_id,
        "title": document.name,
        "type": "object",
        **_members(document.inputs, place),
        "x-groups": _groups(document.inputs),
    }


def object_schema(inputs: Sequence[Input]) -> Json:
    """The schema of an object with these members, whose choices are all declared."""
    return {"type": "object", **_members(inputs, _Place("", {}))}


def _groups(inputs: Sequence[Input]) -> list[Json]:
    """The pages of a long form: inputs without a group, then each group as it first appears."""
    named: dict[str, list[str]] = {"": []}
    for item in inputs:
        named.setdefault(item.group or "", []).append(item.name)
    return [{"name": group or None, "inputs": names} for group, names in named.items() if names]


@dataclass(frozen=True, slots=True)
class _Place:
    """Where inputs are declared: in a document, or as the fields of a list, named in `path`."""

    schema_id: str
    choices: Mapping[str, tuple[str, ...]]
    path: str = ""

    def offered(self, item: Input) -> tuple[str, ...]:
        return self.choices.get(self.path + item.name, item.choices)

    def choices_url(self, item: Input) -> str:
        path = urlsplit(self.schema_id).path.removesuffix("/inputs")
        return f"{path}/choices/{self.path}{item.name}"


def _members(items: Sequence[Input], place: _Place) -> Json:
    return {
        "properties": {
            item.name: _described(item, order, place) | _typed(item, place)
            for order, item in enumerate(items, start=1)
        },
        "required": [item.name for item in items if _is_required(item) and not item.show_if],
        "additionalProperties": False,
    }


def _is_required(item: Input) -> bool:
    """Whether the request must set it. The server may have inputs with `from`."""
    return not item.optional and item.default is None and item.source is None


def _described(item: Input, order: int, place: _Place) -> Json:
    described: Json = {"title": item.label or item.name}
    if item.description:
        described["description"] = item.description
    if item.default is not None and not item.secret:
        described["default"] = json_value(item, item.default)
    if item.example is not None:
        described["examples"] = [json_value(item, item.example)]
    described |= {"x-type": item.type.value, "x-order": order}
    if item.group:
        described["x-group"] = item.group
    if item.source is not None:
        described["x-from"] = item.source.kind.value
    if item.choices_from is not None:
        described["x-choices-from"] = f"{item.choices_from.ref}#{item.choices_from.output}"
    described |= _narrowed(item)
    if item.live is not None:
        described["x-choices"] = {
            "href": place.choices_url(item),
            "runbook": item.live.ref,
            "inputs": list(dict.fromkeys(item.live.inputs.values())),
            "strict": item.live.strict,
            "ttl_seconds": item.live.ttl_s,
        }
    if item.show_if:
        described["x-show-if"] = [
            {"input": shown.name, "operator": "!=" if shown.negated else "==", "value": shown.value}
            for shown in item.show_if
        ]
        described |= {"x-required": True} if _is_required(item) else {}
    return described


def _narrowed(item: Input) -> Json:
    """Which connections or devices there are to choose from."""
    given = (("x-kind", item.kind), ("x-vendor", item.vendor), ("x-tag", item.tag))
    return {name: text for name, text in given if text is not None}


def _typed(item: Input, place: _Place) -> Json:
    if item.type is InputType.LIST:
        return _list(item, replace(place, path=f"{place.path}{item.name}."))
    schema = _MAKERS[item.type](item, place.offered(item))
    if item.pattern is None:
        return schema
    if _PYTHON_ONLY.search(item.pattern):
        return schema | {"x-pattern": item.pattern}
    if "pattern" in schema:
        schema["allOf"] = [{"pattern": schema["pattern"]}]
    return schema | {"pattern": f"^(?:{item.pattern})$"}


def _text(item: Input, _choices: tuple[str, ...]) -> Json:
    least, most = bounds_of(item)
    shortest = 0 if least is None else int(least)
    if item.typed and _is_required(item):
        shortest = max(1, shortest)
    schema: Json = {"type": "string"}
    schema |= {"minLength": shortest} if shortest else {}
    return schema | ({} if most is None else {"maxLength": int(most)})


def _string(item: Input, choices: tuple[str, ...]) -> Json:
    return _text(item, choices) | {"pattern": ONE_LINE}


def _secret(item: Input, choices: tuple[str, ...]) -> Json:
    return _text(item, choices) | {"writeOnly": True}


def _numeric(item: Input, _choices: tuple[str, ...]) -> Json:
    least, most = bounds_of(item)
    schema: Json = {"type": item.type.value}
    schema |= {} if least is None else {"minimum": json_number(least)}
    return schema | ({} if most is None else {"maximum": json_number(most)})


def _choice(_item: Input, choices: tuple[str, ...]) -> Json:
    return {"type": "string"} | ({"enum": list(choices)} if choices else {"minLength": 1})


def _connection(_item: Input, choices: tuple[str, ...]) -> Json:
    """With those that the caller may use, if there are any."""
    return {"type": "string", "pattern": f"^{CONNECTION_NAME}$"} | (
        {"enum": list(choices)} if choices else {}
    )


def _devices(_item: Input, _choices: tuple[str, ...]) -> Json:
    """A selection as text, or as a list of its parts."""
    part = {"type": "string", "pattern": f"^(?:{SELECTOR_PART})$"}
    parts = {"type": "array", "items": part, "minItems": 1}
    return {"anyOf": [{"type": "string", "pattern": f"^{SELECTOR}$"}, parts]}


def _multichoice(item: Input, choices: tuple[str, ...]) -> Json:
    least, most = bounds_of(item)
    fewest = max(int(least or 0), 1 if _is_required(item) else 0)
    schema: Json = {"type": "array", "items": _choice(item, choices), "uniqueItems": True}
    schema |= {"minItems": fewest} if fewest else {}
    return schema | ({} if most is None else {"maxItems": int(most)})


def _list(item: Input, place: _Place) -> Json:
    fewest = fewest_rows(item)
    schema: Json = {"type": "array", "items": {"type": "object", **_members(item.items, place)}}
    schema |= {"minItems": fewest} if fewest else {}
    return schema | {"maxItems": most_rows(item)}


def _file(_item: Input, _choices: tuple[str, ...]) -> Json:
    content = {
        "type": "string",
        "contentEncoding": "base64",
        "pattern": BASE64,
        "maxLength": (FILE_LIMIT + 2) // 3 * 4,
    }
    name = {"type": "string", "pattern": PLAIN_NAME, "maxLength": FILE_NAME_LIMIT}
    return {
        "type": "object",
        "properties": {"name": name, "content_base64": content},
        "required": ["name", "content_base64"],
        "additionalProperties": False,
    }


def _duration(item: Input, _choices: tuple[str, ...]) -> Json:
    schema: Json = {"type": "string", "pattern": DURATION}
    schema |= {} if item.minimum is None else {"x-minimum": item.minimum}
    return schema | ({} if item.maximum is None else {"x-maximum": item.maximum})


def _fixed(**schema: object) -> Callable[[Input, tuple[str, ...]], Json]:
    """A schema that doesn't depend on the input."""
    return lambda _item, _choices: dict(schema)


_MAKERS: Mapping[InputType, Callable[[Input, tuple[str, ...]], Json]] = {
    InputType.TEXT: _text,
    InputType.STRING: _string,
    InputType.SECRET: _secret,
    InputType.INTEGER: _numeric,
    InputType.NUMBER: _numeric,
    InputType.BOOLEAN: _fixed(type="boolean"),
    InputType.CHOICE: _choice,
    InputType.MULTICHOICE: _multichoice,
    InputType.FILE: _file,
    InputType.DURATION: _duration,
    InputType.CIDR: _fixed(type="string", pattern=CIDR),
    InputType.IP: _fixed(type="string", anyOf=[{"format": "ipv4"}, {"format": "ipv6"}]),
    InputType.HOSTNAME: _fixed(
        type="string", format="hostname", pattern=f"^(?:{HOSTNAME})$", maxLength=HOSTNAME_LIMIT
    ),
    InputType.URL: _fixed(type="string", format="uri", pattern=f"^(?:{URL})$"),
    InputType.JSON: _fixed(type=["object", "array", "string", "number", "boolean"]),
    InputType.CONNECTION: _connection,
    InputType.DEVICE: _fixed(type="string", pattern=f"^{DEVICE_NAME}$"),
    InputType.DEVICES: _devices,
}

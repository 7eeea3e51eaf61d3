"""The inputs of a runbook as a JSON Schema (2020-12), for forms and other programs.

The engine accepts every value that the schema allows, except for checks that a schema can't
express: maximum sizes, duration bounds and `x-pattern`. It also accepts every value as text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal

from runbook.core.document import Document, Input, InputType
from runbook.core.inputs.types import (
    CONNECTION_NAME,
    HOSTNAME,
    HOSTNAME_LIMIT,
    URL,
    bounds_of,
    chosen,
)
from runbook.core.inputs.values import FILE_LIMIT, FILE_NAME_LIMIT
from runbook.core.syntax.durations import UNITS

Json = dict[str, object]
DIALECT = "https://json-schema.org/draft/2020-12/schema"
ONE_LINE = r"^[^\r\n\x00]*$"
_AMOUNT = r"[0-9]{1,9}(?:\.[0-9]{1,6})?"
_OCTET = "(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_CIDR_4 = rf"(?:{_OCTET}\.){{3}}{_OCTET}/(?:3[0-2]|[12]?[0-9])"
_CIDR_6 = r"(?=[^/]*:)[0-9A-Fa-f:.]+/(?:12[0-8]|1[01][0-9]|[1-9]?[0-9])"
CIDR = f"^(?:{_CIDR_4}|{_CIDR_6})$"
DURATION = f"^(?=.)(?:{_AMOUNT}|{''.join(f'(?:{_AMOUNT}{unit})?' for unit in UNITS)})$"
BASE64 = "^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$"
PLAIN_NAME = r"^(?!\.{1,2}$)[^/\\\x00-\x1f\x7f]+$"
# Supported by Python's regular expressions, but not by ECMAScript's, which schemas use.
_PYTHON_ONLY = re.compile(r"\(\?(?![:=!]|<[=!])|\\[AZ]|[*+?}]\+|\\[0-9]|\[\]|\[\^\]")


def input_schema(
    document: Document, *, schema_id: str, choices: Mapping[str, tuple[str, ...]]
) -> Json:
    """The schema of `env_vars`. `choices` holds the choices that are not in the document."""
    return {
        "$schema": DIALECT,
        "$id": schema_id,
        "title": document.name,
        **object_schema(document.inputs, choices),
    }


def object_schema(inputs: Sequence[Input], choices: Mapping[str, tuple[str, ...]]) -> Json:
    """The schema of an object with these members."""
    properties = {}
    for order, item in enumerate(inputs, start=1):
        offered = choices.get(item.name, item.choices)
        properties[item.name] = _described(item, order) | _typed(item, offered)
    return {
        "type": "object",
        "properties": properties,
        "required": [item.name for item in inputs if _is_required(item)],
        "additionalProperties": False,
    }


def _is_required(item: Input) -> bool:
    """Whether the request must set it. The server may have inputs with `from`."""
    return not item.optional and item.default is None and item.source is None


def _described(item: Input, order: int) -> Json:
    described: Json = {"title": item.label or item.name}
    if item.description:
        described["description"] = item.description
    if item.default is not None and not item.secret:
        described["default"] = value_of(item, item.default)
    if item.example is not None:
        described["examples"] = [value_of(item, item.example)]
    described |= {"x-type": item.type.value, "x-order": order}
    if item.group:
        described["x-group"] = item.group
    if item.source is not None:
        described["x-from"] = item.source.kind.value
    if item.choices_from is not None:
        described["x-choices-from"] = f"{item.choices_from.ref}#{item.choices_from.output}"
    if item.kind is not None:
        described["x-kind"] = item.kind
    return described


def value_of(item: Input, text: str) -> object:
    """A value as JSON of the input's type."""
    match item.type:
        case InputType.INTEGER | InputType.NUMBER:
            return _number(Decimal(text))
        case InputType.BOOLEAN:
            return text == "true"
        case InputType.MULTICHOICE:
            return chosen(text)
        case InputType.JSON:
            value = json.loads(text)
            return text if isinstance(value, str) or value is None else value
    return text


def _number(value: Decimal) -> int | float:
    return int(value) if value == value.to_integral_value() else float(value)


def _typed(item: Input, choices: tuple[str, ...]) -> Json:
    schema = _MAKERS[item.type](item, choices)
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
    schema |= {} if least is None else {"minimum": _number(least)}
    return schema | ({} if most is None else {"maximum": _number(most)})


def _choice(_item: Input, choices: tuple[str, ...]) -> Json:
    return {"type": "string"} | ({"enum": list(choices)} if choices else {"minLength": 1})


def _connection(_item: Input, choices: tuple[str, ...]) -> Json:
    """With those that the caller may use, if there are any."""
    return {"type": "string", "pattern": f"^{CONNECTION_NAME}$"} | (
        {"enum": list(choices)} if choices else {}
    )


def _multichoice(item: Input, choices: tuple[str, ...]) -> Json:
    least, most = bounds_of(item)
    fewest = max(int(least or 0), 1 if _is_required(item) else 0)
    schema: Json = {"type": "array", "items": _choice(item, choices), "uniqueItems": True}
    schema |= {"minItems": fewest} if fewest else {}
    return schema | ({} if most is None else {"maxItems": int(most)})


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
}

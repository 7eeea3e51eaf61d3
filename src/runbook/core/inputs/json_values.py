"""Values of inputs as JSON of their types."""

from __future__ import annotations

import json
from decimal import Decimal

from runbook.core.document import Input, InputType
from runbook.core.inputs.types import chosen


def json_value(item: Input, text: str) -> object:
    """A valid value as JSON."""
    match item.type:
        case InputType.INTEGER | InputType.NUMBER:
            return json_number(Decimal(text))
        case InputType.BOOLEAN:
            return text == "true"
        case InputType.MULTICHOICE:
            return chosen(text)
        case InputType.LIST:
            return json.loads(text)
        case InputType.JSON:
            value = json.loads(text)
            return text if isinstance(value, str) or value is None else value
    return text


def json_number(value: Decimal) -> int | float:
    return int(value) if value == value.to_integral_value() else float(value)


def compact_json(value: object) -> str:
    """Raises ValueError and TypeError for what JSON can't express."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False)

"""Validates text as a value of an input: by its type and its own rules."""

from __future__ import annotations

import ipaddress
import json
import math
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from decimal import Decimal
from urllib.parse import urlsplit

from runbook.core.document import Input, InputType, Problem
from runbook.core.inventory.names import DEVICE_NAME, DEVICE_RULE
from runbook.core.inventory.selector import SELECTOR_RULE, is_selector
from runbook.core.syntax.durations import DURATION_RULE, parse_duration
from runbook.core.syntax.patterns import PATTERN_VALUE_LIMIT, compiled
from runbook.core.syntax.unknown_keys import most_like
from runbook.quick_dataclass import dataclass

SHOWN_CHARACTERS = 80
SHOWN_CHOICES = 20

INTEGER = r"-?[0-9]{1,4000}"  # Python's limit for parsing and printing
NUMBER = r"-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]{1,3})?"
HOSTNAME = r"{label}(?:\.{label})*".format(label="[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?")
HOSTNAME_LIMIT = 253
PREFIXED = r"[0-9A-Fa-f:.]+/(?:0|[1-9][0-9]{0,2})"
_HOST_AND_PORT = r"[A-Za-z0-9._~:\[\]!$&'()*+,;=%-]+"
URL = rf"https?://(?!:){_HOST_AND_PORT}(?:[/?#][A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]*)?"
_URL_HOST = re.compile(r"[A-Za-z0-9._~%!$&'()*+,;=-]+")
_LINE_ENDS = frozenset("\r\n")
CONNECTION_NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
CONNECTION_RULE = "Use up to 64 letters, digits, dots, hyphens and underscores, such as lab-pve"

COUNTED = frozenset({InputType.STRING, InputType.TEXT, InputType.SECRET})
"""Types whose bounds count characters."""
CHOOSING = frozenset({InputType.CHOICE, InputType.MULTICHOICE})
OF_DEVICES = frozenset({InputType.DEVICE, InputType.DEVICES})
MATCHED = COUNTED | {InputType.HOSTNAME, InputType.URL}
"""Types that support a pattern."""
FIELD_TYPES = MATCHED - {InputType.SECRET} | {
    InputType.INTEGER,
    InputType.NUMBER,
    InputType.BOOLEAN,
    InputType.CHOICE,
    InputType.DURATION,
    InputType.CIDR,
    InputType.IP,
}
"""Types of a list's fields: what fits into a cell, and may be shown."""
BOUNDED = COUNTED | {
    InputType.INTEGER,
    InputType.NUMBER,
    InputType.DURATION,
    InputType.MULTICHOICE,
    InputType.LIST,
}
"""Types that support bounds."""


@dataclass(frozen=True, slots=True)
class TypeRule:
    """The rule for every value of a type.

    `text` continues a sentence that starts with the input's name.
    """

    holds: Callable[[str], bool]
    text: str
    hint: str | None = None


def check_text(
    item: Input, text: str, *, choices: Sequence[str] | None = None, hidden: bool = False
) -> Problem | None:
    """The first rule that a value breaks, or None.

    `choices` replaces choices that are not in the document. The problem shows the value unless it
    is `hidden` or secret. Short-form inputs have no rules.
    """
    if not item.typed:
        return None
    offered = item.choices if choices is None else choices
    found = _of_type(item, text) or _of_choices(item, text, offered)
    found = found or _of_bounds(item, text) or _of_pattern(item, text)
    return broken(item, found, text, hidden=hidden) if found else None


@dataclass(frozen=True, slots=True)
class Broken:
    """A broken rule. `hidden` omits the value from the message."""

    text: str
    hint: str | None = None
    hidden: bool = False


def broken(item: Input, rule: Broken, value: str, *, hidden: bool = False) -> Problem:
    """The problem for an invalid value: input, rule and the start of the value."""
    kept_back = hidden or rule.hidden or item.secret or item.type is InputType.FILE
    shown = None if kept_back else value
    hint = None if kept_back else rule.hint
    return Problem(
        "bad_input_value", _worded(item, rule, shown), hint=hint, params={"variable": item.name}
    )


def _worded(item: Input, rule: Broken, value: str | None) -> str:
    shown = "" if value is None else f": {value[:SHOWN_CHARACTERS]!r}"
    return f"{item.name} {rule.text}{shown}"


def has_value(item: Input, value: str | None) -> bool:
    """Whether a value is set: empty text counts only for the short form and for optional text."""
    if not value:
        stays_empty = not item.typed or (item.optional and item.type in COUNTED)
        return value is not None and stays_empty
    return True


def size_of(item: Input, text: str) -> Decimal | None:
    """The size that bounds limit: a number, seconds, or a count. None for types without a size."""
    match item.type:
        case InputType.INTEGER:
            return Decimal(text) if re.fullmatch(INTEGER, text) else None
        case InputType.NUMBER:
            return Decimal(text) if _is_number(text) else None
        case InputType.DURATION:
            seconds = parse_duration(text)
            return None if seconds is None else Decimal(str(seconds))
        case InputType.MULTICHOICE:
            return Decimal(len(chosen(text)))
        case kind if kind in COUNTED:
            return Decimal(len(text))
    return None


def bound_of(item: Input, text: str) -> Decimal | None:
    """A bound as written: a value of the input's type, or a count. None if it is neither."""
    if item.type in COUNTED or item.type in (InputType.MULTICHOICE, InputType.LIST):
        return Decimal(text) if re.fullmatch(r"[0-9]{1,9}", text) else None
    return size_of(item, text)


def bounds_of(item: Input) -> tuple[Decimal | None, Decimal | None]:
    """The minimum and maximum size."""
    texts = (item.minimum, item.maximum)
    least, most = (None if text is None else bound_of(item, text) for text in texts)
    return least, most


def chosen(text: str) -> list[str]:
    """The choices in a multichoice value."""
    return text.split(",") if text else []


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


def _of_type(item: Input, text: str) -> Broken | None:
    rule = TYPE_RULES.get(item.type)
    if rule is None or rule.holds(text):
        return None
    return Broken(rule.text, rule.hint, hidden=item.type is InputType.URL and "@" in text)


def _of_choices(item: Input, text: str, choices: Sequence[str]) -> Broken | None:
    if item.type not in CHOOSING or not choices:
        return None
    if item.type is InputType.CHOICE:
        return None if text in choices else not_a_choice(item, text, choices)
    picked = chosen(text)
    wrong = next((word for word in picked if word not in choices), None)
    if wrong is not None:
        return not_a_choice(item, wrong, choices)
    return Broken("must name each choice once") if len(set(picked)) < len(picked) else None


def not_a_choice(item: Input, word: str, choices: Collection[str]) -> Broken:
    names = list(choices)
    listed = ", ".join(names[:SHOWN_CHOICES]) + (", ..." if len(names) > SHOWN_CHOICES else "")
    close = most_like(word, names)
    hint = f"Did you mean {close}?" if close else None
    if item.type is InputType.CHOICE:
        return Broken(f"must be one of {listed}", hint)
    return Broken(f"must be some of {listed}, separated by commas", hint)


def _of_bounds(item: Input, text: str) -> Broken | None:
    size = size_of(item, text) if item.type in BOUNDED else None
    if size is None:
        return None
    least, most = bounds_of(item)
    if least is not None and size < least:
        return _outside(item, "least", item.minimum)
    if most is not None and size > most:
        return _outside(item, "most", item.maximum)
    return None


def _outside(item: Input, word: str, bound: str | None) -> Broken:
    if item.type in COUNTED:
        return Broken(f"must have at {word} {bound} characters")
    if item.type is InputType.MULTICHOICE:
        return Broken(f"must name at {word} {bound} of its choices")
    return Broken(f"must be at {word} {bound}")


def _of_pattern(item: Input, text: str) -> Broken | None:
    if item.pattern is None or item.type not in MATCHED:
        return None
    if len(text.encode("utf-8", "replace")) > PATTERN_VALUE_LIMIT:
        return Broken(f"must be at most {PATTERN_VALUE_LIMIT // 1024} KiB because it has a pattern")
    if compiled(item.pattern).fullmatch(text):
        return None
    return Broken(f"must match {item.pattern}")


# -- the types ------------------------------------------------------------------------------------


def _is_number(text: str) -> bool:
    return re.fullmatch(NUMBER, text) is not None and math.isfinite(float(text))


def _is_prefixed(text: str) -> bool:
    if not re.fullmatch(PREFIXED, text):
        return False
    try:
        ipaddress.ip_interface(text)
    except ValueError:
        return False
    return True


def _is_address(text: str) -> bool:
    """An address without a zone, which is valid on one machine only."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return "%" not in text


def _is_hostname(text: str) -> bool:
    return len(text) <= HOSTNAME_LIMIT and re.fullmatch(HOSTNAME, text) is not None


def _is_url(text: str) -> bool:
    if not re.fullmatch(URL, text):
        return False
    try:
        parts = urlsplit(text)
        _ = parts.port  # validated on access
    except ValueError:
        return False
    host = parts.hostname or ""
    named = _is_address(host) if "[" in parts.netloc else _URL_HOST.fullmatch(host)
    return bool(named)


def _is_json(text: str) -> bool:
    try:
        json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        return False
    return True


def _refuse_constant(name: str) -> object:
    raise ValueError(name)


TYPE_RULES: Mapping[InputType, TypeRule] = {
    InputType.STRING: TypeRule(
        _LINE_ENDS.isdisjoint,
        "must be one line",
        "The type text takes several",
    ),
    InputType.INTEGER: TypeRule(
        lambda text: re.fullmatch(INTEGER, text) is not None, "must be an integer"
    ),
    InputType.NUMBER: TypeRule(_is_number, "must be a number"),
    InputType.BOOLEAN: TypeRule(lambda text: text in {"true", "false"}, "must be true or false"),
    InputType.DURATION: TypeRule(
        lambda text: parse_duration(text) is not None,
        "must be a duration",
        f"Write {DURATION_RULE}",
    ),
    InputType.CIDR: TypeRule(
        _is_prefixed,
        "must be an IP address with its prefix length",
        "Such as 192.0.2.0/24 or 2001:db8::/64",
    ),
    InputType.IP: TypeRule(
        _is_address, "must be an IP address", "Such as 192.0.2.7 or 2001:db8::7"
    ),
    InputType.HOSTNAME: TypeRule(
        _is_hostname,
        "must be a host name",
        "Letters, digits and hyphens between dots, such as db-1.example.com",
    ),
    InputType.URL: TypeRule(
        _is_url,
        "must be an http or https URL with a host and no password",
        "Such as https://example.com/path",
    ),
    InputType.JSON: TypeRule(_is_json, "must be JSON"),
    InputType.CONNECTION: TypeRule(
        lambda text: re.fullmatch(CONNECTION_NAME, text) is not None,
        "must be the name of a connection",
        CONNECTION_RULE,
    ),
    InputType.DEVICE: TypeRule(
        lambda text: re.fullmatch(DEVICE_NAME, text) is not None,
        "must be the name of a device",
        DEVICE_RULE,
    ),
    InputType.DEVICES: TypeRule(is_selector, "must be a selection of devices", SELECTOR_RULE),
}

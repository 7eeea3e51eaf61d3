"""Consistency checks of a declared input: keys against its type, values against its rules."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from runbook.core.document import Input, InputType, Problem, Severity
from runbook.core.inputs.rows import RowsContext, read_rows
from runbook.core.inputs.types import (
    BOUNDED,
    CHOOSING,
    COUNTED,
    MATCHED,
    OF_DEVICES,
    bounds_of,
    check_text,
)
from runbook.core.syntax.patterns import PATTERN_LIMIT, compiled, is_explosive

_LINE_ENDS = re.compile(r"[,\r\n]")
_FITTING: Mapping[str, frozenset[InputType]] = {
    "choices": CHOOSING,
    "choices_from": CHOOSING,
    "pattern": MATCHED,
    "min": BOUNDED,
    "max": BOUNDED,
    "from": frozenset({InputType.SECRET}),
    "items": frozenset({InputType.LIST}),
    "kind": frozenset({InputType.CONNECTION}) | OF_DEVICES,
    "vendor": OF_DEVICES,
    "tag": OF_DEVICES,
    "connections": frozenset({InputType.DEVICES}),
    "default": frozenset(InputType) - {InputType.FILE},
    "example": frozenset(InputType) - {InputType.FILE},
}
"""The keys that only some types support."""


def check_declaration(item: Input, lines: Mapping[str, int]) -> list[Problem]:
    """The problems of a declared input. `lines` maps each of its keys to a line."""
    checks = (_keys, _kind, _choices, _pattern, _bounds, _items)
    problems = [problem for check in checks for problem in check(item, lines)]
    # Check values only if the rules themselves are valid.
    return problems or [*_values(item, lines), *_secret(item)]


def _keys(item: Input, lines: Mapping[str, int]) -> Iterator[Problem]:
    for key, line in lines.items():
        if key in _FITTING and item.type not in _FITTING[key]:
            fitting = ", ".join(kind for kind in InputType if kind in _FITTING[key])
            text = f"{item.name}: '{key}' is not supported for type {item.type}"
            yield Problem(
                "bad_input",
                text,
                line,
                hint=f"Supported types: {fitting}",
                params={"variable": item.name, "key": key, "type": item.type.value},
            )
    if {"optional", "required"} <= lines.keys():
        yield Problem(
            "bad_input",
            f"{item.name} must have either 'optional' or 'required'",
            lines["required"],
            hint="They say the opposite of each other: remove one",
            params={"variable": item.name, "key": "required"},
        )


def _kind(item: Input, lines: Mapping[str, int]) -> Iterator[Problem]:
    if item.type is InputType.CONNECTION and not item.kind:
        yield Problem(
            "bad_input",
            f"{item.name} must have a 'kind' of connection",
            lines.get("kind", item.line),
            hint="For example: kind: proxmox",
            params={"variable": item.name, "key": "kind"},
        )


def _choices(item: Input, lines: Mapping[str, int]) -> Iterator[Problem]:
    if item.type not in CHOOSING:
        return
    line = lines.get("choices", item.line)
    if sum(map(bool, (item.choices, item.choices_from, item.live))) != 1:
        text = f"{item.name} must have either 'choices' or 'choices_from'"
        yield Problem(
            "bad_input",
            text,
            line,
            hint="For example: choices: small, large",
            params={"variable": item.name},
        )
    if len(set(item.choices)) < len(item.choices):
        twice = next(word for word in item.choices if item.choices.count(word) > 1)
        text = f"{item.name}: duplicate choice {twice[:80]!r}"
        yield Problem(
            "bad_input",
            text,
            line,
            hint="Remove one of them",
            params={"variable": item.name, "key": "choices"},
        )
    if item.type is InputType.MULTICHOICE:
        for word in filter(_LINE_ENDS.search, item.choices):
            text = f"{item.name}: the choice {word[:80]!r} contains a comma or a line break"
            hint = "The script gets the selected choices separated by commas"
            yield Problem(
                "bad_input", text, line, hint=hint, params={"variable": item.name, "key": "choices"}
            )


def _pattern(item: Input, lines: Mapping[str, int]) -> Iterator[Problem]:
    if item.pattern is None:
        return
    line = lines.get("pattern", item.line)
    if len(item.pattern) > PATTERN_LIMIT:
        text = f"{item.name}: 'pattern' is longer than {PATTERN_LIMIT} characters"
        yield Problem(
            "bad_input",
            text,
            line,
            hint="Shorten it, or check the value in the script",
            params={"variable": item.name, "key": "pattern", "limit": PATTERN_LIMIT},
        )
        return
    try:
        compiled(item.pattern)
    except (re.error, ValueError, OverflowError, RecursionError, FutureWarning) as error:
        text = f"{item.name}: 'pattern' is not a valid regular expression: {error}"
        yield Problem(
            "bad_input",
            text,
            line,
            hint="Use single quotes in YAML to preserve backslashes",
            params={"variable": item.name, "key": "pattern", "reason": str(error)},
        )
        return
    if is_explosive(item.pattern):
        text = f"{item.name}: 'pattern' has nested repetition, which can take forever to match"
        hint = "Separate the repetitions with a character, as in [a-z]+(-[a-z]+)*"
        yield Problem(
            "bad_input", text, line, hint=hint, params={"variable": item.name, "key": "pattern"}
        )


def _bounds(item: Input, lines: Mapping[str, int]) -> Iterator[Problem]:
    if item.type not in BOUNDED:
        return
    least, most = bounds_of(item)
    for key, text, bound in (("min", item.minimum, least), ("max", item.maximum, most)):
        if text is not None and bound is None:
            message = f"{item.name}: '{key}' must be {_kind_of_bound(item)}: {text[:80]!r}"
            yield Problem(
                "bad_input",
                message,
                lines.get(key),
                hint="For example: 5",
                params={"variable": item.name, "key": key},
            )
    if least is not None and most is not None and least > most:
        message = f"{item.name}: 'min' is greater than 'max'"
        yield Problem(
            "bad_input",
            message,
            lines.get("min"),
            hint="Swap them",
            params={"variable": item.name, "key": "min"},
        )


def _kind_of_bound(item: Input) -> str:
    if item.type in COUNTED:
        return "a number of characters"
    if item.type is InputType.MULTICHOICE:
        return "a number of choices"
    if item.type is InputType.LIST:
        return "a number of rows"
    return "an integer" if item.type is InputType.INTEGER else f"a {item.type}"


def _items(item: Input, lines: Mapping[str, int]) -> Iterator[Problem]:
    if item.type is InputType.LIST and not item.items and "items" not in lines:
        yield Problem(
            "bad_input",
            f"{item.name} must have 'items', the fields of its rows",
            item.line,
            hint="For example: items: {NAME: {type: string}}",
            params={"variable": item.name, "key": "items"},
        )


def _fault(item: Input, value: str) -> Problem | None:
    if item.type is not InputType.LIST:
        return check_text(item, value)
    _, problems = read_rows(item, value, RowsContext(assumed=True))
    return problems[0] if problems else None


def _values(item: Input, lines: Mapping[str, int]) -> Iterator[Problem]:
    for key, value in (("default", item.default), ("example", item.example)):
        if value is not None and (found := _fault(item, value)):
            text = f"{item.name}: '{key}' is not a valid value: {found.message}"
            yield Problem(
                "bad_input",
                text,
                lines.get(key),
                hint=found.hint,
                params={"variable": item.name, "key": key},
            )


def _secret(item: Input) -> Iterator[Problem]:
    if item.secret and item.default:
        text = f"{item.name} is a secret, but its default is readable in the runbook"
        yield Problem(
            "secret_default",
            text,
            item.line,
            Severity.WARNING,
            params={"variable": item.name, "key": "default"},
        )

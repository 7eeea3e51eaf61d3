"""The declaration of one input: the mapping below its name."""

from __future__ import annotations

import re
from collections.abc import Callable
from collections.abc import Mapping as MappingType
from dataclasses import field, replace

from runbook.core.document import (
    ChoicesSource,
    Input,
    InputType,
    Problem,
    SecretKind,
    SecretSource,
    Severity,
)
from runbook.core.environ import SETTING_NAMES, is_reserved, valid_name
from runbook.core.inputs.rules import check_declaration
from runbook.core.syntax.unknown_keys import did_you_mean, unknown_key
from runbook.core.syntax.yaml_subset import Mapping, Node, Scalar, Sequence, truth_of
from runbook.quick_dataclass import dataclass
from runbook.script.limits import OUTPUT_NAME

_SECRET_FILE = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*(?:/[A-Za-z0-9_-][A-Za-z0-9._-]*)*")
_FROM_HINT = "Use env:NAME or file:NAME"
_CHOICES_HINT = "Use Ref.md#OUTPUT, or a mapping with runbook and output"


def read_input(name: Scalar, node: Node, problems: list[Problem]) -> Input:
    """One declared input; invalid keys are only reported."""
    item = Input(name.raw, "", name.line)
    match node:
        case Scalar():
            return replace(item, description=node.text.strip())
        case Sequence():
            text = f"{name.raw} must have a description or a mapping, not a list"
            problems.append(Problem("bad_input", text, node.line, params={"variable": name.raw}))
            return item
    return _Reading(replace(item, type=InputType.STRING, typed=True), problems).read(node)


@dataclass(slots=True)
class _Reading:
    """Reads the keys of one mapping. `lines` maps each key to its line."""

    item: Input
    problems: list[Problem]
    lines: dict[str, int] = field(default_factory=dict)

    def read(self, node: Mapping) -> Input:
        before = len(self.problems)
        for key, value in node.entries:
            self.lines[key.raw] = key.line
            self._read_key(key, value)
        if len(self.problems) == before:  # a partly read input would cause false errors
            self.problems += check_declaration(self.item, self.lines)
        return self.item

    def _read_key(self, key: Scalar, value: Node) -> None:
        reader = _FIELDS.get(key.raw)
        if reader is None:
            self.problems.append(unknown_key(key, tuple(_FIELDS), Severity.ERROR))
            return
        outcome = reader(self.item, key.raw, value)
        if isinstance(outcome, Input):
            self.item = outcome
        else:
            self.problems.append(outcome)


Reader = Callable[[Input, str, Node], Input | Problem]


def _text_key(change: Callable[[Input, Scalar], Input | Problem]) -> Reader:
    """A reader for a key whose value is text."""

    def read(item: Input, key: str, node: Node) -> Input | Problem:
        if isinstance(node, Scalar):
            return change(item, node)
        return Problem(
            "bad_input",
            f"{item.name}: '{key}' must be text",
            node.line,
            params={"variable": item.name, "key": key},
        )

    return read


def _with_type(item: Input, value: Scalar) -> Input | Problem:
    try:
        return replace(item, type=InputType(value.text.strip()))
    except ValueError:
        text = f"{item.name}: unknown type '{value.text[:80]}'"
        hint = did_you_mean(value.text, [str(kind) for kind in InputType])
        return Problem(
            "unknown_input_type",
            text,
            value.line,
            hint=hint,
            params={"variable": item.name, "key": "type"},
        )


def _with_optional(item: Input, value: Scalar) -> Input | Problem:
    if (truth := truth_of(value.text)) is not None:
        return replace(item, optional=truth)
    text = f"{item.name}: 'optional' must be true or false"
    return Problem("bad_input", text, value.line, params={"variable": item.name, "key": "optional"})


def _with_source(item: Input, value: Scalar) -> Input | Problem:
    kind, colon, name = value.text.strip().partition(":")
    if not colon or kind not in {str(known) for known in SecretKind}:
        text = f"{item.name}: 'from' must be env:NAME or file:NAME"
        return Problem(
            "bad_input",
            text,
            value.line,
            hint=_FROM_HINT,
            params={"variable": item.name, "key": "from"},
        )
    source = SecretSource(SecretKind(kind), name)
    problem = _env_problem(item, source, value.line)
    problem = problem or _file_problem(item, source, value.line)
    return problem or replace(item, source=source)


def _env_problem(item: Input, source: SecretSource, line: int) -> Problem | None:
    if source.kind is not SecretKind.ENV:
        return None
    if not valid_name(source.name):
        text = f"{item.name}: 'from' must have a valid environment variable name"
        return Problem(
            "bad_input", text, line, hint=_FROM_HINT, params={"variable": item.name, "key": "from"}
        )
    if is_reserved(source.name) or source.name in SETTING_NAMES:
        text = f"{item.name}: runbooks can't read {source.name}"
        hint = "It is used by the engine or affects how programs run. Use another variable"
        return Problem(
            "reserved_name",
            text,
            line,
            hint=hint,
            params={"variable": item.name, "key": "from", "name": source.name},
        )
    return None


def _file_problem(item: Input, source: SecretSource, line: int) -> Problem | None:
    if source.kind is not SecretKind.FILE or _SECRET_FILE.fullmatch(source.name):
        return None
    text = f"{item.name}: 'from' must have the name of a file below SECRETS_DIR"
    hint = (
        "Use a relative path of letters, digits, '.', '_' and '-', with no part starting with '.'"
    )
    return Problem(
        "bad_input", text, line, hint=hint, params={"variable": item.name, "key": "from"}
    )


def _with_choices(item: Input, key: str, node: Node) -> Input | Problem:
    match node:
        case Scalar():
            words = [part.strip() for part in node.text.split(",")]
        case Sequence() if all(isinstance(part, Scalar) for part in node.items):
            words = [part.text for part in node.items if isinstance(part, Scalar)]
        case _:
            words = []
    if words and all(words):
        return replace(item, choices=tuple(words))
    text = f"{item.name}: '{key}' must be a list of strings"
    return Problem(
        "bad_input",
        text,
        node.line,
        hint="For example: small, large",
        params={"variable": item.name, "key": key},
    )


def _with_choices_source(item: Input, key: str, node: Node) -> Input | Problem:
    match node:
        case Scalar():
            ref, _, output = (part.strip() for part in node.text.partition("#"))
        case Mapping():
            parts = {name.raw: value for name, value in node.entries}
            texts = [parts.get(name) for name in ("runbook", "output")]
            if len(parts) != 2 or not all(isinstance(part, Scalar) for part in texts):
                return _no_choices_source(item, key, node.line)
            ref, output = (part.text.strip() for part in texts if isinstance(part, Scalar))
        case _:
            return _no_choices_source(item, key, node.line)
    if not ref.endswith(".md") or not OUTPUT_NAME.fullmatch(output):
        return _no_choices_source(item, key, node.line)
    return replace(item, choices_from=ChoicesSource(ref, output))


def _no_choices_source(item: Input, key: str, line: int) -> Problem:
    text = f"{item.name}: '{key}' must name a runbook and one of its outputs"
    return Problem(
        "bad_input", text, line, hint=_CHOICES_HINT, params={"variable": item.name, "key": key}
    )


_FIELDS: MappingType[str, Reader] = {
    "label": _text_key(lambda item, value: replace(item, label=" ".join(value.text.split()))),
    "description": _text_key(lambda item, value: replace(item, description=value.text.strip())),
    "type": _text_key(_with_type),
    "default": _text_key(lambda item, value: replace(item, default=value.text)),
    "choices": _with_choices,
    "choices_from": _with_choices_source,
    "pattern": _text_key(lambda item, value: replace(item, pattern=value.text)),
    "min": _text_key(lambda item, value: replace(item, minimum=value.text.strip())),
    "max": _text_key(lambda item, value: replace(item, maximum=value.text.strip())),
    "optional": _text_key(_with_optional),
    "group": _text_key(lambda item, value: replace(item, group=value.text.strip())),
    "example": _text_key(lambda item, value: replace(item, example=value.text)),
    "from": _text_key(_with_source),
    "kind": _text_key(lambda item, value: replace(item, kind=value.text.strip())),
}
KEYS = tuple(_FIELDS)

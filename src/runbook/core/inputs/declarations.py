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
    Operand,
    Problem,
    SecretKind,
    SecretSource,
    Severity,
)
from runbook.core.environ import NAME_RULE, SETTING_NAMES, is_reserved, valid_name
from runbook.core.inputs.live_choices import read_live
from runbook.core.inputs.rows import RowsContext, read_rows
from runbook.core.inputs.rules import check_declaration
from runbook.core.inputs.types import FIELD_TYPES, compact_json
from runbook.core.syntax.conditions import read_conditions
from runbook.core.syntax.unknown_keys import did_you_mean, unknown_key
from runbook.core.syntax.yaml_blocks import Context, ValueRefusedError
from runbook.core.syntax.yaml_blocks import Reader as ContextualReader
from runbook.core.syntax.yaml_subset import Mapping, Node, Scalar, Sequence, plain_of, truth_of
from runbook.quick_dataclass import dataclass
from runbook.script.limits import OUTPUT_NAME

_SECRET_FILE = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*(?:/[A-Za-z0-9_-][A-Za-z0-9._-]*)*")
_FROM_HINT = "Use env:NAME or file:NAME"
_CHOICES_HINT = "Use Ref.md#OUTPUT, or a mapping with runbook and output"
_ITEMS_HINT = "For example: items: {NAME: {type: string}}"


def read_input(
    name: Scalar, node: Node, problems: list[Problem], above: tuple[Input, ...] = ()
) -> Input:
    """One declared input; invalid keys are only reported. It can refer to the inputs `above`."""
    item = Input(name.raw, "", name.line)
    match node:
        case Scalar():
            return replace(item, description=node.text.strip())
        case Sequence():
            text = f"{name.raw} must have a description or a mapping, not a list"
            problems.append(Problem("bad_input", text, node.line, params={"variable": name.raw}))
            return item
    item = replace(item, type=InputType.STRING, typed=True)
    return _Reading(item, Context(name.raw, above, problems)).read(node)


@dataclass(slots=True)
class _Reading:
    """Reads the keys of one mapping. `lines` maps each key to its line."""

    item: Input
    context: Context
    lines: dict[str, int] = field(default_factory=dict)

    def read(self, node: Mapping) -> Input:
        problems = self.context.problems
        before = len(problems)
        # What a default or a choice may be depends on the type.
        for key, value in sorted(node.entries, key=lambda entry: entry[0].raw != "type"):
            self.lines[key.raw] = key.line
            self._read_key(key, value)
        if len(problems) == before:  # a partly read input would cause false errors
            problems += check_declaration(self.item, self.lines)
        if len(problems) == before and self.item.type is InputType.LIST:
            return self._with_whole_rows()
        return self.item

    def _with_whole_rows(self) -> Input:
        """With the defaults of the fields in the list's own default and example."""
        item = self.item
        assumed = RowsContext(assumed=True)
        default, example = (
            None if text is None else read_rows(item, text, assumed)[0]
            for text in (item.default, item.example)
        )
        return replace(item, default=default, example=example)

    def _read_key(self, key: Scalar, value: Node) -> None:
        problems = self.context.problems
        reader = _FIELDS.get(key.raw)
        if reader is not None:
            outcome = reader(self.item, key.raw, value)
            if isinstance(outcome, Input):
                self.item = outcome
            else:
                problems.append(outcome)
        elif (contextual := _CONTEXTUAL.get(key.raw)) is not None:
            try:
                self.item = contextual(self.item, value, replace(self.context, key=key.raw))
            except ValueRefusedError as error:
                problems.append(error.problem)
        else:
            problems.append(unknown_key(key, KEYS, Severity.ERROR))


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


def _truth_key(change: Callable[[Input, bool], Input]) -> Reader:
    def read(item: Input, key: str, node: Node) -> Input | Problem:
        truth = truth_of(node.text) if isinstance(node, Scalar) else None
        if truth is not None:
            return change(item, truth)
        return Problem(
            "bad_input",
            f"{item.name}: '{key}' must be true or false",
            node.line,
            params={"variable": item.name, "key": key},
        )

    return read


def _value_key(change: Callable[[Input, str], Input]) -> Reader:
    """A reader for a value: text, or the rows of a list."""

    def read(item: Input, key: str, node: Node) -> Input | Problem:
        if item.type is InputType.LIST and isinstance(node, Sequence):
            return change(item, compact_json(plain_of(node)))
        return _text_key(lambda given, value: change(given, value.text))(item, key, node)

    return read


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


def _with_choices_source(item: Input, node: Node, context: Context) -> Input:
    """Another runbook's output, or a runbook to run for its choices."""
    match node:
        case Scalar():
            ref, _, output = (part.strip() for part in node.text.partition("#"))
        case Mapping() if all(name.raw != "output" for name, _ in node.entries):
            return replace(item, live=read_live(node, context))
        case Mapping():
            parts = {name.raw: value for name, value in node.entries}
            texts = [parts.get(name) for name in ("runbook", "output")]
            if len(parts) != 2 or not all(isinstance(part, Scalar) for part in texts):
                raise _no_choices_source(node, context)
            ref, output = (part.text.strip() for part in texts if isinstance(part, Scalar))
        case _:
            raise _no_choices_source(node, context)
    if not ref.endswith(".md") or not OUTPUT_NAME.fullmatch(output):
        raise _no_choices_source(node, context)
    return replace(item, choices_from=ChoicesSource(ref, output))


def _no_choices_source(node: Node, context: Context) -> ValueRefusedError:
    text = f"{context.where}: '{context.key}' must name a runbook and one of its outputs"
    params = {"variable": context.where, "key": context.key}
    return ValueRefusedError(
        Problem("bad_input", text, node.line, hint=_CHOICES_HINT, params=params)
    )


def _with_conditions(item: Input, node: Node, context: Context) -> Input:
    return replace(item, show_if=read_conditions(node, context, (Operand.INPUT,)))


def _with_items(item: Input, node: Node, context: Context) -> Input:
    if not isinstance(node, Mapping) or not node.entries:
        raise context.must_be("a mapping that declares fields", node.line, _ITEMS_HINT)
    fields: tuple[Input, ...] = ()
    for name, declared in node.entries:
        if valid_name(name.raw):
            fields += (_read_field(name, declared, context, fields),)
        else:
            text = f"{context.where}: '{name.raw[:80]}' is not a valid name of a field"
            context.problems.append(
                Problem(
                    "bad_input_name",
                    text,
                    name.line,
                    hint=NAME_RULE,
                    params={"variable": context.where, "key": context.key},
                )
            )
    return replace(item, items=fields)


def _read_field(name: Scalar, node: Node, context: Context, left: tuple[Input, ...]) -> Input:
    """A field. It can refer to those to its left and to the inputs above the list.

    A secret in a row would be in the value of the whole list, which is shown.
    """
    own = {each.name for each in left}
    above = (*left, *(each for each in context.inputs if each.name not in own))
    placed = replace(name, raw=f"{context.where}.{name.raw}")
    item = read_input(placed, node, context.problems, above)
    if item.type not in FIELD_TYPES:
        text = f"{placed.raw}: a field can't have the type {item.type}"
        fitting = ", ".join(kind for kind in InputType if kind in FIELD_TYPES)
        hint = f"Supported types: {fitting}"
        if item.secret:
            hint = "Declare the secret as a separate input, or use a connection"
        params = {"variable": placed.raw, "key": "type", "type": item.type.value}
        context.problems.append(Problem("bad_input", text, name.line, hint=hint, params=params))
    return replace(item, name=name.raw, typed=True)


_FIELDS: MappingType[str, Reader] = {
    "label": _text_key(lambda item, value: replace(item, label=" ".join(value.text.split()))),
    "description": _text_key(lambda item, value: replace(item, description=value.text.strip())),
    "type": _text_key(_with_type),
    "default": _value_key(lambda item, text: replace(item, default=text)),
    "choices": _with_choices,
    "pattern": _text_key(lambda item, value: replace(item, pattern=value.text)),
    "min": _text_key(lambda item, value: replace(item, minimum=value.text.strip())),
    "max": _text_key(lambda item, value: replace(item, maximum=value.text.strip())),
    "optional": _truth_key(lambda item, truth: replace(item, optional=truth)),
    "required": _truth_key(lambda item, truth: replace(item, optional=not truth)),
    "group": _text_key(lambda item, value: replace(item, group=value.text.strip())),
    "example": _value_key(lambda item, text: replace(item, example=text)),
    "from": _text_key(_with_source),
    "kind": _text_key(lambda item, value: replace(item, kind=value.text.strip())),
    "vendor": _text_key(lambda item, value: replace(item, vendor=value.text.strip() or None)),
    "tag": _text_key(lambda item, value: replace(item, tag=value.text.strip() or None)),
    "connections": _truth_key(lambda item, truth: replace(item, connections=truth)),
}
_CONTEXTUAL: MappingType[str, ContextualReader[Input]] = {
    "choices_from": _with_choices_source,
    "items": _with_items,
    "show_if": _with_conditions,
}
"""Readers of keys that may refer to other inputs."""
KEYS = (*_FIELDS, *_CONTEXTUAL)

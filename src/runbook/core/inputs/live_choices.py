"""Choices from a runbook that is run for them: how they are declared, asked for and read."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from runbook.core.document import Input, InputType, LiveChoices, Problem, Severity
from runbook.core.syntax.unknown_keys import unknown_key
from runbook.core.syntax.yaml_blocks import (
    Context,
    Reader,
    ValueRefusedError,
    check_input,
    read_duration,
    read_text,
    read_truth,
)
from runbook.core.syntax.yaml_subset import Mapping as MappingNode
from runbook.core.syntax.yaml_subset import Node, Scalar
from runbook.core.times import Millis
from runbook.quick_dataclass import dataclass

TTL_LIMIT_SECONDS = 24 * 3600.0
MOST_CHOICES = 10_000
TEXT_LIMIT = 1000
"""Maximum length of a choice's value, label or description, in characters."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A value to choose, and how forms show it."""

    value: str
    label: str
    description: str | None = None


@dataclass(frozen=True, slots=True)
class Offered:
    """The choices for an input, or why there are none. `run_id` is the run that provided them."""

    choices: tuple[Choice, ...] = ()
    problem: Problem | None = None
    run_id: str | None = None
    read_at: Millis | None = None
    cached: bool = False


# -- declaring -----------------------------------------------------------------------------------


def read_live(node: MappingNode, context: Context) -> LiveChoices:
    """The value of `choices_from` that has no output. Raises ValueRefusedError."""
    live = LiveChoices("")
    for key, value in node.entries:
        reader = _FIELDS.get(key.raw)
        if reader is None:
            raise ValueRefusedError(unknown_key(key, (*_FIELDS, "output"), Severity.ERROR))
        live = reader(live, value, replace(context, key=f"choices_from.{key.raw}"))
    if not live.ref:
        raise context.must_be("a mapping with a runbook", node.line, "runbook: Ref.md")
    twice = live.inputs.keys() & live.values.keys()
    if twice:
        raise context.must_be(f"a mapping that sets {min(twice)} once", node.line)
    return live


def _with_ref(live: LiveChoices, node: Node, context: Context) -> LiveChoices:
    ref = read_text(node, context)
    if not ref.endswith(".md"):
        raise context.must_be("the path of a runbook, ending in .md", node.line)
    return replace(live, ref=ref)


def _with_inputs(live: LiveChoices, node: Node, context: Context) -> LiveChoices:
    """A mapping, or a list of inputs that have the same name in both runbooks."""
    pairs = list(_pairs(node, context))
    for _, own in pairs:
        check_input(own.text.strip(), own.line, context)
    return replace(live, inputs={theirs: own.text.strip() for theirs, own in pairs})


def _with_values(live: LiveChoices, node: Node, context: Context) -> LiveChoices:
    if not isinstance(node, MappingNode):
        raise context.must_be("a mapping of inputs to texts", node.line)
    return replace(live, values={theirs: own.text for theirs, own in _pairs(node, context)})


def _pairs(node: Node, context: Context) -> Iterator[tuple[str, Scalar]]:
    entries = (
        node.entries
        if isinstance(node, MappingNode)
        else [(item, item) for item in getattr(node, "items", ())]
    )
    for theirs, own in entries:
        if not isinstance(own, Scalar) or not isinstance(theirs, Scalar):
            raise context.must_be("a mapping of its inputs to inputs of this runbook", own.line)
        yield theirs.raw, own
    if not entries:
        raise context.must_be("a mapping of its inputs to inputs of this runbook", node.line)


def _with_ttl(live: LiveChoices, node: Node, context: Context) -> LiveChoices:
    seconds = read_duration(node, context)
    if seconds > TTL_LIMIT_SECONDS:
        raise context.must_be("at most one day", node.line)
    return replace(live, ttl_s=seconds)


_FIELDS: Mapping[str, Reader[LiveChoices]] = {
    "runbook": _with_ref,
    "inputs": _with_inputs,
    "values": _with_values,
    "ttl": _with_ttl,
    "strict": lambda live, node, context: replace(live, strict=read_truth(node, context)),
}


# -- asking --------------------------------------------------------------------------------------


def asked_values(live: LiveChoices, known: Mapping[str, str]) -> dict[str, str]:
    """The values for the runbook's inputs. One that has no value is not passed."""
    given = {theirs: known[own] for theirs, own in live.inputs.items() if known.get(own)}
    return {**live.values, **given}


def lacking_inputs(
    live: LiveChoices, known: Mapping[str, str], declared: Iterable[Input]
) -> tuple[str, ...]:
    """The inputs without a value that the runbook, with these inputs, needs."""
    needed = {item.name for item in declared if not item.optional and item.default is None}
    lacking = (own for their, own in live.inputs.items() if their in needed and not known.get(own))
    return tuple(dict.fromkeys(lacking))


def read_output(item: Input, text: str) -> tuple[Choice, ...] | None:
    """The choices that a runbook printed; None if it printed something else.

    A JSON list of texts, numbers, or objects with `value`, `label` and `description`; or one text
    per line.
    """
    found: Sequence[object]
    if text.lstrip().startswith(("[", "{")):
        try:
            listed = json.loads(text)
        except (ValueError, RecursionError):
            return None
        if not isinstance(listed, list):
            return None
        found = listed
    else:
        found = [word for word in map(str.strip, text.splitlines()) if word]
    choices = [_choice(entry) for entry in found]
    if len(choices) > MOST_CHOICES or not all(choices):
        return None
    by_value: dict[str, Choice] = {}
    for choice in filter(None, choices):
        if _usable(item, choice.value):
            by_value.setdefault(choice.value, choice)
    return tuple(by_value.values())


def _choice(entry: object) -> Choice | None:
    if not isinstance(entry, Mapping):
        value = _text(entry)
        return Choice(value, value) if value else None
    value = _text(entry.get("value"))
    if not value:
        return None
    return Choice(value, _text(entry.get("label")) or value, _text(entry.get("description")))


def _text(value: object) -> str | None:
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value) if abs(value) < 10**18 else None
    if not isinstance(value, str) or len(value) > TEXT_LIMIT:
        return None
    return value.strip() or None


def _usable(item: Input, value: str) -> bool:
    """Whether a value can be chosen: one line, and no comma where commas separate the choices."""
    return not (set(value) & set(",\r\n" if item.type is InputType.MULTICHOICE else "\r\n"))


# -- problems ------------------------------------------------------------------------------------


def choices_failed(item: Input, ref: str, reason: str, hint: str | None = None) -> Problem:
    """Why the choices are not available. `reason` continues a sentence."""
    return Problem(
        "choices_failed",
        f"The choices for {item.name} aren't available: {reason}",
        item.line,
        hint=hint,
        params={"variable": item.name, "runbook": ref, "reason": reason},
    )


def choices_lacking(item: Input, ref: str, lacking: Sequence[str]) -> Problem:
    names = ", ".join(lacking)
    return Problem(
        "choices_need_inputs",
        f"The choices for {item.name} depend on {names}",
        item.line,
        hint=f"Set {names} first",
        params={"variable": item.name, "runbook": ref, "inputs": names},
    )

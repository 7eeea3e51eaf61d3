"""YAML blocks with settings: a mapping of known keys, each with a reader for its value."""

from __future__ import annotations

import re
from collections.abc import Callable
from collections.abc import Mapping as MappingType
from dataclasses import replace
from enum import StrEnum
from typing import TypeVar

from runbook.core.document import Input, InputType, Problem
from runbook.core.syntax.durations import DURATION_RULE, parse_duration
from runbook.core.syntax.markdown import Block
from runbook.core.syntax.unknown_keys import did_you_mean, unknown_key
from runbook.core.syntax.yaml_subset import Mapping, Node, Scalar, Sequence, compose
from runbook.quick_dataclass import dataclass

_T = TypeVar("_T")
_Word = TypeVar("_Word", bound=StrEnum)
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
"""Line breaks and other characters that can't be seen or typed."""
_WHOLE_NUMBER = re.compile(r"-?[0-9]{1,9}")
_TRUTHS = {"true": True, "false": False}


class ValueRefusedError(Exception):
    """A value is invalid; `problem` says why."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


@dataclass(frozen=True, slots=True)
class Context:
    """The context of a value: `where` it appears, its key, and the declared inputs.

    Problems that don't prevent using the value are appended to `problems`.
    """

    where: str
    inputs: tuple[Input, ...]
    problems: list[Problem]
    key: str = ""

    def must_be(self, rule: str, line: int, hint: str | None = None) -> ValueRefusedError:
        text = f"{self.where}: '{self.key}' must be {rule}"
        return ValueRefusedError(
            Problem(
                "bad_value", text, line, hint=hint, params={"where": self.where, "key": self.key}
            )
        )


Reader = Callable[[_T, Node, Context], _T]


def read_mapping(block: Block, where: str, problems: list[Problem]) -> Mapping | None:
    """The mapping in a block; None if it is empty or not a mapping, which is reported."""
    node = compose(block.text, block.line + 1)
    if isinstance(node, Mapping):
        return node
    if isinstance(node, Problem):
        message = node.message.replace("The YAML block", f"The YAML block in {where}", 1)
        problems.append(replace(node, message=message))
    elif node is not None and not (isinstance(node, Scalar) and not node.text):
        text = f"The YAML block in {where} must be a mapping (NAME: value)"
        problems.append(Problem("not_a_mapping", text, node.line, params={"where": where}))
    return None


def read_fields(
    start: _T, mapping: Mapping, readers: MappingType[str, Reader[_T]], context: Context
) -> _T:
    """`start` updated with each known key; unusable keys and values are only reported."""
    value = start
    for key, node in mapping.entries:
        reader = readers.get(key.raw)
        if reader is None:
            context.problems.append(unknown_key(key, readers))
            continue
        try:
            value = reader(value, node, replace(context, key=key.raw))
        except ValueRefusedError as error:
            context.problems.append(error.problem)
    return value


def read_text(node: Node, context: Context) -> str:
    """One line of non-empty text, without leading and trailing whitespace."""
    if not isinstance(node, Scalar) or not node.text.strip():
        raise context.must_be("text", node.line)
    text = node.text.strip()
    if CONTROL.search(text):
        raise context.must_be("one line, without control characters", node.line)
    return text


def read_duration(node: Node, context: Context) -> float:
    """Seconds."""
    seconds = parse_duration(node.text.strip()) if isinstance(node, Scalar) else None
    if seconds is None:
        raise context.must_be("a duration", node.line, f"Use {DURATION_RULE}, up to one year")
    return seconds


def read_time_limit(node: Node, context: Context) -> float:
    """Seconds, greater than 0."""
    seconds = read_duration(node, context)
    if not seconds:
        raise context.must_be("longer than 0", node.line, f"Use {DURATION_RULE}")
    return seconds


def read_whole_number(node: Node, least: int, most: int, context: Context) -> int:
    text = node.text.strip() if isinstance(node, Scalar) else ""
    if not _WHOLE_NUMBER.fullmatch(text) or not least <= int(text) <= most:
        raise context.must_be(f"an integer from {least} to {most}", node.line)
    return int(text)


def read_truth(node: Node, context: Context) -> bool:
    truth = _TRUTHS.get(node.text.strip()) if isinstance(node, Scalar) else None
    if truth is None:
        raise context.must_be("true or false", node.line)
    return truth


def read_word(node: Node, known: type[_Word], context: Context) -> _Word:
    """A member of an enumeration."""
    text = node.text.strip() if isinstance(node, Scalar) else ""
    for word in known:
        if word.value == text:
            return word
    words = [word.value for word in known]
    raise context.must_be(f"one of {', '.join(words)}", node.line, did_you_mean(text, words))


def read_items(node: Node, rule: str, context: Context) -> tuple[Node, ...]:
    """The items of a list, or a single value; at least one."""
    match node:
        case Sequence() if node.items:
            return node.items
        case Scalar() if node.text.strip():
            return (node,)
    raise context.must_be(rule, node.line)


def check_input(name: str, line: int, context: Context) -> None:
    """Check that the input that a value references is declared and may be shown.

    Raises ValueRefusedError.
    """
    names = {item.name: item for item in context.inputs}
    item = names.get(name)
    if item is None:
        text = f"{context.where}: '{context.key}' references an undeclared input: {name[:80]}"
        hint = did_you_mean(name, names) if names else "Declare it in Environment Requirements"
        raise ValueRefusedError(
            Problem(
                "undeclared_input",
                text,
                line,
                hint=hint,
                params={"where": context.where, "key": context.key, "variable": name[:80]},
            )
        )
    if item.type in (InputType.SECRET, InputType.FILE):
        text = f"{context.where}: '{context.key}' can't use {name}: it is a {item.type} input"
        hint = "Use an input that is neither a secret nor a file"
        raise ValueRefusedError(
            Problem(
                "input_not_shown",
                text,
                line,
                hint=hint,
                params={"where": context.where, "key": context.key, "variable": name},
            )
        )

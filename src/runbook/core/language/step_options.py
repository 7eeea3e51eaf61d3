"""The options of a step: the YAML block above its script."""

from __future__ import annotations

import re
from collections.abc import Mapping as MappingType
from dataclasses import replace

from runbook.core.document import Condition, Input, Operand, Problem, Step
from runbook.core.language.retries import read_retry
from runbook.core.syntax.markdown import Block
from runbook.core.syntax.unknown_keys import did_you_mean
from runbook.core.syntax.yaml_blocks import (
    Context,
    Reader,
    check_input,
    read_fields,
    read_items,
    read_mapping,
    read_time_limit,
    read_truth,
)
from runbook.core.syntax.yaml_subset import Mapping, Node, Scalar, compose
from runbook.script.limits import OUTPUT_NAME

_CONDITION = re.compile(r"(\w+)\.([^\s=!]+)\s*(==|!=)\s*(\S.*)", re.DOTALL)
# A bare value has no spaces, so that `a == b && c == d` isn't taken for one comparison.
_VALUE = re.compile(r"""'([^']*)'|"([^"]*)"|([^\s'"=][^\s'"]*)""")
_CONDITION_RULE = "a condition such as inputs.NAME == value, or a list of conditions"
_VALUE_HINT = "Quote values that are empty or contain spaces. To combine conditions, use a list"


def read_options(
    step: Step, block: Block, inputs: tuple[Input, ...], problems: list[Problem]
) -> Step:
    """The step with the options from the block."""
    where = f"Step '{step.name}'"
    mapping = read_mapping(block, where, problems)
    if mapping is None:
        return step
    return read_fields(step, mapping, _FIELDS, Context(where, inputs, problems))


def looks_like_options(block: Block) -> bool:
    """Whether a YAML block contains a key that is a step option."""
    node = compose(block.text, block.line + 1)
    return isinstance(node, Mapping) and any(key.raw in _FIELDS for key, _ in node.entries)


def _read_condition(node: Node, context: Context) -> Condition:
    match = _CONDITION.fullmatch(node.text.strip()) if isinstance(node, Scalar) else None
    value = _VALUE.fullmatch(match[4]) if match else None
    if match is None or value is None:
        raise context.must_be(_CONDITION_RULE, node.line, _VALUE_HINT)
    condition = Condition(
        operand=_read_operand(match[1], node.line, context),
        name=match[2],
        value=value[value.lastindex or 0],
        negated=match[3] == "!=",
    )
    if condition.operand is Operand.INPUT:
        check_input(condition.name, node.line, context)
    elif not OUTPUT_NAME.fullmatch(condition.name):
        hint = "Output names have up to 128 letters, digits, dots, hyphens and underscores"
        raise context.must_be(_CONDITION_RULE, node.line, hint)
    return condition


def _read_operand(word: str, line: int, context: Context) -> Operand:
    for operand in Operand:
        if operand.value == word:
            return operand
    raise context.must_be(_CONDITION_RULE, line, did_you_mean(word, [o.value for o in Operand]))


def _with_conditions(step: Step, node: Node, context: Context) -> Step:
    items = read_items(node, _CONDITION_RULE, context)
    return replace(step, conditions=tuple(_read_condition(item, context) for item in items))


_FIELDS: MappingType[str, Reader[Step]] = {
    "if": _with_conditions,
    "timeout": lambda step, node, context: replace(step, timeout_s=read_time_limit(node, context)),
    "retry": lambda step, node, context: replace(step, retry=read_retry(node, context)),
    "continue": lambda step, node, context: replace(step, continues=read_truth(node, context)),
}
KEYS = tuple(_FIELDS)

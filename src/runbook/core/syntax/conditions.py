"""Conditions in YAML blocks: a step's `if` and an input's `show_if`."""

from __future__ import annotations

import re
from collections.abc import Collection

from runbook.core.document import Condition, Operand
from runbook.core.syntax.unknown_keys import did_you_mean
from runbook.core.syntax.yaml_blocks import Context, check_input, read_items
from runbook.core.syntax.yaml_subset import Node, Scalar
from runbook.script.limits import OUTPUT_NAME

_CONDITION = re.compile(r"(\w+)\.([^\s=!]+)\s*(==|!=)\s*(\S.*)", re.DOTALL)
# A bare value has no spaces, so that `a == b && c == d` isn't taken for one comparison.
_VALUE = re.compile(r"""'([^']*)'|"([^"]*)"|([^\s'"=][^\s'"]*)""")
_RULE = "a condition such as inputs.NAME == value, or a list of conditions"
_VALUE_HINT = "Quote values that are empty or contain spaces. To combine conditions, use a list"


def read_conditions(
    node: Node, context: Context, operands: Collection[Operand] = tuple(Operand)
) -> tuple[Condition, ...]:
    """One condition or a list of them, on these operands. Raises ValueRefusedError."""
    items = read_items(node, _RULE, context)
    return tuple(_read_condition(item, context, operands) for item in items)


def _read_condition(node: Node, context: Context, operands: Collection[Operand]) -> Condition:
    match = _CONDITION.fullmatch(node.text.strip()) if isinstance(node, Scalar) else None
    value = _VALUE.fullmatch(match[4]) if match else None
    if match is None or value is None:
        raise context.must_be(_RULE, node.line, _VALUE_HINT)
    condition = Condition(
        operand=_read_operand(match[1], node.line, context, operands),
        name=match[2],
        value=value[value.lastindex or 0],
        negated=match[3] == "!=",
    )
    if condition.operand is Operand.INPUT:
        check_input(condition.name, node.line, context)
    elif not OUTPUT_NAME.fullmatch(condition.name):
        hint = "Output names have up to 128 letters, digits, dots, hyphens and underscores"
        raise context.must_be(_RULE, node.line, hint)
    return condition


def _read_operand(word: str, line: int, context: Context, operands: Collection[Operand]) -> Operand:
    for operand in operands:
        if operand.value == word:
            return operand
    raise context.must_be(_RULE, line, did_you_mean(word, [o.value for o in operands]))

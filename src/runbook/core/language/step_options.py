"""The options of a step: the YAML block above its script."""

from __future__ import annotations

from collections.abc import Mapping as MappingType
from dataclasses import replace

from runbook.core.document import Input, Problem, Step
from runbook.core.language.retries import read_retry
from runbook.core.syntax.conditions import read_conditions
from runbook.core.syntax.markdown import Block
from runbook.core.syntax.yaml_blocks import (
    Context,
    Reader,
    read_fields,
    read_mapping,
    read_time_limit,
    read_truth,
)
from runbook.core.syntax.yaml_subset import Mapping, Node, compose


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


def _with_conditions(step: Step, node: Node, context: Context) -> Step:
    return replace(step, conditions=read_conditions(node, context))


_FIELDS: MappingType[str, Reader[Step]] = {
    "if": _with_conditions,
    "timeout": lambda step, node, context: replace(step, timeout_s=read_time_limit(node, context)),
    "retry": lambda step, node, context: replace(step, retry=read_retry(node, context)),
    "continue": lambda step, node, context: replace(step, continues=read_truth(node, context)),
}
KEYS = tuple(_FIELDS)

"""Retries and return codes, as declared in the Policy section and in step options."""

from __future__ import annotations

from collections.abc import Mapping as MappingType
from dataclasses import replace

from runbook.core.document import Retry
from runbook.core.syntax.yaml_blocks import (
    Context,
    Reader,
    read_duration,
    read_fields,
    read_items,
    read_whole_number,
)
from runbook.core.syntax.yaml_subset import Mapping, Node

MOST_ATTEMPTS = 100
LOWEST_CODE = -64
"""A script killed by signal N has the return code -N."""


def read_retry(node: Node, context: Context) -> Retry:
    """The number of attempts, the delay, and the codes to retry on, or just the number."""
    if not isinstance(node, Mapping):
        return Retry(_attempts(node, context))
    if "attempts" not in {key.raw for key, _ in node.entries}:
        hint = "For example: retry: {attempts: 3, backoff: 5s}"
        raise context.must_be("a number of attempts or a mapping with attempts", node.line, hint)
    inner = replace(context, where=f"{context.where}, {context.key}")
    return read_fields(Retry(), node, _RETRY, inner)


def read_codes(node: Node, lowest: int, context: Context) -> frozenset[int]:
    """One return code or a list of them."""
    items = read_items(node, "a return code or a list of return codes", context)
    return frozenset(read_whole_number(item, lowest, 255, context) for item in items)


def _attempts(node: Node, context: Context) -> int:
    return read_whole_number(node, 1, MOST_ATTEMPTS, context)


_RETRY: MappingType[str, Reader[Retry]] = {
    "attempts": lambda retry, node, context: replace(retry, attempts=_attempts(node, context)),
    "backoff": lambda retry, node, context: replace(retry, backoff_s=read_duration(node, context)),
    "on": lambda retry, node, context: replace(retry, codes=read_codes(node, LOWEST_CODE, context)),
}
KEYS = tuple(_RETRY)

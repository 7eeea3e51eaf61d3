"""How a run that ended is recovered, as declared in the Policy section."""

from __future__ import annotations

from collections.abc import Mapping as MappingType
from dataclasses import replace

from runbook.core.language.retries import MOST_ATTEMPTS, read_codes
from runbook.core.recovery.rule import Recovery
from runbook.core.syntax.yaml_blocks import (
    Context,
    Reader,
    read_duration,
    read_fields,
    read_text,
    read_whole_number,
)
from runbook.core.syntax.yaml_subset import Mapping, Node


def read_recovery(node: Node, context: Context) -> Recovery:
    """A mapping with the runbook, or just its path."""
    if not isinstance(node, Mapping):
        return Recovery(_ref(node, context))
    inner = replace(context, where=f"{context.where}, {context.key}")
    recovery = read_fields(Recovery(""), node, _RECOVERY, inner)
    if "runbook" not in {key.raw for key, _ in node.entries}:
        raise context.must_be("a runbook or a mapping with one", node.line, "runbook: Recover.md")
    return recovery


def _ref(node: Node, context: Context) -> str:
    ref = read_text(node, context)
    if not ref.endswith(".md"):
        raise context.must_be("the path of a runbook, ending in .md", node.line)
    return ref


_RECOVERY: MappingType[str, Reader[Recovery]] = {
    "runbook": lambda recovery, node, context: replace(recovery, ref=_ref(node, context)),
    "unless": lambda recovery, node, context: replace(
        recovery, unless=read_codes(node, 1, context)
    ),
    "attempts": lambda recovery, node, context: replace(
        recovery, attempts=read_whole_number(node, 1, MOST_ATTEMPTS, context)
    ),
    "backoff": lambda recovery, node, context: replace(
        recovery, backoff_s=read_duration(node, context)
    ),
}
KEYS = tuple(_RECOVERY)

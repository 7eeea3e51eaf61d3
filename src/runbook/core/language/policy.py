"""The Policy section: how a runbook's runs are executed."""

from __future__ import annotations

import re
from collections.abc import Mapping as MappingType
from dataclasses import replace
from enum import StrEnum

from runbook.core.document import (
    NO_POLICY,
    Input,
    OnBusy,
    OnFailure,
    Policy,
    Problem,
    Severity,
    Step,
)
from runbook.core.language.policy_rules import CONCURRENCY, TEXT_LIMIT
from runbook.core.language.recoveries import read_recovery
from runbook.core.language.retries import read_codes, read_retry
from runbook.core.syntax.sections import Section
from runbook.core.syntax.yaml_blocks import (
    Context,
    Reader,
    check_input,
    read_fields,
    read_items,
    read_mapping,
    read_text,
    read_time_limit,
    read_whole_number,
    read_word,
)
from runbook.core.syntax.yaml_subset import Node

MOST_CONCURRENT = 1_000_000
_QUEUE = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_OPENING = re.compile(r"\$\{([^}]*)(\}?)")


class _DryRun(StrEnum):
    SUPPORTED = "supported"
    UNSUPPORTED = "unsupported"


class _Provides(StrEnum):
    CHOICES = "choices"


class _Inventory(StrEnum):
    UPDATE = "update"


def read_policy(section: Section, inputs: tuple[Input, ...], problems: list[Problem]) -> Policy:
    """The section's policy. Anything invalid is an error, never ignored."""
    blocks = [block for block in section.blocks if block.is_yaml]
    if not section.blocks:  # reported as an empty section
        return NO_POLICY
    if len(blocks) != 1 or blocks[0].nested:
        text = "Policy must contain exactly one yaml code block, outside lists"
        hint = "Add a yaml block such as: timeout: 5m"
        line = blocks[-1].line if blocks else section.line
        problems.append(Problem("bad_policy", text, line, hint=hint))
        return NO_POLICY
    mapping = read_mapping(blocks[0], section.name, problems)
    if mapping is None:
        return NO_POLICY
    return read_fields(NO_POLICY, mapping, _FIELDS, Context(section.name, inputs, problems))


def check_reversible(
    policy: Policy, steps: tuple[Step, ...], line: int, problems: list[Problem]
) -> None:
    """Report steps that can't be undone although a failure should undo them.

    `line` is the section's line.
    """
    if policy.on_failure is not OnFailure.UNDO or not steps:
        return
    if not any(step.undo for step in steps):
        text = "Policy: 'on_failure' is undo, but no step has an Undo"
        hint = "Divide the script into steps (## Name), each with ### Undo and a script block"
        problems.append(Problem("nothing_to_undo", text, line, hint=hint))
        return
    for step in steps:
        if step.undo is None:
            text = f"Step '{step.name}' has no Undo, so it can't be undone"
            problems.append(
                Problem(
                    "not_reversible",
                    text,
                    step.heading_line,
                    Severity.WARNING,
                    params={"step": step.name},
                )
            )


def _read_template(node: Node, context: Context) -> str:
    """Text in which `${NAME}` is replaced by the value of an input."""
    text = read_text(node, context)
    if len(text) > TEXT_LIMIT:
        raise context.must_be(f"at most {TEXT_LIMIT} characters long", node.line)
    for name, closing in _OPENING.findall(text):
        if not closing:
            raise context.must_be("text in which every ${ is closed with }", node.line)
        check_input(name, node.line, context)
    return text


def _read_lock(node: Node, context: Context) -> str:
    text = _read_template(node, context)
    if text.startswith(CONCURRENCY):
        rule = f"a name that does not start with {CONCURRENCY}"
        raise context.must_be(rule, node.line, "That prefix is reserved for the key concurrency")
    return text


def _with_locks(policy: Policy, node: Node, context: Context) -> Policy:
    items = read_items(node, "a lock name or a list of lock names", context)
    return replace(policy, locks=tuple(_read_lock(item, context) for item in items))


def _with_queue(policy: Policy, node: Node, context: Context) -> Policy:
    name = read_text(node, context)
    if not _QUEUE.fullmatch(name):
        rule = "a name of up to 64 letters, digits, dots, hyphens or underscores"
        raise context.must_be(rule, node.line)
    return replace(policy, queue=name)


def _with_dry_run(policy: Policy, node: Node, context: Context) -> Policy:
    word = read_word(node, _DryRun, context)
    return replace(policy, dry_run=word is _DryRun.SUPPORTED)


def _with_provides(policy: Policy, node: Node, context: Context) -> Policy:
    read_word(node, _Provides, context)
    return replace(policy, provides_choices=True)


def _with_inventory(policy: Policy, node: Node, context: Context) -> Policy:
    read_word(node, _Inventory, context)
    return replace(policy, updates_inventory=True)


_FIELDS: MappingType[str, Reader[Policy]] = {
    "timeout": lambda policy, node, context: replace(
        policy, timeout_s=read_time_limit(node, context)
    ),
    "locks": _with_locks,
    "on_busy": lambda policy, node, context: replace(
        policy, on_busy=read_word(node, OnBusy, context)
    ),
    "concurrency": lambda policy, node, context: replace(
        policy, concurrency=read_whole_number(node, 1, MOST_CONCURRENT, context)
    ),
    "retry": lambda policy, node, context: replace(policy, retry=read_retry(node, context)),
    "on_failure": lambda policy, node, context: replace(
        policy, on_failure=read_word(node, OnFailure, context)
    ),
    "queue": _with_queue,
    "dry_run": _with_dry_run,
    "confirm": lambda policy, node, context: replace(policy, confirm=_read_template(node, context)),
    "provides": _with_provides,
    "inventory": _with_inventory,
    "recover": lambda policy, node, context: replace(policy, recover=read_recovery(node, context)),
    "success_codes": lambda policy, node, context: replace(
        policy, success_codes=read_codes(node, 0, context)
    ),
}
KEYS = tuple(_FIELDS)

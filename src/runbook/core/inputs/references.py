"""How inputs refer to other inputs and to runbooks that provide their choices."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from runbook.core.document import Document, Input, LiveChoices, Problem
from runbook.core.inputs.choices import all_inputs
from runbook.core.syntax.unknown_keys import did_you_mean


def names_used(inputs: Iterable[Input]) -> set[str]:
    """The names that conditions and choices refer to."""
    found: set[str] = set()
    for item in all_inputs(inputs):
        found |= {condition.name for condition in item.show_if}
        found |= set(item.live.inputs.values()) if item.live else set()
    return found


def source_problems(item: Input, live: LiveChoices, source: Document) -> Iterator[Problem]:
    """What keeps a runbook from providing the choices of an input."""

    def problem(text: str, hint: str) -> Problem:
        return Problem(
            "bad_choices_source",
            text,
            item.line,
            hint=hint,
            params={"variable": item.name, "runbook": live.ref},
        )

    runbook = source.runbook
    if runbook is None:
        text = f"{item.name}: {live.ref} has errors, so it can't provide choices"
        yield problem(text, f"Run `runbook lint {live.ref}`")
        return
    if not runbook.policy.provides_choices:
        text = f"{item.name}: {live.ref} doesn't provide choices"
        yield problem(text, "Add `provides: choices` to its Policy, if it only reads")
    if runbook.policy.confirm is not None:
        text = f"{item.name}: {live.ref} must be confirmed, which a form doesn't do"
        yield problem(text, "Remove `confirm` from its Policy")
    declared = {other.name: other for other in runbook.inputs}
    mapped = {*live.inputs, *live.values}
    for name in sorted(mapped - declared.keys()):
        text = f"{item.name}: {live.ref} has no input {name[:80]}"
        yield problem(text, did_you_mean(name, declared) if declared else "It has no inputs")
    for other in runbook.inputs:
        needed = other.default is None and other.source is None and not other.show_if
        if needed and not other.optional and other.name not in mapped:
            text = f"{item.name}: {live.ref} needs its input {other.name}"
            yield problem(text, f"Add {other.name} to `inputs` of choices_from")

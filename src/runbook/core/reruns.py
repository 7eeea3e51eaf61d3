"""Reruns: where to resume, which values to restore, which steps to undo."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field, replace
from difflib import unified_diff

from runbook.core.document import Runbook, Step
from runbook.core.outcome import StepRun
from runbook.core.status import StepStatus
from runbook.quick_dataclass import dataclass

DIFF_LINES = 200


@dataclass(frozen=True, slots=True)
class Numbered:
    """A step with its number in the document, counted from 1."""

    n: int
    step: Step


def numbered(runbook: Runbook) -> tuple[Numbered, ...]:
    return tuple(Numbered(n, step) for n, step in enumerate(runbook.steps, start=1))


def resume_point(runbook: Runbook, rows: Sequence[StepRun]) -> int:
    """The number of the first unfinished step, counted from 1.

    A skipped step is finished, and so is a failed one if the run continued after it.
    """
    states = {row.n: row.status for row in rows}
    for item in numbered(runbook):
        status = states.get(item.n)
        tolerated = status is not None and item.step.continues and status is not StepStatus.RUNNING
        later = any(n > item.n for n in states)
        if status is not StepStatus.SKIPPED and not (
            status is not None and (status.completed or (tolerated and later))
        ):
            return item.n
    return len(runbook.steps) + 1


def find_step(runbook: Runbook, wanted: str) -> int | None:
    """The number, counted from 1, of the step with this name or number; None if there is none."""
    for item in numbered(runbook):
        if item.step.name == wanted:
            return item.n
    # Compared as text: Python refuses to parse integers with thousands of digits.
    return next((item.n for item in numbered(runbook) if str(item.n) == wanted), None)


def restored_steps(rows: Sequence[StepRun], start: int) -> tuple[StepRun, ...]:
    """The rows of the steps before `start`, as recorded in the resumed run.

    Their output is in the earlier run's log, so their line span in this run's log is empty.
    """
    return tuple(
        replace(
            row,
            status=StepStatus.RESTORED if row.status.completed else row.status,
            first_line=1,
            last_line=0,
        )
        for row in rows
        if row.n < start
    )


def joined(rows: Sequence[StepRun], earlier: Sequence[StepRun]) -> tuple[StepRun, ...]:
    """The results of a run's steps, combined with those its predecessor completed.

    If this run restarted a step but didn't complete it, the predecessor's result counts.
    """
    known = {row.n: row for row in earlier if row.status.completed}
    known |= {row.n: row for row in rows if row.status.completed or row.n not in known}
    return tuple(known[n] for n in sorted(known))


@dataclass(frozen=True, slots=True)
class Restored:
    """Values from earlier steps; `missing` names those that were not stored."""

    variables: Mapping[str, str] = field(default_factory=dict)
    outputs: Mapping[str, str] = field(default_factory=dict)
    missing: frozenset[str] = frozenset()


def restored(rows: Sequence[StepRun], given: Mapping[str, str]) -> Restored:
    """The variables and outputs of these steps, in order; later ones override earlier ones.

    `given` maps names to values that the user entered again.
    """
    variables: dict[str, str | None] = {}
    outputs: dict[str, str | None] = {}
    for row in sorted(rows, key=lambda row: row.n):
        variables |= row.env
        outputs |= row.outputs
    known = (_filled(variables, given), _filled(outputs, given))
    missing = {name for values in known for name, value in values.items() if value is None}
    return Restored(
        {name: value for name, value in known[0].items() if value is not None},
        {name: value for name, value in known[1].items() if value is not None},
        frozenset(missing),
    )


def _filled(values: Mapping[str, str | None], given: Mapping[str, str]) -> dict[str, str | None]:
    return {n: given.get(n) if value is None else value for n, value in values.items()}


def undo_steps(
    runbook: Runbook,
    rows: Sequence[StepRun],
    undone: frozenset[int] = frozenset(),
    touched: frozenset[int] = frozenset(),
) -> tuple[Numbered, ...]:
    """Undo scripts of the completed steps, last step first, except steps already in `undone`.

    `touched` are steps that may have changed something, completed or not.
    """
    completed = {row.n for row in rows if row.status.completed} | touched
    completed -= undone
    return tuple(
        Numbered(item.n, _reversing(item.step))
        for item in reversed(numbered(runbook))
        if item.n in completed and item.step.undo is not None
    )


def irreversible(runbook: Runbook, rows: Sequence[StepRun]) -> tuple[Numbered, ...]:
    """The completed steps that have no Undo."""
    completed = {row.n for row in rows if row.status.completed}
    return tuple(
        item for item in numbered(runbook) if item.n in completed and item.step.undo is None
    )


def _reversing(step: Step) -> Step:
    script = step.undo or step.script
    return Step(
        f"Undo: {step.name}",
        script.language,
        script.source,
        script.line,
        heading_line=step.heading_line,
        timeout_s=step.timeout_s,
    )


def diff_above(old: str, new: str, start: Step, again: Step | None) -> str | None:
    """The diff above the step to resume from; None if nothing changed there.

    `start` is the step in the old text, `again` the step with the same name in the new text.
    Changes from that step on are allowed: they may be the fix.
    """
    line = start.heading_line or 1
    before, after = _lines(old), _lines(new)
    # Compare the heading too: another step may have been inserted before this one.
    if before[:line] == after[:line]:
        return None
    end = line if again is None or again.heading_line is None else again.heading_line
    return _diff(before[:line], after[:end], "as it ran")


def diff_texts(old: str, new: str) -> str:
    """The diff between two versions of a document."""
    return _diff(_lines(old), _lines(new), "as it was")


def _diff(old: Sequence[str], new: Sequence[str], called: str) -> str:
    found = list(unified_diff(old, new, called, "as it is now", lineterm=""))
    if len(found) > DIFF_LINES:
        found[DIFF_LINES:] = [f"... {len(found) - DIFF_LINES} more lines"]
    return "\n".join(found)


def _lines(text: str) -> list[str]:
    return text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n").split("\n")

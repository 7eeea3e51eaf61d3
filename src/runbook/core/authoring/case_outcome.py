"""Compares a run's result with its test case."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field

from runbook.core.authoring.cases import Case, Expected
from runbook.core.status import RunStatus
from runbook.quick_dataclass import dataclass

_SHOWN = 200


@dataclass(frozen=True, slots=True)
class CaseOutcome:
    """The result of executing a case. `return_code` is None if nothing ran."""

    status: RunStatus
    return_code: int | None = None
    outputs: Mapping[str, object] = field(default_factory=dict)
    stdout: str = ""
    stderr: str = ""
    errors: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Difference:
    """One unmet expectation."""

    what: str
    expected: str
    actual: str

    @property
    def text(self) -> str:
        return f"expected {self.what} {self.expected}, got {self.actual}"


def differences(case: Case, outcome: CaseOutcome) -> list[Difference]:
    """All unmet expectations of a case."""
    found = [*_endings(case, outcome), *_outputs(case, outcome)]
    found += _missing("stdout containing", case.stdout, outcome.stdout)
    found += _missing("stderr containing", case.stderr, outcome.stderr)
    found += _missing("an error containing", case.errors, *outcome.errors)
    return found


def _endings(case: Case, outcome: CaseOutcome) -> Iterator[Difference]:
    if outcome.status is not case.status:
        yield Difference("status", case.status.value, outcome.status.value)
    if case.return_code is not None and outcome.return_code != case.return_code:
        yield Difference("return code", str(case.return_code), str(outcome.return_code))


def _outputs(case: Case, outcome: CaseOutcome) -> Iterator[Difference]:
    for name, expected in case.outputs.items():
        what = f"output {name}"
        if name not in outcome.outputs:
            yield Difference(what, repr(expected), "none")
        elif (actual := _as_text(outcome.outputs[name])) != expected:
            yield Difference(what, repr(expected), repr(actual))


def _as_text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _missing(what: str, wanted: Sequence[Expected], *actual: str) -> Iterator[Difference]:
    """A difference, with the actual text, for each expected text that isn't found."""
    for expected in wanted:
        if not any(expected.found_in(text) for text in actual):
            yield Difference(what, expected.shown, _shortened("\n".join(actual)))


def _shortened(text: str) -> str:
    if not text:
        return "nothing"
    return repr(text) if len(text) <= _SHOWN else f"...{text[-_SHOWN:]!r}"

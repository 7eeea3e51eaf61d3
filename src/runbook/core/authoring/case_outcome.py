"""Whether a run ended as its test case says."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from runbook.core.authoring.cases import Case, Expected
from runbook.core.status import RunStatus

_SHOWN = 200


@dataclass(frozen=True, slots=True)
class CaseOutcome:
    """How the execution of a case ended. `return_code` is None where nothing ran."""

    status: RunStatus
    return_code: int | None = None
    outputs: Mapping[str, object] = field(default_factory=dict)
    stdout: str = ""
    stderr: str = ""
    errors: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Difference:
    """One expectation that was not met."""

    what: str
    expected: str
    actual: str

    @property
    def text(self) -> str:
        return f"expected {self.what} {self.expected}, got {self.actual}"


def differences(case: Case, outcome: CaseOutcome) -> list[Difference]:
    """Every way in which a run did not end as it should."""
    found = [*_endings(case, outcome), *_outputs(case, outcome)]
    found += _missing("stdout with", case.stdout, outcome.stdout)
    found += _missing("stderr with", case.stderr, outcome.stderr)
    found += _missing("an error with", case.errors, *outcome.errors)
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
    """Of each wanted text that is in none of the others, what is there instead."""
    for expected in wanted:
        if not any(expected.found_in(text) for text in actual):
            yield Difference(what, expected.shown, _shortened("\n".join(actual)))


def _shortened(text: str) -> str:
    if not text:
        return "nothing"
    return repr(text) if len(text) <= _SHOWN else f"...{text[-_SHOWN:]!r}"

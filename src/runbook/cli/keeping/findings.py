"""What the checks of `runbook doctor` find."""

from __future__ import annotations

from enum import StrEnum

from runbook.quick_dataclass import dataclass


class State(StrEnum):
    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of a check. `advice` says what to do, if anything."""

    name: str
    state: State
    text: str
    advice: str = ""

    def as_json(self) -> dict[str, object]:
        return {
            "name": self.name,
            "state": self.state.value,
            "text": self.text,
            "advice": self.advice,
        }


def ok(name: str, text: str) -> Finding:
    return Finding(name, State.OK, text)


def warn(name: str, text: str, advice: str) -> Finding:
    return Finding(name, State.WARNING, text, advice)


def fail(name: str, text: str, advice: str) -> Finding:
    return Finding(name, State.FAILED, text, advice)

"""The journal of effects: changes in other systems that survive a crash of the script.

    from runbook.connectors.effects import earlier, effect

    with effect("create container 104", key="guest", probe={"vmid": 104}) as change:
        ...                              # the change itself
        change.outcome["node"] = "pve1"  # what an Undo may need to know

The engine has the intent on disk before the change is made, and the outcome after it. If the script
dies in between, the next attempt (a retry, a resume, an undo) finds the change in `earlier()`. It
looks with the probe whether the change was made, and says so:

    for change in earlier("guest"):
        if found(change.probe):
            change.adopt()               # go on from there
        else:
            change.did_not_happen()
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from runbook.connectors.errors import ConnectorError
from runbook.script import commands, effects
from runbook.script.effects import NotRecordedError
from runbook.script.limits import EffectState

__all__ = [
    "Change",
    "EarlierChange",
    "EffectState",
    "NotRecordedError",
    "doing",
    "earlier",
    "effect",
    "plan_change",
]

PIPE = "RUNBOOK_EFFECTS"
ANSWERED = "answered"
"""In the outcome: the request has ended, whatever it did."""


@dataclass
class Change:
    """A change that is being made. What is in `outcome` at the end is recorded with it."""

    what: str
    key: str
    probe: Mapping[str, Any]
    outcome: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class EarlierChange:
    """A change that an earlier attempt made, or was about to make.

    `at` is when it was recorded, in milliseconds since the epoch. Of one that is `INTENDED`, nobody
    knows yet whether it was made; if it `may_still_come`, not even a look can tell yet. In a dry
    run, the methods only say what they would do.
    """

    id: str
    key: str
    what: str
    probe: Mapping[str, Any]
    state: EffectState
    outcome: Mapping[str, Any]
    at: int
    step: int | None

    @property
    def run_id(self) -> str:
        return self.id.partition("/")[0]

    @property
    def may_still_come(self) -> bool:
        """Whether its request may still be running: there was no answer to it."""
        return self.state is EffectState.INTENDED and not self.outcome.get(ANSWERED)

    def adopt(self, **outcome: object) -> None:
        """It was made: this run goes on from there, and answers for it from now on."""
        known = {**self.outcome, **outcome}
        if commands.dry_run():
            return
        pipe = commands.variable(PIPE)
        if self.run_id == commands.variable("RUNBOOK_RUN_ID"):
            effects.settle(pipe, self.id, EffectState.DONE, known)
            return
        mine = effects.intend(pipe, self.key, self.what, self.probe)
        effects.settle(pipe, mine, EffectState.DONE, {**known, "adopted": self.id})
        effects.settle(pipe, self.id, EffectState.ADOPTED, self.outcome)

    def made(self) -> None:
        """It was made, and its own run still answers for it."""
        self._settle(EffectState.DONE)

    def let_go(self) -> None:
        """Another record of the same change answers for it."""
        self._settle(EffectState.ADOPTED)

    def did_not_happen(self) -> None:
        """It was not made."""
        self._settle(EffectState.FAILED)

    def undone(self) -> None:
        """It was made, and has been reversed."""
        self._settle(EffectState.UNDONE)

    def _settle(self, state: EffectState) -> None:
        if not commands.dry_run():
            effects.settle(commands.variable(PIPE), self.id, state, self.outcome)


@contextmanager
def effect(what: str, *, key: str, probe: Mapping[str, Any]) -> Iterator[Change]:
    """Record a change before and after it is made; in a dry run, nothing is recorded.

    `key` groups the changes of a runbook that `earlier` looks up. `what` says what is changed, and
    `probe` is all that another attempt needs to find out whether it was. Neither may have a secret.
    If the body raises a ConnectorError with `nothing_changed`, the change counts as not made; with
    any other exception, it stays open, and the next attempt has to look for it: at once if the
    error is `answered`. Raises NotRecordedError, before the body, if the engine can't record it.
    """
    change = Change(what, key, probe)
    if commands.dry_run():
        with doing(what):
            yield change
        return
    pipe = commands.variable(PIPE)
    mine = effects.intend(pipe, key, what, probe)
    try:
        with doing(what):
            yield change
    except ConnectorError as error:
        said = {"error": error.code}
        if error.nothing_changed:
            effects.settle(pipe, mine, EffectState.FAILED, said)
        elif error.answered:
            effects.settle(pipe, mine, EffectState.INTENDED, {**said, ANSWERED: True})
        raise
    effects.settle(pipe, mine, EffectState.DONE, change.outcome)


def plan_change(request: str) -> None:
    """For connectors, in a dry run: a request that a real run would send.

    Inside of `effect`, the line begins with what it says.
    """
    commands.plan(": ".join([*_plans[-1:], request]), label="verified")


_plans: list[str] = []


@contextmanager
def doing(what: str) -> Iterator[None]:
    """Say what is changed, without a record: for changes that are harmless to repeat.

    In a dry run, the lines of the plan begin with it.
    """
    if not commands.dry_run():
        print(f"{what[:1].upper()}{what[1:]}", flush=True)  # noqa: T201 - a script's output
    _plans.append(what)
    try:
        yield
    finally:
        _plans.pop()


def earlier(key: str | None = None) -> list[EarlierChange]:
    """The changes of earlier attempts that may still be in place, latest first.

    Earlier attempts are the runs that this one retries, resumes or undoes, and earlier tries of the
    same step. What this script itself records doesn't appear here.
    """
    known = effects.earlier(commands.variable(PIPE))
    return [
        EarlierChange(
            one["id"],
            one["key"],
            one["what"],
            one["probe"],
            EffectState(one["state"]),
            one["outcome"],
            one["at"],
            one["step"],
        )
        for one in known
        if key is None or one["key"] == key
    ]

"""The journal of a run's changes outside: what it was about to change, and how it ended."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import field
from typing import Any

from runbook.core.document import Runbook
from runbook.core.ssh.host_key import HostAddress, PublicKey, address_of, read_public_key
from runbook.core.times import Millis
from runbook.quick_dataclass import dataclass
from runbook.script.limits import EFFECT_ID, EFFECT_KEY, REPLY_NAME, EffectState

WHAT_CHARACTERS = 500


@dataclass(frozen=True, slots=True)
class Effect:
    """A change that a script made, or was about to make.

    `probe` is what another attempt needs to find out whether it was made, `outcome` what the
    script said about it afterwards. `step` is the number of the step, or None in a script without
    steps. `settled_by` is the run that said last how it ended.
    """

    run_id: str
    n: int
    key: str
    what: str
    probe: Mapping[str, Any]
    state: EffectState
    at: Millis
    step: int | None = None
    step_name: str | None = None
    outcome: Mapping[str, Any] = field(default_factory=dict)
    settled_at: Millis | None = None
    settled_by: str | None = None

    @property
    def id(self) -> str:
        return f"{self.run_id}/{self.n}"


@dataclass(frozen=True, slots=True)
class Intent:
    """A script is about to make a change. `reply` names the pipe for the answer."""

    reply: str
    key: str
    what: str
    probe: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Settlement:
    """How a change ended. `reply` names the pipe for the answer.

    `INTENDED` means that its request ended, but not whether the change was made.
    """

    reply: str
    effect_id: str
    state: EffectState
    outcome: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class HostKeyQuestion:
    """A script asks which host key to expect. `key` is the one that the server shows, if known."""

    reply: str
    address: HostAddress
    key: PublicKey | None


def read_effect(line: str) -> Intent | Settlement | HostKeyQuestion | None:
    """Parse what a script says of a change or asks; None if it can't be read."""
    try:
        said = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(said, dict) or not _fits(REPLY_NAME, said.get("reply")):
        return None
    match said.get("op"):
        case "intend":
            return _intent(said)
        case "settle":
            return _settlement(said)
        case "host_key":
            return _host_key_question(said)
    return None


def _intent(said: Mapping[str, Any]) -> Intent | None:
    key, what, probe = said.get("key"), said.get("what"), said.get("probe")
    if not (_fits(EFFECT_KEY, key) and isinstance(what, str) and isinstance(probe, dict)):
        return None
    return Intent(said["reply"], str(key), what[:WHAT_CHARACTERS], probe)


def _settlement(said: Mapping[str, Any]) -> Settlement | None:
    effect_id, state, outcome = said.get("id"), said.get("state"), said.get("outcome")
    known = {state.value: state for state in EffectState}
    if not (_fits(EFFECT_ID, effect_id) and isinstance(state, str) and isinstance(outcome, dict)):
        return None
    if state not in known:
        return None
    return Settlement(said["reply"], str(effect_id), known[state], outcome)


def _host_key_question(said: Mapping[str, Any]) -> HostKeyQuestion | None:
    address = address_of(said.get("host"), said.get("port"))
    key = read_public_key(said.get("key"))
    if address is None or (key is None and said.get("key") is not None):
        return None
    return HostKeyQuestion(said["reply"], address, key)


def _fits(pattern: Any, text: object) -> bool:
    return isinstance(text, str) and pattern.fullmatch(text) is not None


def touched_steps(runbook: Runbook, effects: Iterable[Effect]) -> frozenset[int]:
    """The numbers of the steps whose changes may be in place, by the names of the steps."""
    names = {effect.step_name for effect in effects if effect.state.is_open}
    return frozenset(n for n, step in enumerate(runbook.steps, start=1) if step.name in names)

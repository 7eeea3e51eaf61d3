"""The engine's side of the journal of effects: each is on disk before the script hears of it."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from runbook import log
from runbook.core.effects import Effect, HostKeyQuestion, Intent, Settlement, read_effect
from runbook.core.run import Run
from runbook.core.ssh.host_key import HostKey
from runbook.core.storable import is_storable, storable
from runbook.core.times import Millis
from runbook.engine.execute.recorder import Recorder
from runbook.engine.process.script_user import Acting, as_ourselves
from runbook.errors import RunbookError, StoreDamagedError
from runbook.script.limits import MOST_EFFECTS, EffectState
from runbook.store.store import Store

_REPLY = os.O_WRONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC


class EffectJournal:
    """Records what the scripts of one run say of their changes, and answers them.

    `earlier` are the changes of earlier attempts; `step_name` gives the name of a step by its
    number. Only the thread that executes the run uses it.
    """

    def __init__(
        self,
        store: Store,
        run: Run,
        worker_id: str,
        recorder: Recorder,
        *,
        earlier: Sequence[Effect],
        step_name: Callable[[int], str],
        clock: Callable[[], Millis],
        acting: Acting = as_ourselves,
    ) -> None:
        """`acting` is for accesses to the run's directory."""
        self._store = store
        self._run = run
        self._worker_id = worker_id
        self._recorder = recorder
        self._effects = {effect.id: effect for effect in earlier}
        self._step_name = step_name
        self._clock = clock
        self._acting = acting
        self._written = 0
        self._told: bytes | None = None

    def hear(self, line: str, folder: Path) -> None:
        """Record what a script says, and answer in the pipe of `folder` that it names."""
        said = read_effect(line)
        if said is None:
            return  # there is no name to answer to
        try:
            answer: Mapping[str, object] = self._answer(said)
        except StoreDamagedError:
            raise
        except RunbookError as error:
            answer = {"error": error.message}
        with self._acting():
            _reply(folder / f"reply-{said.reply}", answer)

    def _answer(self, said: Intent | Settlement | HostKeyQuestion) -> dict[str, str | None]:
        match said:
            case Intent():
                return {"id": self._intend(said)}
            case Settlement():
                self._settle(said)
                return {}
            case HostKeyQuestion():
                return {"key": self._expected_key(said)}

    def _expected_key(self, said: HostKeyQuestion) -> str | None:
        known = self._store.host_keys.of(said.address)
        if known is None and said.key is not None:
            met = HostKey(said.address, said.key, self._clock(), self._run.id)
            known = self._store.host_keys.meet(met)
            log.event(
                "host_key.met",
                run_id=self._run.id,
                address=str(known.address),
                fingerprint=known.key.fingerprint,
            )
        return None if known is None else str(known.key)

    def tell(self, path: Path) -> None:
        """Write the changes that the next script may have to look for, if there are any."""
        # Those of earlier attempts come latest first, our own in the order in which they were made.
        known = list(self._effects.values())
        first_own = len(known) - self._written
        known = [*reversed(known[first_own:]), *known[:first_own]]
        lines = [effect_line(effect) for effect in known if effect.state.is_open]
        data = "".join(f"{line}\n" for line in lines).encode()
        if data == (self._told or b""):
            return
        with self._acting():
            path.unlink(missing_ok=True)
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
        self._told = data

    def _intend(self, said: Intent) -> str:
        if self._run.request.dry_run:
            raise RunbookError("A dry run changes nothing, so it has no changes to record.")
        if self._written >= MOST_EFFECTS:
            raise RunbookError(f"A run can record at most {MOST_EFFECTS} changes.")
        self._check("probe", said.probe)
        step = self._recorder.step
        effect = Effect(
            self._run.id,
            self._written + 1,
            said.key,
            storable(self._recorder.masked(said.what)),
            said.probe,
            EffectState.INTENDED,
            self._clock(),
            step,
            None if step is None else self._step_name(step),
        )
        self._recorder.save()
        self._store.effects.intend(effect, worker_id=self._worker_id)
        self._written += 1
        self._effects[effect.id] = effect
        return effect.id

    def _settle(self, said: Settlement) -> None:
        effect = self._effects.get(said.effect_id)
        if effect is None:
            raise RunbookError("The run has no such change, and neither have earlier attempts.")
        self._check("outcome", said.outcome)
        self._store.effects.settle(
            effect.id,
            said.state,
            said.outcome,
            by_run=self._run.id,
            worker_id=self._worker_id,
        )
        self._effects[effect.id] = replace(effect, state=said.state, outcome=said.outcome)

    def _check(self, what: str, data: Mapping[str, Any]) -> None:
        """It is stored and shown as it is, so it can't contain a secret."""
        try:
            storable, texts = is_storable(data), list(_texts(data))
        except RecursionError:
            raise RunbookError(f"The {what} is nested too deeply.") from None
        if not storable:
            raise RunbookError(f"The {what} contains text that the database can't store.")
        if not all(map(self._recorder.may_keep, texts)):
            raise RunbookError(f"The {what} contains a secret.")


def effect_line(effect: Effect) -> str:
    """What a later script reads of a change."""
    return json.dumps(
        {
            "id": effect.id,
            "key": effect.key,
            "what": effect.what,
            "probe": effect.probe,
            "state": effect.state.value,
            "outcome": effect.outcome,
            "at": effect.at,
            "step": effect.step,
        }
    )


def _texts(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, Mapping):
        return [text for pair in value.items() for item in pair for text in _texts(item)]
    if isinstance(value, list):
        return [text for item in value for text in _texts(item)]
    return []


def _reply(path: Path, answer: Mapping[str, object]) -> None:
    """Answer the script, unless it has stopped listening."""
    with suppress(OSError):
        descriptor = os.open(path, _REPLY)
        try:
            if stat.S_ISFIFO(os.fstat(descriptor).st_mode):
                os.write(descriptor, json.dumps(answer).encode() + b"\n")
        finally:
            os.close(descriptor)

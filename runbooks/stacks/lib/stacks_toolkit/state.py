"""What is remembered of a stack: its scale, and the change that is being made.

It is next to the store of backups, and on disk before each phase begins, so that another run can
end what a killed one has left half done.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from runbook.connectors import backups
from stacks_toolkit.outcomes import Outcome

STATE, LOCK, BEFORE, GOOD = "state.json", "lock", "before.sealed", "good.sealed"


class Kind(StrEnum):
    SCALE = "scale"
    ROLLOUT = "rollout"
    BACKUP = "backup"
    RESTORE = "restore"


class Phase(StrEnum):
    PREPARING = "preparing"
    """Images may be pulled; all containers are as before."""
    CHANGING = "changing"
    """Anything may be changed."""
    WAITING = "waiting"
    """All of it was changed, but it may not be healthy."""
    REVERTING = "reverting"
    """It was decided that it is not to stay."""
    ENDED = "ended"


@dataclass(frozen=True)
class Running:
    """The containers of a service: how many, and the image that they were made from."""

    count: int
    image: str
    image_id: str


@dataclass(frozen=True)
class Change:
    """`before` has the services that had containers, `wanted` how many there are to be of each.

    `scale` is what is to be remembered once it is committed, `scale_before` what was before.
    `commit` is that of the folder's git repository from before; `archive` has the volumes from
    before. `only` is the service that is scaled. `stopped` says how containers are held.
    """

    kind: Kind
    run_id: str
    runbook: str
    requested_by: str
    at: float
    folder: str
    file: str
    phase: Phase
    before: Mapping[str, Running]
    wanted: Mapping[str, int] = field(default_factory=dict)
    scale: Mapping[str, int] = field(default_factory=dict)
    scale_before: Mapping[str, int] = field(default_factory=dict)
    only: str = ""
    commit: str = ""
    archive: str = ""
    stopped: str = ""
    outcome: str = ""
    reason: str = ""

    @property
    def is_open(self) -> bool:
        return self.phase is not Phase.ENDED


@dataclass(frozen=True)
class Known:
    """`scale` has only the services whose count was set."""

    scale: Mapping[str, int] = field(default_factory=dict)
    change: Change | None = None
    rolled_out: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class State:
    """Of one stack on one engine."""

    engine: str
    stack: str

    @property
    def folder(self) -> Path:
        return _root() / self.engine / self.stack

    def known(self) -> Known:
        try:
            found = json.loads((self.folder / STATE).read_text(encoding="utf-8"))
        except FileNotFoundError:
            return Known()
        change = found["change"]
        return Known(found["scale"], change and _change(change), found["rolled_out"])

    def begin(self, kind: Kind, before: Mapping[str, Running], **more: Any) -> Change:
        """Nothing is changed before this returns."""
        source = backups.source_of_run("")
        change = Change(
            kind,
            source.run_id,
            source.runbook,
            source.requested_by,
            time.time(),
            phase=Phase.PREPARING,
            before=before,
            scale_before=self.known().scale,
            **more,
        )
        return self.keep(change)

    def keep(self, change: Change) -> Change:
        self._write(replace(self.known(), change=change))
        return change

    def at(self, change: Change, phase: Phase, **more: Any) -> Change:
        """Go on to this phase: on disk when this returns."""
        return self.keep(replace(change, phase=phase, **more))

    def end(self, change: Change, outcome: Outcome, reason: str) -> Change:
        ended = replace(change, phase=Phase.ENDED, outcome=outcome.value, reason=reason)
        known = replace(self.known(), change=ended)
        if outcome is Outcome.COMMITTED:
            known = replace(known, scale={**known.scale, **change.scale})
            if change.kind is Kind.ROLLOUT:
                rolled_out = {"run_id": change.run_id, "at": time.time()}
                known = replace(known, rolled_out=rolled_out)
        self._write(known)
        return ended

    def remember(self, scale: Mapping[str, int]) -> None:
        known = self.known()
        self._write(replace(known, scale=scale))

    @contextmanager
    def working(self) -> Iterator[None]:
        """As long as this process changes the stack, others can tell."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with (self.folder / LOCK).open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def is_worked_on(self) -> bool:
        try:
            file = (self.folder / LOCK).open("r")
        except FileNotFoundError:
            return False
        with file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
        return False

    # -- configurations, which may contain secrets ------------------------------------------------

    def save_sealed(self, name: str, content: str) -> None:
        sealed = backups.open_store().sealer.seal(content.encode(), self._seal)
        write(self.folder / name, sealed)

    def sealed(self, name: str) -> str:
        """Empty if there is none."""
        try:
            content = (self.folder / name).read_bytes()
        except FileNotFoundError:
            return ""
        return backups.open_store().sealer.open(content, self._seal).decode()

    def forget(self, name: str) -> None:
        (self.folder / name).unlink(missing_ok=True)

    @property
    def _seal(self) -> str:
        return f"stack/{self.engine}/{self.stack}"

    def _write(self, known: Known) -> None:
        text = json.dumps(asdict(known), indent=1, sort_keys=True)
        write(self.folder / STATE, text.encode())


def stacks_of(engine: str) -> list[str]:
    """Those of which something is remembered."""
    return sorted(path.parent.name for path in (_root() / engine).glob(f"*/{STATE}"))


def _root() -> Path:
    return Path(os.environ[backups.FOLDER]) / "stacks"


def _change(found: Mapping[str, Any]) -> Change:
    before = {name: Running(**one) for name, one in found["before"].items()}
    given = {**found, "before": before}
    return Change(**{**given, "kind": Kind(given["kind"]), "phase": Phase(given["phase"])})


def write(path: Path, content: bytes) -> None:
    """Replace a file atomically. It is synced to disk, and only its owner can read it."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    temporary = path.with_name(f"{path.name}.new")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)

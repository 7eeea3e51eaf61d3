"""What is decided of a transaction, next to what is known of the change of each of its devices.

A decision is on disk before it is carried out, so that another run can go on with it.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from pathlib import Path

from mikrotik_toolkit import durable
from mikrotik_toolkit.pending import pending
from runbook.connectors import backups


class Decision(StrEnum):
    OPEN = "open"
    """Nothing is decided, and nothing is confirmed. After a crash, all devices go back."""
    COMMIT = "commit"
    """All of them were verified. Any of them may be confirmed."""
    COMMITTED = "committed"
    """All of them are confirmed. Only an undo takes that back."""
    BACK = "back"
    """All of them go back, also those that are confirmed."""


FOLLOWING: Mapping[Decision, frozenset[Decision]] = {
    Decision.OPEN: frozenset({Decision.COMMIT, Decision.BACK}),
    Decision.COMMIT: frozenset({Decision.COMMITTED, Decision.BACK}),
    Decision.COMMITTED: frozenset({Decision.BACK}),
    Decision.BACK: frozenset(),
}


@dataclass(frozen=True)
class Transaction:
    """`id` is that of the run that began it, and in the name of each revert.

    `script` is a digest. `look_s` is how long it took to look at the slowest device, `margin_s` how
    much time is to be left. `reason` says why it goes back.
    """

    id: str
    script: str
    devices: tuple[str, ...]
    parallel: int
    look_s: float
    margin_s: float
    decision: Decision = Decision.OPEN
    reason: str = ""

    def decide(self, decision: Decision, reason: str = "") -> Transaction:
        """The transaction as it is then, on disk: what was decided before may rule this out."""
        with _alone(self.id):
            known = load(self.id) or self
            if decision not in FOLLOWING[known.decision]:
                return known
            new = replace(known, decision=decision, reason=reason)
            _write(new)
            return new


def begin(new: Transaction) -> Transaction:
    with _alone(new.id):
        _write(new)
    return new


def load(transaction_id: str) -> Transaction | None:
    try:
        found = json.loads(_path(transaction_id).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    told = {"decision": Decision(found["decision"]), "devices": tuple(found["devices"])}
    return Transaction(**{**found, **told})


def open_ones(devices: Iterable[str]) -> list[Transaction]:
    """The transactions that some of these devices are a part of, and that haven't ended there."""
    known = (pending(device) for device in devices)
    ids = dict.fromkeys(one.transaction for one in known if one and one.transaction)
    return [found for found in map(load, ids) if found is not None]


def _write(new: Transaction) -> None:
    durable.write(_path(new.id), json.dumps(asdict(new)))


def _path(transaction_id: str) -> Path:
    return Path(os.environ[backups.FOLDER]) / "transactions" / f"{transaction_id}.json"


@contextmanager
def _alone(transaction_id: str) -> Iterator[None]:
    """Of all processes: two decisions don't cross."""
    path = _path(transaction_id).with_suffix(".lock")
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with path.open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield

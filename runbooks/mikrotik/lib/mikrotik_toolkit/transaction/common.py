"""What the steps of transactions share: how they work on all devices, and how they end."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn, TypeVar

import runbook
from mikrotik_toolkit.checking import digest
from mikrotik_toolkit.outcomes import EXIT_CODES, Outcome, ReasonError, refused, unknown
from mikrotik_toolkit.pending import Pending, last
from mikrotik_toolkit.phases import ENDED
from mikrotik_toolkit.transaction import members, settling
from mikrotik_toolkit.transaction.members import Done, Span, Stop, each
from mikrotik_toolkit.transaction.record import Decision, Transaction, load
from mikrotik_toolkit.transaction.settling import Ended
from runbook.connectors.effects import earlier
from runbook.connectors.routeros import revert

EFFECT_KEY = "mikrotik.transaction"
MEMBERS, TRANSACTION, LOOK_S = "PUSH_MEMBERS", "PUSH_TRANSACTION", "PUSH_LOOK_S"
T = TypeVar("T")


def earlier_one() -> Transaction | None:
    """The transaction of a run that this one retries, resumes or undoes."""
    return next((found for one in recorded_ids() if (found := load(one)) is not None), None)


def recorded_ids() -> list[str]:
    return [str(one.probe.get("transaction", "")) for one in earlier(EFFECT_KEY)]


def mine() -> Transaction | None:
    known = os.environ.get(TRANSACTION)
    return load(known) if known else earlier_one()


def still_open() -> Transaction:
    """The transaction of this run. That of a run which this one resumes is ended here and now."""
    transaction = mine()
    if transaction is None:
        end(Ended(unknown("no_record", "What this run has done isn't recorded"), []))
    is_own = transaction.id == os.environ["RUNBOOK_RUN_ID"]
    if not is_own or transaction.decision is not Decision.OPEN:
        end(settling.settle(transaction))
    return transaction


def is_this(transaction: Transaction) -> bool:
    return transaction.script == digest() and set(transaction.devices) == set(members.given())


def change_of(device: str) -> Pending:
    known = last(device)
    if known is None or known.transaction != os.environ["RUNBOOK_RUN_ID"]:
        raise ReasonError("no_record", "What this run has done isn't recorded")
    return known


def on_each(work: Callable[[str], T], span: Span, stop: Stop | None = None) -> Done[T]:
    return each(members.given(), work, int(os.environ["PARALLEL"]), span, stop or Stop())


def or_refuse(done: Done[Any], phase: str) -> None:
    """Nothing is changed yet: an error refuses the change."""
    rows = done.rows(members.given(), phase)
    if done.errors:
        end(Ended(refused(done.reason, done.text), rows))
    members.tell(rows)


def or_go_back(transaction: Transaction, done: Done[Any], phase: str) -> None:
    members.tell(done.rows(transaction.devices, phase))
    if done.errors:
        print(f"All routers go back. {done.text}", flush=True)
        end(settling.settle(transaction.decide(Decision.BACK, done.reason)))


@contextmanager
def refusing() -> Iterator[None]:
    """Nothing is changed yet: an error refuses the change."""
    try:
        yield
    except ReasonError as error:
        end(Ended(refused(str(error.code), error.message), []))


def end(ended: Ended) -> NoReturn:
    """The run ends, or its other steps have nothing to do."""
    result = ended.result
    if ended.rows:
        members.tell(ended.rows, summary=True)
    if result.outcome is Outcome.COMMITTED:
        runbook.env(ENDED, result.outcome.value)
    result.tell()
    if result.outcome is not Outcome.UNKNOWN:
        close_effects(stays=result.outcome is Outcome.COMMITTED)
    raise SystemExit(EXIT_CODES[result.outcome])


def close_effects(*, stays: bool = False) -> None:
    """What earlier runs have recorded is gone, or `stays`. The reverts are gone in any case."""
    for change in earlier():
        if change.key == EFFECT_KEY and stays:
            change.made()
        elif change.key in (EFFECT_KEY, revert.EFFECT_KEY):
            change.undone()


def look_s() -> float:
    return max(0.5, float(os.environ[LOOK_S]))

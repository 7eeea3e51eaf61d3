"""How runs for one device end a transaction that it is a part of: as a whole, by FleetRecover."""

from __future__ import annotations

import runbook
from mikrotik_toolkit.outcomes import Outcome, Result, unknown
from mikrotik_toolkit.pending import Pending, Phase, last
from mikrotik_toolkit.transaction.record import Decision, Transaction, load
from runbook.errors import RunbookError

RECOVER = "mikrotik/FleetRecover.md"


def settle(change: Pending) -> Result:
    """Carry out what was decided on all devices of its transaction. Says how it ended on this one.

    FleetRecover reaches them all, so the requester of this run must be allowed to use them.
    """
    transaction = load(change.transaction)
    if transaction is None:
        return unknown("no_record", f"The transaction {change.transaction} isn't recorded")
    print(f"It is a part of the transaction {transaction.id}, which is ended first", flush=True)
    told = recover(transaction)
    known = last(change.device)
    if known is None or known.transaction != transaction.id:
        return unknown("no_record", "What was done isn't recorded")
    if known.phase is Phase.ENDED:
        outcome = Outcome(known.outcome)
        return Result(outcome, "transaction", f"The transaction was {outcome} on this router")
    found = load(transaction.id)
    if found is not None and found.decision is Decision.COMMITTED:
        return Result(Outcome.COMMITTED, "committed", "The router has the new configuration")
    return unknown("transaction", told or "The transaction has not ended")


def recover(transaction: Transaction) -> str:
    """Let FleetRecover end it. Returns why it couldn't."""
    try:
        runbook.call(RECOVER, DEVICES=",".join(transaction.devices))
    except RunbookError as error:
        return error.message
    return ""

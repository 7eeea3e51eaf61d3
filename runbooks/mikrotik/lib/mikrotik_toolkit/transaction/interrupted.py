"""Ends transactions that were interrupted, and takes back those that ended."""

from __future__ import annotations

import os

import runbook
from mikrotik_toolkit import current, recovery, saving
from mikrotik_toolkit.outcomes import EXIT_CODES, Outcome, ReasonError, Result, unknown
from mikrotik_toolkit.pending import Phase, last, pending
from mikrotik_toolkit.push import RECOVERS
from mikrotik_toolkit.transaction import common, joining, members, settling
from mikrotik_toolkit.transaction.members import each
from mikrotik_toolkit.transaction.record import Decision, Transaction, load, open_ones
from mikrotik_toolkit.transaction.settling import Ended
from runbook.connectors import routeros


def recover() -> None:
    """FleetRecover: end what was interrupted on these routers."""
    found = open_ones(members.given())
    if not found:
        print("No transaction of these routers is open")
        runbook.output("outcome", _ended_before())
        return
    for transaction in found:
        print(f"The transaction {transaction.id} was interrupted: {transaction.decision}")
        if runbook.dry_run():
            runbook.plan(f"end the transaction {transaction.id}", label="verified")
            continue
        if others := set(transaction.devices) - set(members.given()):
            text = f"The transaction has more routers: select {', '.join(sorted(others))}, too"
            common.end(Ended(unknown("more_devices", text), []))
        ended = settling.settle(transaction)
        runbook.output("transaction", transaction.id)
        members.tell(ended.rows, summary=True)
        ended.result.tell()
        if ended.result.outcome is Outcome.UNKNOWN:
            raise SystemExit(EXIT_CODES[Outcome.UNKNOWN])
        if transaction.id in common.recorded_ids():
            common.close_effects(stays=ended.result.outcome is Outcome.COMMITTED)


def _ended_before() -> str:
    """The outcome of the run that the engine recovers by this one."""
    known = load(os.environ.get(RECOVERS, ""))
    if known is None:
        return "none"
    is_new = known.decision is Decision.COMMITTED
    return (Outcome.COMMITTED if is_new else Outcome.REVERTED).value


def end_earlier() -> None:
    """Changes that were interrupted. One that turns out to be this one isn't made again."""
    devices = members.given()
    if runbook.dry_run():
        for transaction in open_ones(devices):
            runbook.plan(f"end the transaction {transaction.id} first", label="verified")
        return
    recorded = common.earlier_one()
    if recorded is not None and recorded not in open_ones(devices):
        if recorded.decision is Decision.COMMITTED and common.is_this(recorded):
            common.end(settling.settle(recorded))
        common.close_effects()
    for transaction in open_ones(devices):
        print(f"The transaction {transaction.id} was interrupted: {transaction.decision}")
        if set(transaction.devices) <= set(devices):
            ended = settling.settle(transaction)
        else:
            ended = Ended(_by_others(transaction), [])
        if ended.result.outcome is Outcome.UNKNOWN or (
            ended.result.outcome is Outcome.COMMITTED and common.is_this(transaction)
        ):
            common.end(ended)
        common.close_effects()
    common.or_refuse(each(devices, _end_single, int(os.environ["PARALLEL"])), "check")


def _by_others(transaction: Transaction) -> Result:
    """It has routers that this run doesn't reach."""
    if told := joining.recover(transaction):
        return unknown("transaction", told)
    return Result(Outcome.REVERTED, "transaction", "It has ended")


def _end_single(device: str) -> bool:
    """A change by a runbook for one router."""
    known = pending(device)
    if known is not None and not known.transaction:
        result = recovery.settle(known)
        print(f"The change of run {known.run_id} is {result.outcome}: {result.text}", flush=True)
        if result.outcome is Outcome.UNKNOWN:
            raise ReasonError(result.reason, result.text)
    return True


def undo() -> None:
    """Undo: all routers go back, whatever has become of the change."""
    transaction = common.mine()
    if transaction is None:
        print("No router was changed")
        return
    if transaction.decision is Decision.COMMITTED:
        _reopen(transaction)
    ended = settling.settle(transaction.decide(Decision.BACK, "undone"))
    members.tell(ended.rows, summary=True)
    ended.result.tell()
    if ended.result.outcome is Outcome.UNKNOWN:
        raise SystemExit(EXIT_CODES[Outcome.UNKNOWN])
    common.close_effects()


def _reopen(transaction: Transaction) -> None:
    """All routers must have what they got. Until the undo is decided, they count as confirmed."""
    done = each(
        transaction.devices, lambda it: _is_unchanged(transaction, it), transaction.parallel
    )
    if done.errors:
        members.tell(done.rows(transaction.devices, "undo"), summary=True)
        Result(Outcome.REFUSED, done.reason, f"Nothing was undone: {done.text}").end()
    for device in transaction.devices:
        if known := last(device):
            known.at(Phase.CONFIRMED)


def _is_unchanged(transaction: Transaction, device: str) -> bool:
    known = last(device)
    with routeros.connect(current.input_name()) as router:
        is_latest = known is not None and known.transaction == transaction.id
        if known is None or not is_latest or not saving.look(router).same_as(known.after):
            text = "The router was changed again since: use Rollback or Restore"
            raise ReasonError("changed_since", text)
    return True

"""Carries out what was decided on all devices of a transaction, also after a crash: see `settle`.

Nothing is confirmed before the decision is on disk. From then on, either all devices get confirmed
in time, or it is decided, once and for all, that they go back: those that aren't confirmed by their
reverts, the others by their backups from before. Without a decision, all go back.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from mikrotik_toolkit import current, reaching, recovery, saving
from mikrotik_toolkit.outcomes import Outcome, Result, refused, reverted, unknown
from mikrotik_toolkit.pending import Pending, Phase, last
from mikrotik_toolkit.reaching import State, reached
from mikrotik_toolkit.transaction.deciding import Act, Answer, Next, Stand, next_act
from mikrotik_toolkit.transaction.members import Row, Span, each
from mikrotik_toolkit.transaction.record import Decision, Transaction
from runbook.connectors import routeros
from runbook.connectors.backups import Origin
from runbook.connectors.errors import ConnectorError
from runbook.connectors.routeros.revert import Revert
from runbook.connectors.routeros.router import Router
from runbook.errors import RunbookError

RECORD_S = 30.0
"""How long it is tried to back up a device that has been confirmed."""
CONFIRM = Span(80, 88, "Confirmed")
BACK = Span(80, 98, "Back")
RECORD = Span(90, 98, "Recorded")


@dataclass(frozen=True)
class Ended:
    result: Result
    rows: list[Row]


@dataclass(frozen=True)
class Asked:
    """What a device said, with its connection, which is still open, and its revert."""

    answer: Answer
    change: Pending | None = None
    router: Router | None = None
    revert: Revert | None = None
    at: float = 0.0

    @property
    def left_s(self) -> float:
        return self.answer.left_s - (time.monotonic() - self.at)


def settle(transaction: Transaction) -> Ended:
    """End a transaction. The result says what all of its devices have when this returns."""
    if transaction.decision is Decision.OPEN:
        transaction = transaction.decide(Decision.BACK, "interrupted")
    time.sleep(recovery.GRACE_S)  # what was sent before a crash may still be carried out
    if transaction.decision is Decision.COMMIT:
        transaction = carry_out(transaction)
    if transaction.decision is Decision.COMMITTED:
        return record(transaction)
    return go_back(transaction)


def carry_out(transaction: Transaction) -> Transaction:
    """Decide, if that is still open, that the change stays. Until all are confirmed, or go back."""
    waiting: tuple[str, ...] = ()
    while transaction.decision in (Decision.OPEN, Decision.COMMIT):
        with asked(transaction) as found:
            coming = following(transaction, found)
            if coming.act in (Act.CONFIRM, Act.FINISH):
                transaction = transaction.decide(Decision.COMMIT)
            if coming.act is Act.CONFIRM and transaction.decision is Decision.COMMIT:
                confirm(transaction, found)
        if coming.act is Act.FINISH:
            transaction = transaction.decide(Decision.COMMITTED)
        elif coming.act is Act.GO_BACK:
            print(f"All go back ({coming.reason}): {', '.join(coming.devices)}", flush=True)
            transaction = transaction.decide(Decision.BACK, coming.reason)
        elif coming.act is Act.WAIT:
            if coming.devices != waiting:
                print(f"Waiting for {', '.join(coming.devices)}", flush=True)
            waiting = coming.devices
            time.sleep(reaching.PAUSE_S)
    return transaction


def following(transaction: Transaction, found: dict[str, Asked]) -> Next:
    answers = [one.answer for one in found.values()]
    return next_act(answers, transaction.parallel, transaction.look_s, transaction.margin_s)


@contextmanager
def asked(transaction: Transaction) -> Iterator[dict[str, Asked]]:
    """Their connections stay open: confirming all of them then takes the least time."""
    with ExitStack() as stack:
        done = each(
            transaction.devices, lambda it: _asked(transaction, it, stack), transaction.parallel
        )
        for error in done.errors.values():
            raise error
        yield {device: done.results[device] for device in transaction.devices}


def _asked(transaction: Transaction, device: str, stack: ExitStack) -> Asked:
    change = last(device)
    if change is None or change.transaction != transaction.id:
        return Asked(Answer(device, Stand.REVERTED))  # somebody has decided for it alone
    if change.phase is Phase.ENDED:
        stays = change.outcome == Outcome.COMMITTED
        return Asked(Answer(device, Stand.CONFIRMED if stays else Stand.REVERTED), change)
    if change.phase is Phase.CONFIRMED:
        return Asked(Answer(device, Stand.CONFIRMED), change)
    try:
        while True:
            router = routeros.connect(current.input_name())
            stack.callback(router.close)
            now = reaching.state(router, change.run_id)
            is_gone = now.revert is None and not now.seen.same_as(change.before)
            if not is_gone or not reaching.is_firing(router, change.due):
                break
            time.sleep(reaching.PAUSE_S)  # it was confirmed, or it is about to restart
    except ConnectorError:
        return Asked(Answer(device, Stand.AWAY, change.until - time.time()), change)
    answer = Answer(device, stand_of(change, now), now.left_s)
    return Asked(answer, change, router, now.revert, time.monotonic())


def stand_of(change: Pending, now: State) -> Stand:
    """Of a change that was verified."""
    if now.revert is not None:
        return Stand.ARMED if now.left_s > 0 else Stand.REVERTED
    if now.seen.same_as(change.after):
        return Stand.CONFIRMED
    has_gone = now.seen.same_as(change.before) or recovery.restarted(change, now)
    return Stand.REVERTED if has_gone else Stand.CONFIRMED


def confirm(transaction: Transaction, found: dict[str, Asked]) -> None:
    """Cancel the reverts. Whatever goes wrong shows when the devices are asked again."""
    armed = [device for device, one in found.items() if one.answer.stand is Stand.ARMED]
    each(armed, lambda device: _confirm(found[device]), transaction.parallel, CONFIRM)


def _confirm(one: Asked) -> None:
    if one.change is None or one.router is None or one.revert is None:
        return
    if one.left_s <= recovery.LEAST_LEFT_S:
        return
    is_gone = one.router.cancel_rollback(one.revert)
    if is_gone and one.left_s > 0:  # otherwise it may have fired at the same moment
        one.change.at(Phase.CONFIRMED)


# -- what was decided is carried out --------------------------------------------------------------


def record(transaction: Transaction) -> Ended:
    """All devices are confirmed: back them up, with the run as the source."""
    done = each(transaction.devices, _recorded, transaction.parallel, RECORD)
    rows = [
        Row(
            it,
            "committed",
            "recorded" if it in done.results else "confirmed",
            _why(done.errors, it),
        )
        for it in transaction.devices
    ]
    text = f"{len(rows)} routers have the new configuration"
    return Ended(Result(Outcome.COMMITTED, "committed", text), rows)


def _recorded(device: str) -> bool:
    change = last(device)
    if change is None or change.phase is Phase.ENDED:
        return True
    with reached(time.time() + RECORD_S) as router:
        seen = saving.look(router)
        reaching.remove_leftovers(router)
        source = change.source
        saving.save(router, seen, Origin.RUN, device=device, step="Apply", source=source)
    change.at(Phase.CONFIRMED, after=seen.fingerprint).ended(Outcome.COMMITTED)
    return True


def go_back(transaction: Transaction) -> Ended:
    """All at once, as each mostly waits: for its restart, or until its revert is due."""
    devices = transaction.devices
    done = each(devices, lambda device: _gone_back(transaction, device), len(devices), BACK)
    failed = {
        device: unknown(str(error.code), error.message) for device, error in done.errors.items()
    }
    results = {device: {**done.results, **failed}[device] for device in devices}
    rows = [Row(it, one.outcome, one.reason, one.text) for it, one in results.items()]
    return Ended(_together(transaction, results), rows)


def _gone_back(transaction: Transaction, device: str) -> Result:
    change = last(device)
    if change is None or change.transaction != transaction.id:
        return refused("never_armed", "Nothing was changed")
    if change.phase is Phase.ENDED:
        return Result(Outcome(change.outcome), "ended_before", f"It was {change.outcome} already")
    if change.phase is Phase.CONFIRMED and (result := _changed_since(change)):
        return result
    if change.phase is Phase.ARMING:
        result = recovery.settle(change)
        if result.outcome is Outcome.REVERTED:
            return refused(result.reason, "Nothing was changed")
        return result
    result = recovery.settle(change.at(Phase.REVERTING))
    if result.outcome is Outcome.UNKNOWN and result.reason == "not_reverted":
        # A request to confirm it, sent before, may have arrived late.
        result = recovery.settle(change.at(Phase.REVERTING))
    return result


def _changed_since(change: Pending) -> Result | None:
    """Why a router that was confirmed can't go back: what somebody did since would be lost."""
    patience = max(change.until, time.time()) + reaching.BOOT_S
    try:
        with reached(
            patience, "Waiting for the router to take its confirmed change back"
        ) as router:
            seen = saving.look(router)
    except ConnectorError as error:
        return unknown(error.code, f"The router can't be reached: {error.message}")
    if seen.same_as(change.before) or seen.same_as(change.after):
        return None
    return unknown("changed_since", "The router was changed again since it was confirmed")


def _together(transaction: Transaction, results: dict[str, Result]) -> Result:
    found = {one.outcome for one in results.values()}
    reason = transaction.reason
    if Outcome.UNKNOWN in found:
        names = ", ".join(it for it, one in results.items() if one.outcome is Outcome.UNKNOWN)
        return unknown(reason, f"The others went back, but nobody can tell what {names} has")
    if Outcome.COMMITTED in found:
        names = ", ".join(it for it, one in results.items() if one.outcome is Outcome.COMMITTED)
        text = f"Somebody decided that {names} keep the change; the others went back"
        return Result(Outcome.UNKNOWN, "kept", text)
    if found == {Outcome.REFUSED}:
        return refused(reason, f"Nothing was changed ({reason})")
    return reverted(reason, f"All routers have the configuration from before ({reason})")


def _why(errors: Mapping[str, RunbookError], device: str) -> str:
    error = errors.get(device)
    return f"Not backed up since: {error.message}" if error else ""

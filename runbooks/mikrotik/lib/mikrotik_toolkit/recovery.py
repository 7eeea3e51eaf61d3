"""Ends changes that haven't ended, and says truthfully how: see `settle`."""

from __future__ import annotations

import time
from datetime import timedelta
from enum import StrEnum

from mikrotik_toolkit import current, reaching, saving
from mikrotik_toolkit.outcomes import Outcome, Result, reverted, unknown
from mikrotik_toolkit.pending import Pending, Phase
from mikrotik_toolkit.reaching import BOOT_S, BROKEN, PAUSE_S, State, is_firing, reached
from mikrotik_toolkit.transaction import joining
from runbook.connectors.backups import DamagedError, Origin
from runbook.connectors.errors import ConnectorError
from runbook.connectors.routeros.router import Router

LEAST_LEFT_S = 3.0
"""A revert that is due so soon is not cancelled: nobody could tell which came first."""
GRACE_S = 2.0
"""In which a request that was sent before a crash may still be carried out."""
QUIET_S = 10.0
"""A router that was told to restart does so within this time."""
WHOLE = (Phase.APPLIED, Phase.VERIFIED, Phase.CONFIRMING)


class Wish(StrEnum):
    AUTOMATIC = "automatic"
    """What was applied as a whole stays, anything else goes."""
    KEEP = "keep"
    """What the router has now stays."""
    BACK = "go back"
    """The router goes back to the configuration from before."""


def settle(change: Pending, wish: Wish = Wish.AUTOMATIC) -> Result:
    """End a change. Nothing is assumed: the result says what the router has when this returns."""
    if change.transaction and wish is Wish.AUTOMATIC and not current.one_of_several():
        return joining.settle(change)
    patience = max(change.until, time.time()) + BOOT_S
    unverified = change.phase is Phase.APPLIED and change.checks
    if change.phase is Phase.ARMING:
        time.sleep(GRACE_S)
    elif wish is Wish.BACK or (wish is Wish.AUTOMATIC and unverified):
        change = change.at(Phase.REVERTING)
    while True:
        try:
            if change.phase is Phase.RESTORING and wish is Wish.AUTOMATIC:
                return settle_restored(change, patience)
            return _settled(change, patience, wish)
        except ConnectorError as error:
            if time.time() >= patience:
                return unknown(error.code, f"The router can't be reached: {error.message}")
            print(error.message, flush=True)  # it may be restarting
        time.sleep(PAUSE_S)


def _settled(change: Pending, patience: float, wish: Wish) -> Result:
    keeps = wish is Wish.KEEP or change.phase in WHOLE
    while True:
        with reached(patience) as router:
            now = reaching.state(router, change.revert_of)
            if now.revert and now.left_s <= LEAST_LEFT_S:
                pass  # it is due, or it has fired: the router restarts
            elif (
                not now.revert and not has_gone_back(change, now) and is_firing(router, change.due)
            ):
                pass
            elif now.revert and keeps:
                return confirm(change, router, now)
            elif now.revert and change.phase is Phase.ARMING:
                return never_applied(change, router, now)
            elif now.revert:
                return go_back(change, router, now)
            else:
                return _without_revert(change, router, now, wish)
        if time.time() >= patience:
            return unknown("stuck", "The revert has fired, but the router didn't restart")
        time.sleep(PAUSE_S)


def has_gone_back(change: Pending, now: State) -> bool:
    return now.seen.same_as(change.before)


def _without_revert(change: Pending, router: Router, now: State, wish: Wish) -> Result:
    """The revert has fired, or was cancelled, or was never armed."""
    is_old = now.seen.same_as(change.before)
    if wish is Wish.KEEP or (
        change.phase is Phase.CONFIRMING and (not is_old or change.before == change.after)
    ):
        return _committed(change, router, now)
    if is_old:
        reaching.remove_leftovers(router)
        return _reverted(change, "reverted")
    if change.phase is Phase.ARMING:
        return never_applied(change, router, now)
    undone = change.phase is Phase.REVERTING and change.after and now.seen.same_as(change.after)
    if not undone and restarted(change, now):
        text = "The router went back to the configuration from before, and was changed since"
        change.ended(Outcome.REVERTED)
        return reverted("changed_since", text)
    if wish is Wish.BACK or undone:  # nobody else's changes get lost
        return go_back(change, router, now)
    return unknown("revert_lost", "The revert is gone, but the router has not gone back")


def restarted(change: Pending, now: State) -> bool:
    """Whether it has since the revert was armed. If the entry is gone, the backup was loaded."""
    if not change.due:
        return False
    return now.booted > reaching.moment(change.due) - timedelta(seconds=change.seconds)


def settle_restored(change: Pending, patience: float) -> Result:
    """A backup was loaded, or was not: the router restarts for it."""
    quiet_since = time.time()
    while True:
        with reached(patience) as router:
            now = reaching.state(router, change.revert_of)
            is_old = now.seen.same_as(change.before)
            is_new = now.seen.same_as(change.after) or not (is_old or change.after)
            if now.revert and now.left_s <= LEAST_LEFT_S:
                pass  # it is due, or it has fired: the router restarts
            elif now.revert and is_new and not change.checks:
                return confirm(change, router, now)
            elif now.revert and not is_old:
                return go_back(change, router, now)
            elif is_new:
                return _committed(change, router, now)
            elif not is_old:
                text = "The router has neither the old configuration nor the restored one"
                return unknown("neither", text)
            elif time.time() - quiet_since > QUIET_S:
                reaching.remove_leftovers(router)
                return _reverted(change, "not_restored")
        if time.time() >= patience:
            return unknown("stuck", "The revert has fired, but the router didn't restart")
        time.sleep(PAUSE_S)


def never_applied(change: Pending, router: Router, now: State) -> Result:
    if now.revert is not None and not router.cancel_rollback(now.revert):
        return wait_for_revert(change)
    return _reverted(change, "never_applied")


def _reverted(change: Pending, reason: str) -> Result:
    change.ended(Outcome.REVERTED)
    return reverted(reason, "The router has the configuration from before")


def confirm(change: Pending, router: Router, now: State) -> Result:
    """Cancel the revert. The result says which of the two was faster."""
    change = change.at(Phase.CONFIRMING, after=now.seen.fingerprint)
    if now.revert is None or not router.cancel_rollback(now.revert):
        return settle(change)
    return _committed(change, router, now)


def _committed(change: Pending, router: Router, now: State) -> Result:
    reaching.remove_leftovers(router)
    saving.save(
        router, now.seen, Origin.RUN, device=change.device, step="Apply", source=change.source
    )
    change.at(Phase.CONFIRMING, after=now.seen.fingerprint).ended(Outcome.COMMITTED)
    return Result(Outcome.COMMITTED, "committed", "The router has the new configuration")


def go_back(change: Pending, router: Router, now: State, reason: str = "reverted") -> Result:
    """Let the router load the backup from before at once, rather than when the revert is due.

    Raises ConnectorError if the connection breaks, so that nobody knows: settle the change then.
    Also if it seems to have that configuration: an import may still go on, which the restart ends.
    """
    if now.revert is None and change.address not in ("", str(router.address)):
        text = f"Its address was {change.address} then, and is {router.address} now"
        return unknown("moved", f"{text}: it may be another router. Set the address back")
    change = change.at(Phase.REVERTING)
    try:
        if now.revert is not None and now.revert.file:
            reaching.load(router, now.revert.file)
        else:
            reaching.load_stored(router, change.device, change.commit)
    except DamagedError as error:
        return unknown(str(error.code), f"The router can't go back: {error.message}")
    except ConnectorError as error:
        if now.revert is None and error.code in BROKEN:
            raise
        if now.revert is None:
            return unknown(error.code, f"The router can't go back: {error.message}")
    return wait_for_revert(change, reason)


def wait_for_revert(change: Pending, reason: str = "reverted") -> Result:
    """Until the router has the configuration from before."""
    patience = max(change.until, time.time()) + BOOT_S
    text = "Waiting for the router to go back"
    while True:
        try:
            with reached(patience, text, is_expected=True) as router:
                now = reaching.state(router, change.revert_of)
                if now.seen.same_as(change.before) and now.revert is None:
                    reaching.remove_leftovers(router)
                    return _reverted(change, reason)
        except ConnectorError as error:
            if time.time() >= patience:
                return unknown(error.code, f"The router can't be reached: {error.message}")
        if time.time() >= patience:
            return unknown("not_reverted", "The router has not gone back")
        time.sleep(PAUSE_S)


def restore_before(change: Pending) -> Result:
    """Undo a change that was committed: load the backup from before."""
    with reached(time.time()) as router:
        seen = saving.look(router)
        if seen.same_as(change.before):
            change.ended(Outcome.REVERTED)
            return reverted("reverted", "The router has the configuration from before")
        if not seen.same_as(change.after):
            text = "The router was changed again since: use Rollback or Restore"
            return Result(Outcome.REFUSED, "changed_since", text)
        change = change.at(Phase.REVERTING)
        try:
            reaching.load_stored(router, change.device, change.commit)
        except (ConnectorError, DamagedError) as error:
            if isinstance(error, ConnectorError) and error.code in BROKEN:
                return unknown(error.code, error.message)
            change.ended(Outcome.COMMITTED)
            return Result(Outcome.REFUSED, str(error.code), error.message)
    result = wait_for_revert(change)
    if result.outcome is Outcome.REVERTED:
        with reached(time.time()) as router:
            seen = saving.look(router)
            saving.save(router, seen, Origin.RUN, device=change.device, step="Undo")
    return result

"""The steps of Push. Each may be killed at any time: see recovery.settle for what comes then."""

from __future__ import annotations

import os
import time

import runbook
from mikrotik_toolkit import checking, reaching, recovery, saving
from mikrotik_toolkit.outcomes import EXIT_CODES, Outcome, Result, refused
from mikrotik_toolkit.pending import Pending, Phase, last, pending
from mikrotik_toolkit.phases import (
    AFTER,
    BEFORE,
    COMMIT,
    EFFECT_KEY,
    close_effects,
    end,
    mine,
    missing,
    refusing,
    safely,
    said,
    step,
)
from mikrotik_toolkit.reaching import BROKEN, PAUSE_S, ROUTER, reached
from mikrotik_toolkit.recovery import LEAST_LEFT_S, Wish, settle
from runbook.connectors import backups, routeros
from runbook.connectors.backups import Origin
from runbook.connectors.effects import earlier, effect
from runbook.connectors.errors import ConnectorError
from runbook.connectors.routeros.router import Router

RECOVERS = "RUNBOOK_RECOVERS"
"""The run for which the engine starts PushRecover; not set if a person does."""


# -- before anything is changed ------------------------------------------------------------------


@step(2, "Checking the router")
def check() -> None:
    """Reachable, a known version, and able to revert by itself. Earlier changes are ended first."""
    end_earlier(checking.digest())
    with refusing():
        checking.not_empty()
        with routeros.connect(ROUTER) as router:
            checking.examine(router)


def end_earlier(script: str) -> None:
    """A change that was interrupted. One that turns out to be this one isn't made again."""
    device = saving.device_name(ROUTER)
    ended, recorded = last(device), [one.run_id for one in earlier(EFFECT_KEY)]
    if ended and ended.phase is Phase.ENDED and ended.run_id in recorded:
        # This run retries one that has died before it could say how it ended.
        if ended.outcome == Outcome.COMMITTED and ended.script == script:
            end(said(ended))
        close_effects()
    known = pending(device)
    if known is None:
        return
    if runbook.dry_run():
        runbook.plan(f"end the change of run {known.run_id} first", label="verified")
        return
    print(f"The change of run {known.run_id} was interrupted while {known.phase}", flush=True)
    result = settle(known)
    print(f"It is {result.outcome}: {result.text}", flush=True)
    if result.outcome is Outcome.UNKNOWN or (
        result.outcome is Outcome.COMMITTED and known.script == script
    ):
        end(result)
    close_effects()


@step(10, "Backing up")
def back_up() -> None:
    if runbook.dry_run():
        return
    device, store = saving.device_name(ROUTER), backups.open_store()
    with refusing(), routeros.connect(ROUTER) as router:
        seen = saving.look(router, store)
        saved = saving.save(router, seen, Origin.SEEN, device=device, step="Back up", store=store)
    print(f"Version {saved.commit[:12]} of {device}" + ("" if saved.is_new else ", as stored"))
    runbook.env(BEFORE, seen.fingerprint)
    runbook.env(COMMIT, saved.commit)
    runbook.output("before", saved.commit)


@step(25, "Validating")
def validate() -> None:
    with refusing():
        checking.allowed()
        with routeros.connect(ROUTER) as router:
            checking.validate(router)
    checking.tell_sections()


@step(35, "Removing stale reverts")
def clear_stale() -> None:
    with refusing(), routeros.connect(ROUTER) as router:
        checking.clear_stale(router)


@step(40, "Arming the revert")
def arm() -> None:
    if runbook.dry_run():
        runbook.plan(f"revert after {checking.seconds()} s unless confirmed", label="assumed")
        return
    device = saving.device_name(ROUTER)
    if pending(device) is not None:
        mine()  # this step is tried again, or this run resumes another one
    with refusing(), routeros.connect(ROUTER) as router:
        change = checking.begin(router, device, os.environ[BEFORE], os.environ[COMMIT])
        try:
            with effect(f"change {device}", key=EFFECT_KEY, probe={"commit": change.commit}):
                change = checking.arm(router, change)
        except ConnectorError as error:
            result = settle(change)
            if result.outcome is Outcome.UNKNOWN:
                result.end()
            raise error from None
        print(f"The router goes back at {change.due} by its clock, unless the change is confirmed")


def disarm() -> None:
    """Undo: the router goes back to what it had, whatever has become of the change."""
    device = saving.device_name(ROUTER)
    known = pending(device)
    if known is not None:
        result = settle(known, Wish.BACK)
    else:
        result = recovery.restore_before(_committed(device))
    result.tell()
    if result.outcome is not Outcome.REVERTED:
        raise SystemExit(EXIT_CODES[result.outcome] or 1)
    close_effects()


def _committed(device: str) -> Pending:
    """The change of the run that is undone, which has ended."""
    before, commit = os.environ.get(BEFORE, ""), os.environ.get(COMMIT, "")
    ended = last(device)
    if ended and (ended.before, ended.commit) == (before, commit):
        return ended
    source = backups.source_of_run("Apply")
    return Pending(
        device=device,
        run_id=source.run_id,
        runbook=source.runbook,
        requested_by=source.requested_by,
        phase=Phase.ENDED,
        script="",
        before=before,
        commit=commit,
        until=time.time(),
        seconds=0,
        after=os.environ.get(AFTER, ""),
        outcome=Outcome.COMMITTED.value,
    )


# -- the change ----------------------------------------------------------------------------------


@step(50, "Applying")
def apply() -> None:
    if runbook.dry_run():
        return
    change = mine()
    with safely(change), routeros.connect(ROUTER) as router:
        now = reaching.state(router, change.revert_of)
        if now.revert is None or now.left_s <= LEAST_LEFT_S:
            end(settle(change))
        change = change.at(Phase.APPLYING)
        # A router that is cut off says nothing until it goes back. Short, for narrow terminals.
        runbook.progress(50, f"Applying. Reverts at {change.due} if cut off")
        try:
            router.apply(checking.script())
        except ConnectorError as error:
            if error.code in BROKEN:
                print(error.message, flush=True)
                end(recovery.wait_for_revert(change.at(Phase.REVERTING), "cut_off"))
            end(_import_failed(change, router, error))
        change.at(Phase.APPLIED)


def _import_failed(change: Pending, router: Router, error: ConnectorError) -> Result:
    """The router has ended the import: what came before the error is applied."""
    print(error.message, flush=True)
    now = reaching.state(router, change.revert_of)
    if not now.seen.same_as(change.before):
        return recovery.go_back(change, router, now, "import_failed")
    if now.revert is None or not router.cancel_rollback(now.revert):
        return recovery.wait_for_revert(change.at(Phase.REVERTING), "import_failed")
    change.ended(Outcome.REFUSED)
    return refused("import_failed", error.message)


@step(70, "Verifying")
def verify() -> None:
    """By a new connection. Until it succeeds or the router has gone back."""
    if runbook.dry_run():
        return
    change = mine()
    with safely(change):
        while True:
            with reached(change.until + reaching.BOOT_S, "The router can't be reached") as router:
                now = reaching.state(router, change.revert_of)
                if now.revert is None and now.seen.same_as(change.before):
                    end(recovery.wait_for_revert(change, "cut_off"))
                if now.revert is None:
                    end(recovery.go_back(change, router, now, "revert_lost"))
                if now.left_s > LEAST_LEFT_S:
                    if reason := missing(router):
                        end(recovery.go_back(change, router, now, reason))
                    change.at(Phase.VERIFIED, after=now.seen.fingerprint)
                    return
            time.sleep(PAUSE_S)  # too late: it is about to go back


@step(85, "Confirming")
def confirm() -> None:
    if not runbook.dry_run():
        confirm_change()


def confirm_change() -> None:
    change = mine()
    with safely(change), routeros.connect(ROUTER) as router:
        now = reaching.state(router, change.revert_of)
        if now.revert is None or now.left_s <= LEAST_LEFT_S:
            end(settle(change))
        change = change.at(Phase.CONFIRMING)
        if not router.cancel_rollback(now.revert):
            end(settle(change))
        print("The revert is gone: the change stays")


@step(95, "Recording")
def record() -> None:
    if runbook.dry_run():
        return
    end(settle(mine()))


# -- after a crash -------------------------------------------------------------------------------


def recover() -> None:
    """PushRecover: end the change of this router, whichever run made it."""
    known, asked = last(saving.device_name(ROUTER)), os.environ.get(RECOVERS, "")
    recorded = {one.run_id for one in earlier(EFFECT_KEY)}
    if known is None or (known.phase is Phase.ENDED and asked not in (known.run_id, *recorded, "")):
        _nothing_began(asked)
        return
    runbook.output("run", known.run_id)
    if known.phase is Phase.ENDED:
        print(f"No change is open. The last one, of run {known.run_id}, was {known.outcome}")
        runbook.output("outcome", known.outcome)
        outcome = Outcome(known.outcome)
    else:
        print(f"The change of run {known.run_id} was interrupted while {known.phase}", flush=True)
        if runbook.dry_run():
            runbook.plan(f"end the change of run {known.run_id}", label="verified")
            return
        result = settle(known, Wish(os.environ.get("DECISION") or Wish.AUTOMATIC))
        result.tell()
        outcome = result.outcome
    if outcome is Outcome.UNKNOWN:
        raise SystemExit(EXIT_CODES[outcome])
    if known.run_id in recorded:
        close_effects(stays=outcome is Outcome.COMMITTED)


def _nothing_began(asked: str) -> None:
    """Before it arms a revert, a run records its change in two places: here, it is in neither."""
    if not asked:
        print("No change of this router was interrupted")
        runbook.output("outcome", "none")
        return
    runbook.output("run", asked)
    refused("never_began", f"Run {asked} has changed nothing").tell()

"""The steps of Restore and Rollback: a router gets the binary backup of an earlier version.

A binary backup brings back everything, with users and passwords, and no timer survives it but the
one that it brings itself: see guarding. One that has none, and may lock us out, is refused before.
"""

from __future__ import annotations

import os
import time

import runbook
from mikrotik_toolkit import guarding, reaching, recovery, risks, saving
from mikrotik_toolkit.outcomes import Outcome, refused, unknown
from mikrotik_toolkit.pending import Pending, Phase, pending
from mikrotik_toolkit.phases import (
    BEFORE,
    COMMIT,
    EFFECT_KEY,
    checks,
    end,
    mine,
    missing,
    refusing,
    safely,
    step,
)
from mikrotik_toolkit.push import confirm_change, end_earlier
from mikrotik_toolkit.reaching import ROUTER, reached
from runbook.connectors import backups, routeros
from runbook.connectors.backups import BackupStore, DamagedError
from runbook.connectors.effects import effect
from runbook.connectors.errors import ConnectorError
from runbook.connectors.routeros.router import Router

TARGET = "RESTORE_COMMIT"
STEP = "Restore"


def chosen(store: BackupStore, device: str, fingerprint: str) -> str:
    """The commit to go to: the one that was asked for, or the one before the latest change."""
    if wanted := os.environ.get("VERSION"):
        return store.version(device, wanted).commit
    history = store.history(device)
    if not history:
        refused("no_backup", f"{device} has no backup").end()
    is_stored = store.facts(device).get("fingerprint") == fingerprint
    if not is_stored:
        return history[0].commit
    if len(history) == 1:
        refused("no_backup", f"{device} has only the backup of what it has now").end()
    return history[1].commit


@step(5, "Checking the router and the backup")
def check() -> None:
    device, store = saving.device_name(ROUTER), backups.open_store()
    with refusing(), routeros.connect(ROUTER) as router:
        seen = saving.look(router, store)
        commit = chosen(store, device, seen.fingerprint)
        end_earlier(commit)
        facts = store.facts(device, commit)
        store.binary(device, commit)
        if facts.get("model") != router.board:
            text = f"The backup is of the model {facts.get('model')}, this is {router.board}"
            refused("other_model", text).end()
        print(f"Version {commit[:12]} of {device}, of RouterOS {facts.get('version')}")
        if facts.get("version") != str(router.version):
            print(f"The router has RouterOS {router.version} now")
    runbook.env(TARGET, commit)


@step(15, "Comparing")
def preview() -> None:
    device, store = saving.device_name(ROUTER), backups.open_store()
    with refusing(), routeros.connect(ROUTER) as router:
        target = store.export(device, os.environ[TARGET])
        found = risks.changes(saving.look(router, store).export, target)
        warned = list(risks.warnings(found, router.address.host))
    for change in found:
        _say(str(change))
        for text in change.added:
            print(f"  + {text}")
        for text in change.removed:
            print(f"  - {text}")
    for one in warned:
        _say(f"warning: {one.text}" + (" (may lock us out)" if one.lockout else ""))
    _say("Users, their passwords and other secrets come back as they were then")
    runbook.output("risk", "high" if any(one.is_risky for one in found) else "low")
    if not any(one.lockout for one in warned):
        return
    text = "The router may not be reachable afterwards"
    if store.facts(device, os.environ[TARGET]).get(guarding.GUARD):
        _say(f"{text}; then it goes back by itself")
    elif os.environ.get("ACCEPT_RISK") != "true":
        text = f"{text}, and the backup can't bring a revert. Accept the risk if you know better"
        if runbook.dry_run():
            print(text)
        else:
            refused("risky", text).end()


def _say(text: str) -> None:
    if runbook.dry_run():
        runbook.plan(text, label="verified")
    else:
        print(text)


@step(40, "Arming the revert")
def arm() -> None:
    """If the backup brings the guard: see guarding. Refused if there is nothing to do."""
    device, store = saving.device_name(ROUTER), backups.open_store()
    commit = os.environ[TARGET]
    facts = store.facts(device, commit)
    if runbook.dry_run():
        if facts.get(guarding.GUARD):
            runbook.plan(f"revert after {guarding.AFTER_S} s unless confirmed", label="assumed")
        return
    if pending(device) is not None:
        mine()  # this step is tried again
    source = backups.source_of_run(STEP)
    with refusing(), routeros.connect(ROUTER) as router:
        seen = saving.look(router, store)
        if not seen.same_as(os.environ[BEFORE]):
            refused("changed_meanwhile", "Somebody has changed the router since the backup").end()
        is_same_version = facts.get("version") == str(router.version)
        after = facts.get("fingerprint", "") if is_same_version else ""
        if after and seen.same_as(after):
            refused("nothing_to_do", "The router has this configuration already").end()
        change = Pending(
            device=device,
            run_id=source.run_id,
            runbook=source.runbook,
            requested_by=source.requested_by,
            phase=Phase.ARMING,
            address=str(router.address),
            script=commit,
            before=seen.fingerprint,
            commit=os.environ[COMMIT],
            until=time.time(),
            seconds=0,
            checks=checks(),
            after=after,
            step=STEP,
            guard=bool(facts.get(guarding.GUARD)),
        ).at(Phase.ARMING)
        if not change.guard:
            print("The backup can't bring a revert: nothing reverts what comes")
            return
        guarding.place(router)
        print(f"The router goes back {guarding.AFTER_S} s after it has restarted, unless confirmed")


@step(50, "Restoring")
def load() -> None:
    if runbook.dry_run():
        return
    change = mine()
    until = time.time() + (guarding.AFTER_S + reaching.BOOT_S if change.guard else 0)
    with safely(change), routeros.connect(ROUTER) as router:
        change = change.at(Phase.RESTORING, until=until)
        try:
            with effect(
                f"restore {change.device}", key=EFFECT_KEY, probe={"commit": change.script}
            ):
                reaching.load_stored(router, change.device, change.script)
        except (ConnectorError, DamagedError) as error:
            print(error.message, flush=True)
            result = recovery.settle(change)
            if result.outcome is Outcome.REVERTED:
                result = refused(str(error.code), error.message)
            end(result)
    print("The router restarts with the backup")


@step(70, "Verifying")
def verify() -> None:
    """By a new connection, once it has restarted. Until it succeeds or the router has gone back."""
    if runbook.dry_run():
        return
    change = mine()
    patience = max(change.until, time.time()) + reaching.BOOT_S
    while True:
        try:
            with reached(patience) as router:
                now = reaching.state(router, change.revert_of)
                if not now.seen.same_as(change.before):
                    _verified(change, router, now)
                    return
                if change.guard and not guarding.is_placed(router):
                    end(recovery.wait_for_revert(change, "cut_off"))
        except ConnectorError as error:
            if time.time() >= patience:
                end(unknown(str(error.code), f"The router can't be reached: {error.message}"))
        if time.time() >= patience:
            return
        time.sleep(reaching.PAUSE_S)


def _verified(change: Pending, router: Router, now: reaching.State) -> None:
    if now.revert and now.left_s <= recovery.LEAST_LEFT_S:
        end(recovery.settle(change))
    if checks() and (reason := missing(router)):
        end(recovery.go_back(change, router, now, reason))
    if now.revert:
        change.at(Phase.VERIFIED, after=now.seen.fingerprint)


@step(85, "Confirming")
def confirm() -> None:
    """Without a guard, nothing reverts it."""
    if not runbook.dry_run() and mine().phase is Phase.VERIFIED:
        confirm_change()


@step(95, "Recording")
def record() -> None:
    if runbook.dry_run():
        return
    end(recovery.settle(mine()))

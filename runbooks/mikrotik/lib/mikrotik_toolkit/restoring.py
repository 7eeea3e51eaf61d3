"""The steps of Restore and Rollback: a router gets the binary backup of an earlier version.

A binary backup brings back everything, with users and passwords, and no timer survives it. So what
may lock us out is refused before, and the result is verified by a new connection.
"""

from __future__ import annotations

import os
import time

import runbook
from mikrotik_toolkit import reaching, recovery, risks, saving
from mikrotik_toolkit.outcomes import Outcome, refused, unknown
from mikrotik_toolkit.pending import Pending, Phase
from mikrotik_toolkit.phases import (
    BEFORE,
    COMMIT,
    checks,
    end,
    mine,
    missing,
    refusing,
    step,
)
from mikrotik_toolkit.push import end_earlier
from mikrotik_toolkit.reaching import ROUTER, reached
from runbook.connectors import backups, routeros
from runbook.connectors.backups import BackupStore
from runbook.connectors.errors import ConnectorError

TARGET = "RESTORE_COMMIT"


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
    if any(one.lockout for one in warned) and os.environ.get("ACCEPT_RISK") != "true":
        text = "The router may not be reachable afterwards. Accept the risk if you know better"
        if runbook.dry_run():
            print(text)
        else:
            refused("risky", text).end()


def _say(text: str) -> None:
    if runbook.dry_run():
        runbook.plan(text, label="verified")
    else:
        print(text)


@step(50, "Restoring")
def load() -> None:
    if runbook.dry_run():
        return
    device, store = saving.device_name(ROUTER), backups.open_store()
    commit = os.environ[TARGET]
    source = backups.source_of_run("Restore")
    facts = store.facts(device, commit)
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
            phase=Phase.RESTORING,
            script=commit,
            before=seen.fingerprint,
            commit=os.environ[COMMIT],
            until=time.time(),
            seconds=0,
            checks=checks(),
            after=after,
        ).at(Phase.RESTORING)
        try:
            reaching.load_stored(router, device, commit)
        except ConnectorError as error:
            print(error.message, flush=True)
            result = recovery.settle(change)
            if result.outcome is Outcome.REVERTED:
                result = refused(str(error.code), error.message)
            end(result)
    print("The router restarts with the backup")


@step(70, "Verifying")
def verify() -> None:
    """By a new connection, once it has restarted."""
    if runbook.dry_run():
        return
    change = mine()
    patience = time.time() + reaching.BOOT_S
    while True:
        try:
            with reached(patience) as router:
                now = reaching.state(router, change.run_id)
                if not now.seen.same_as(change.before):
                    if checks() and (reason := missing(router)):
                        end(recovery.go_back(change, router, now, reason))
                    return
        except ConnectorError as error:
            if time.time() >= patience:
                end(unknown(str(error.code), f"The router can't be reached: {error.message}"))
        if time.time() >= patience:
            return
        time.sleep(reaching.PAUSE_S)


@step(95, "Recording")
def record() -> None:
    if runbook.dry_run():
        return
    end(recovery.settle(mine()))

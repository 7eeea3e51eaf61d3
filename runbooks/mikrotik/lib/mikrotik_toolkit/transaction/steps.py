"""The steps of FleetPush. Each may be killed at any time: see `settling`."""

from __future__ import annotations

import json
import os
import time

import runbook
from mikrotik_toolkit import checking, current, reaching, recovery, saving
from mikrotik_toolkit.outcomes import ReasonError, unknown
from mikrotik_toolkit.pending import Phase
from mikrotik_toolkit.phases import missing, step
from mikrotik_toolkit.reaching import BROKEN
from mikrotik_toolkit.transaction import common, deciding, interrupted, members, settling
from mikrotik_toolkit.transaction.members import Row, Span, Stop
from mikrotik_toolkit.transaction.record import Decision, Transaction, begin, open_ones
from mikrotik_toolkit.transaction.settling import Ended
from runbook.connectors import backups, routeros
from runbook.connectors.backups import Origin
from runbook.connectors.effects import effect
from runbook.connectors.errors import ConnectorError

MOST_DEVICES = 200


# -- before anything is changed ------------------------------------------------------------------


@step(1, "Checking the routers")
def check() -> None:
    """Reachable, and able to revert by themselves. What was interrupted before is ended first."""
    with common.refusing():
        checking.not_empty()
        if len(members.given()) > MOST_DEVICES:
            text = f"At most {MOST_DEVICES} routers can be changed together"
            raise ReasonError("too_many", text)
    interrupted.end_earlier()
    common.or_refuse(common.on_each(_check, Span(1, 8, "Checked")), "check")


def _check(_device: str) -> bool:
    with routeros.connect(current.input_name()) as router:
        checking.examine(router)
    return True


@step(8, "Backing up")
def back_up() -> None:
    done = common.on_each(_back_up, Span(8, 25, "Backed up"))
    common.or_refuse(done, "back up")
    taken = {device: one[:2] for device, one in done.results.items()}
    runbook.env(common.MEMBERS, json.dumps(taken))
    runbook.env(common.LOOK_S, max(float(one[2]) for one in done.results.values()))


def _back_up(device: str) -> tuple[str, str, float]:
    """The fingerprint, the commit, and how long it took to look."""
    store, began = backups.open_store(), time.monotonic()
    with routeros.connect(current.input_name()) as router:
        seen = saving.look(router, store)
        took = time.monotonic() - began
        if runbook.dry_run():
            return seen.fingerprint, "", took
        saved = saving.save(router, seen, Origin.SEEN, device=device, step="Back up", store=store)
    return seen.fingerprint, saved.commit, took


@step(25, "Validating")
def validate() -> None:
    with common.refusing():
        checking.allowed()
    common.or_refuse(common.on_each(_validate, Span(25, 35, "Validated")), "validate")
    checking.tell_sections()


def _validate(device: str) -> bool:
    with routeros.connect(current.input_name()) as router:
        checking.validate(router)
        if runbook.dry_run():
            runbook.plan(f"change {device}", label="verified")
    return True


@step(35, "Arming the reverts")
def arm() -> None:
    devices, parallel, look_s = members.given(), int(os.environ["PARALLEL"]), common.look_s()
    margin_s = float(os.environ["MARGIN"])
    needed_s = deciding.needed_s(len(devices), parallel, look_s, margin_s)
    print(f"{needed_s:.0f} s are needed for {len(devices)} routers, {parallel} at once")
    due_s = checking.seconds()
    with common.refusing():
        if needed_s > due_s:
            text = f"The reverts would be due after {due_s} s, but {needed_s:.0f} s are needed"
            raise ReasonError("too_short", f"{text}. Set REVERT_AFTER, or PARALLEL, higher")
    if runbook.dry_run():
        runbook.plan(f"revert after {due_s} s unless all are confirmed", label="assumed")
        return
    for begun in open_ones(devices):  # this step is tried again, or this run resumes another
        common.end(settling.settle(begun))
    transaction = begin(
        Transaction(
            os.environ["RUNBOOK_RUN_ID"],
            checking.digest(),
            tuple(devices),
            parallel,
            look_s,
            margin_s,
        )
    )
    runbook.env(common.TRANSACTION, transaction.id)
    probe = {"transaction": transaction.id}
    with effect(f"change {len(devices)} routers", key=common.EFFECT_KEY, probe=probe):
        done = common.on_each(_arm, Span(35, 50, "Armed"))
    common.or_go_back(transaction, done, "arm")


def _arm(device: str) -> bool:
    before, commit = json.loads(os.environ[common.MEMBERS])[device]
    transaction = os.environ["RUNBOOK_RUN_ID"]
    with routeros.connect(current.input_name()) as router:
        checking.clear_stale(router)
        checking.arm(router, checking.begin(router, device, before, commit, transaction))
    return True


# -- the change ----------------------------------------------------------------------------------


@step(50, "Applying")
def apply() -> None:
    if not runbook.dry_run():
        transaction = common.still_open()
        common.or_go_back(transaction, common.on_each(_apply, Span(50, 62, "Applied")), "apply")


def _apply(device: str) -> bool:
    change = common.change_of(device)
    with routeros.connect(current.input_name()) as router:
        armed, left_s, _ = reaching.timer(router, change.run_id)
        if armed is None or left_s <= recovery.LEAST_LEFT_S:
            raise ReasonError("revert_lost", "The revert is gone, or due already")
        change = change.at(Phase.APPLYING)
        try:
            router.apply(checking.script())
        except ConnectorError as error:
            code = "cut_off" if error.code in BROKEN else "import_failed"
            raise ReasonError(code, error.message) from None
        change.at(Phase.APPLIED)
    return True


@step(62, "Verifying")
def verify() -> None:
    """By new connections. Until they succeed, or it is too late to confirm all of them."""
    if runbook.dry_run():
        return
    transaction, stop = common.still_open(), Stop()
    done = common.on_each(
        lambda device: _verify(transaction, device, stop), Span(62, 78, "Verified"), stop
    )
    common.or_go_back(transaction, done, "verify")


def _verify(transaction: Transaction, device: str, stop: Stop) -> bool:
    change = common.change_of(device)
    reserve_s = transaction.margin_s + deciding.confirm_s(
        len(transaction.devices), transaction.parallel, transaction.look_s
    )
    while True:
        try:
            with routeros.connect(current.input_name()) as router:
                now = reaching.state(router, change.run_id)
                if now.revert is None:
                    raise ReasonError("revert_lost", "The revert is gone, or has fired")
                if reason := missing(router):
                    raise ReasonError(reason, "What has to be reached can't be any more")
                change.at(Phase.VERIFIED, after=now.seen.fingerprint)
                return True
        except ConnectorError as error:
            print(error.message, flush=True)
            if stop.is_set() or time.time() > change.until - reserve_s:
                raise ReasonError("cut_off", error.message) from None
        time.sleep(reaching.PAUSE_S)


@step(78, "Confirming")
def confirm() -> None:
    """All routers are asked once more, and it is decided. Then no router decides alone."""
    if runbook.dry_run():
        return
    transaction = settling.carry_out(common.still_open())
    if transaction.decision is not Decision.COMMITTED:
        common.end(settling.settle(transaction))
    members.tell([Row(device, "committed", "confirmed") for device in transaction.devices])
    print("No revert is armed any more: the change stays")


@step(90, "Recording")
def record() -> None:
    if runbook.dry_run():
        return
    transaction = common.mine()
    if transaction is None:
        common.end(Ended(unknown("no_record", "What this run has done isn't recorded"), []))
    common.end(settling.settle(transaction))

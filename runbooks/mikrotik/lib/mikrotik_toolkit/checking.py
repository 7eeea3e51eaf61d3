"""What Push and FleetPush do alike with a router before the change: up to arming its revert.

What is in the way is raised as a ReasonError, which refuses the change: nothing is changed yet.
"""

from __future__ import annotations

import hashlib
import json
import os
import time

import runbook
from mikrotik_toolkit import current, given, reaching, saving, stale
from mikrotik_toolkit.forbidden import first_forbidden, may_change_clock
from mikrotik_toolkit.outcomes import ReasonError
from mikrotik_toolkit.pending import Pending, Phase
from mikrotik_toolkit.phases import checks
from runbook.connectors import backups
from runbook.connectors.routeros import rsc
from runbook.connectors.routeros.config import Finding
from runbook.connectors.routeros.router import Router

# -- the change ----------------------------------------------------------------------------------


def script() -> str:
    return os.environ["CHANGE"]


def digest() -> str:
    return hashlib.sha256(json.dumps(script()).encode()).hexdigest()


def seconds() -> int:
    """After which a router goes back."""
    return given.whole("REVERT_AFTER", 600)


def not_empty() -> None:
    if not rsc.parse(script()).commands:
        raise ReasonError("empty", "The change has no commands")


def allowed() -> None:
    if (forbidden := first_forbidden(script())) is not None:
        raise ReasonError("forbidden", f"line {forbidden.line}: {forbidden.message}")


def tell_sections() -> None:
    """What the change does, per menu."""
    for section in rsc.parse(script()).sections:
        counts = f"{section.add} add, {section.set} set, {section.remove} remove"
        text = f"{section.path}: {counts}, {section.other} other"
        if runbook.dry_run():
            runbook.plan(text, label="assumed")
        else:
            print(text)


# -- a router ------------------------------------------------------------------------------------


def examine(router: Router) -> None:
    """A known version, and able to revert by itself."""
    print(f"{router.board}, RouterOS {router.version}, at {router.address}")
    for obstacle in router.revert_obstacles():
        raise ReasonError(obstacle.code, obstacle.message)
    saving.report(current.input_name(), router)


def validate(router: Router) -> None:
    found = router.validate(script())
    texts = [_placed(one) for one in found.findings]
    for text in texts:
        print(text)
    if texts:
        raise ReasonError("invalid_script", texts[0])
    who = f"RouterOS {router.version}" if found.by_router else "our own parser"
    print(f"{who} finds no mistake")


def _placed(found: Finding) -> str:
    return f"line {found.line or '?'}: {found.message}"


def clear_stale(router: Router) -> None:
    """A timer of another change must not fire amid this one, or later."""
    for one in stale.reverts(router, saving.device_name(current.input_name())):
        if runbook.dry_run():
            runbook.plan(f"remove the stale revert {one.name}", label="verified")
            continue
        router.cancel_rollback(one)
        print(f"Removed the stale revert {one.name}, which was due at {one.at}")
    if not runbook.dry_run():
        reaching.remove_leftovers(router)


def begin(router: Router, device: str, before: str, commit: str, transaction: str = "") -> Pending:
    """The change of this run, on disk; unless the router isn't as it was backed up any more."""
    if not saving.look(router).same_as(before):
        raise ReasonError("changed_meanwhile", "Somebody has changed it since the backup")
    source = backups.source_of_run("Apply")
    return Pending(
        device=device,
        run_id=os.environ["RUNBOOK_RUN_ID"],
        runbook=source.runbook,
        requested_by=source.requested_by,
        phase=Phase.ARMING,
        script=digest(),
        before=before,
        commit=commit,
        until=time.time() + seconds(),
        seconds=seconds(),
        checks=checks(),
        transaction=transaction,
        address=str(router.address),
    ).at(Phase.ARMING)


def arm(router: Router, change: Pending) -> Pending:
    by_job = may_change_clock(script())
    armed = router.arm_rollback(change.run_id, change.seconds, clock_may_change=by_job)
    return change.at(Phase.ARMING, due=armed.at, until=time.time() + change.seconds)

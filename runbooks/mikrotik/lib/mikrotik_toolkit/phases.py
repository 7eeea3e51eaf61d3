"""What the steps of changes share: how they end, and what must be reached afterwards."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import NoReturn

import runbook
from mikrotik_toolkit import current, saving
from mikrotik_toolkit.outcomes import EXIT_CODES, Outcome, Result, refused, unknown
from mikrotik_toolkit.pending import Pending, Phase, last, pending
from mikrotik_toolkit.reaching import ROUTER
from mikrotik_toolkit.recovery import settle
from runbook.connectors import backups, ssh
from runbook.connectors.effects import earlier
from runbook.connectors.errors import ConnectorError
from runbook.connectors.routeros import revert
from runbook.connectors.routeros.router import Router
from runbook.errors import RunbookError

EFFECT_KEY = "mikrotik.change"
ENDED = "PUSH_ENDED"
BEFORE, COMMIT, AFTER = "PUSH_BEFORE", "PUSH_COMMIT", "PUSH_AFTER"


def step(percent: float, text: str) -> Callable[[Callable[[], None]], Callable[[], None]]:
    """A step of a push: with progress, and nothing to do if an earlier attempt was ended."""

    def decorate(work: Callable[[], None]) -> Callable[[], None]:
        @wraps(work)
        def stepped() -> None:
            if os.environ.get(ENDED):
                print("An earlier attempt has ended: nothing is left to do")
                return
            runbook.progress(percent, text)
            try:
                work()
            except KeyboardInterrupt:
                stopped()
                raise

        return stepped

    return decorate


def stopped() -> None:
    """Somebody cancels the run, or its time is over: what isn't confirmed is not to stay."""
    if current.DEVICES in os.environ:
        return  # a transaction without a decision goes back anyway
    known = pending(saving.device_name(ROUTER))
    is_mine = known is not None and known.run_id == os.environ["RUNBOOK_RUN_ID"]
    if known is not None and is_mine and known.phase in (Phase.APPLIED, Phase.VERIFIED):
        known.at(Phase.REVERTING)


def mine() -> Pending:
    """The change of this run. That of a run which this one resumes is ended here and now."""
    known = last(saving.device_name(ROUTER))
    if known is None or known.commit != os.environ[COMMIT]:
        end(unknown("no_record", "What this run has done isn't recorded"))
    if known.phase is Phase.ENDED:
        end(said(known))
    if known.run_id != os.environ["RUNBOOK_RUN_ID"]:
        end(settle(known))
    return known


def said(ended: Pending) -> Result:
    return Result(Outcome(ended.outcome), "ended_before", f"It was {ended.outcome} already")


def end(result: Result) -> NoReturn:
    """The run ends, or its other steps have nothing to do."""
    if result.outcome is Outcome.COMMITTED:
        device = saving.device_name(ROUTER)
        if known := last(device):  # what an undo needs, also if another run has made the change
            runbook.env(BEFORE, known.before)
            runbook.env(COMMIT, known.commit)
            runbook.env(AFTER, known.after)
        runbook.env(ENDED, result.outcome.value)
        runbook.output("after", backups.open_store().latest(device) or "")
    result.tell()
    if result.outcome is not Outcome.UNKNOWN:
        close_effects(stays=result.outcome is Outcome.COMMITTED)
    raise SystemExit(EXIT_CODES[result.outcome])


def close_effects(*, stays: bool = False) -> None:
    """What this run, or one that it goes on from, has recorded is gone, or `stays`.

    The revert is gone in any case.
    """
    for change in earlier():
        if change.key == EFFECT_KEY and stays:
            change.made()
        elif change.key in (EFFECT_KEY, revert.EFFECT_KEY):
            change.undone()


@contextmanager
def refusing() -> Iterator[None]:
    """Nothing is changed yet: an error refuses the change."""
    try:
        yield
    except RunbookError as error:
        refused(str(error.code), error.message).end()


@contextmanager
def safely(change: Pending) -> Iterator[None]:
    """An error of the connection: the change is ended from what the router has."""
    try:
        yield
    except ConnectorError as error:
        print(error.message, flush=True)
        end(settle(pending(change.device) or change))


# -- what must be reached -------------------------------------------------------------------------


def checks() -> bool:
    """Whether a new connection alone doesn't verify the change."""
    return bool(os.environ.get("VANTAGE") or os.environ.get("PING"))


def missing(router: Router) -> str:
    """What can't be reached any more, as a reason; empty if everything can."""
    for address in filter(None, map(str.strip, os.environ.get("PING", "").split(","))):
        rows = router.call("/ping", {"address": address, "count": "3"}, reads=True)
        if not any(int(row.get("received") or 0) for row in rows):
            print(f"The router doesn't reach {address} any more")
            return "ping"
    if os.environ.get("VANTAGE") and not _seen_from_vantage(router):
        return "vantage"
    return ""


def _seen_from_vantage(router: Router) -> bool:
    address = os.environ.get("VANTAGE_ADDRESS") or router.address.host
    port = router.address.port
    host = shlex.quote(address)
    inner = shlex.quote(f"exec 3<>/dev/tcp/{address}/{port}")
    command = f"nc -z -w 5 {host} {port} || timeout 5 bash -c {inner}"
    try:
        with ssh.connect("VANTAGE") as server:
            is_seen = server.run(command, reads=True, timeout=30).exit_status == 0
    except ConnectorError as error:
        print(f"The second vantage point can't tell: {error.message}")
        return False
    word = "can" if is_seen else "can't"
    print(f"{address}:{port} {word} be reached from the second vantage point")
    return is_seen

"""Reverts of other runs on a router: those that are stale are removed, those in use are not."""

from __future__ import annotations

from collections.abc import Iterator

from mikrotik_toolkit import guarding, reaching
from mikrotik_toolkit.outcomes import ReasonError
from mikrotik_toolkit.pending import Phase, of_run
from runbook.connectors.routeros.revert import Revert
from runbook.connectors.routeros.router import Router
from runbook.connectors.routeros.versions import read_moment

LONGEST_S = 7200
"""No run arms a revert for longer."""
LATE_S = 300
"""A router that was off when it was due goes back some minutes later."""


def reverts(router: Router, device: str) -> Iterator[Revert]:
    """Those that nothing needs any more. Raises ReasonError if one is in use."""
    found = router.reverts()
    for one in found:
        if _is_in_use(one, device, router):
            text = (
                f"{router.address}: another run is changing it: it has the revert {one.name}. "
                "Is it in the inventory twice? Wait for that run or, if there is none, remove the "
                "entry from /system scheduler"
            )
            raise ReasonError("busy", text)
    yield from found


def _is_in_use(one: Revert, device: str, router: Router) -> bool:
    if one.run_id == guarding.GUARD:
        return guarding.is_placed(router)  # without its file, it does nothing
    if one.run_count:
        return False  # it has fired
    known = of_run(one.run_id)
    if known is not None:
        return known.device != device and known.phase is not Phase.ENDED
    # Another server may have armed it: its records aren't here.
    clock = router.print("/system/clock")[0]
    now = read_moment(clock["date"], clock["time"])
    left_s = (reaching.moment(one.at) - now).total_seconds()
    return -LATE_S < left_s <= LONGEST_S

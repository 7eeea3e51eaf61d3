"""Connections to a router that may be away for a while, and its revert."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from mikrotik_toolkit import current, guarding, saving
from mikrotik_toolkit.saving import RESTORED, Seen
from runbook.connectors import backups, routeros
from runbook.connectors.errors import ConnectorError, ErrorCode
from runbook.connectors.routeros.revert import PREFIX, Revert
from runbook.connectors.routeros.router import Router
from runbook.connectors.routeros.versions import read_moment

ROUTER = current.ROUTER
BOOT_S = 300.0
"""How long a router may take to restart."""
FIRING_S = 10
"""A router restarts within this time after its revert has fired."""
PAUSE_S = 0.5
BROKEN = frozenset({ErrorCode.TIMEOUT, ErrorCode.UNREACHABLE, ErrorCode.TRUNCATED})
"""Nobody knows whether the command was executed."""


@dataclass(frozen=True)
class State:
    """What a router says of itself. `revert` is that of one run."""

    seen: Seen
    revert: Revert | None
    left_s: float
    """Until the revert is due, by the router's clock; 0 without one, or if it has fired."""
    booted: datetime
    """By the router's clock."""


@contextmanager
def reached(
    until: float, text: str = "Waiting for the router", *, is_expected: bool = False
) -> Iterator[Router]:
    """A new connection, tried until this moment, in seconds since the epoch.

    Then the last error is raised. If errors are expected until then, they aren't shown: their
    advice would mislead.
    """
    said = False
    while True:
        try:
            router = routeros.connect(current.input_name())
            break
        except ConnectorError as error:
            if time.time() >= until:
                raise
            if not said:
                print(text if is_expected else f"{text}: {error.message}", flush=True)
                said = True
        time.sleep(PAUSE_S)
    with router:
        yield router


def state(router: Router, run_id: str) -> State:
    """Raises ConnectorError."""
    if run_id == guarding.GUARD:
        return _guarded(router)
    seen = saving.look(router)
    revert, left, now = timer(router, run_id)
    uptime = router.print("/system/resource", properties=("uptime",))[0]["uptime"]
    return State(seen, revert, left, now - timedelta(seconds=_seconds(uptime)))


def timer(router: Router, run_id: str) -> tuple[Revert | None, float, datetime]:
    """The revert of a run, for how long, and the time of the router. Raises ConnectorError."""
    name = f"{PREFIX}{run_id}"
    revert = next((one for one in router.reverts() if one.name == name), None)
    clock = router.print("/system/clock")[0]
    now = read_moment(clock["date"], clock["time"])
    left = 0.0
    if revert and not revert.run_count:
        left = max(0.0, (moment(revert.at) - now).total_seconds())
    return revert, left, now


def _guarded(router: Router) -> State:
    """With the guard as the revert, which is due some time after the router has started."""
    seen, revert = saving.look(router), guarding.armed(router)
    clock = router.print("/system/clock")[0]
    uptime = _seconds(router.print("/system/resource", properties=("uptime",))[0]["uptime"])
    booted = read_moment(clock["date"], clock["time"]) - timedelta(seconds=uptime)
    is_due = revert is None or bool(revert.run_count)
    return State(seen, revert, 0.0 if is_due else max(0.0, guarding.AFTER_S - uptime), booted)


def is_firing(router: Router, due: str) -> bool:
    """Whether a revert that is gone may have fired just now: the router is about to restart."""
    if not due:
        return False
    clock = router.print("/system/clock")[0]
    late = read_moment(clock["date"], clock["time"]) - moment(due)
    return timedelta(0) <= late < timedelta(seconds=FIRING_S)


def moment(text: str) -> datetime:
    """Date and time as the router writes them."""
    return read_moment(*text.split(" ", 1))


_UNITS = {"w": 604_800, "d": 86_400, "h": 3600, "m": 60, "s": 1}


def _seconds(uptime: str) -> int:
    return sum(
        int(number) * _UNITS[unit] for number, unit in re.findall(r"(\d+)([wdhms])(?!s)", uptime)
    )


def load(router: Router, file: str) -> None:
    """Let it load a binary backup without a password. The router restarts.

    Raises ConnectorError if it refuses; the answer may get lost in the restart.
    """
    try:
        router.call("/system/backup/load", {"name": file, "password": ""})
    except ConnectorError as error:
        if error.code not in BROKEN:
            raise


def load_stored(router: Router, device: str, commit: str) -> None:
    """Upload a stored backup, and let the router load it. Raises ConnectorError, DamagedError."""
    content = backups.open_store().binary(device, commit)
    file = saving.put_backup(router, content)
    try:
        load(router, file)
    except ConnectorError:
        with suppress(ConnectorError):
            router.remove_file(file)
        raise


def remove_leftovers(router: Router) -> None:
    """Remove backups that restores, and reverts that have fired, have left: they hold secrets."""
    with suppress(ConnectorError):
        rows = router.print("/file", properties=("name", "last-modified", "creation-time"))
        names = [row.get("name", "") for row in rows]
        for name in _forgotten(router, rows):
            router.remove_file(name)
        reverts = router.reverts()
        for one in reverts:
            if one.name == guarding.NAME and one.file not in names:
                router.cancel_rollback(one)  # a backup has brought it, and there is no use for it
        armed = {one.file for one in reverts}
        for name in names:
            is_ours = name.removeprefix("flash/").startswith((PREFIX, RESTORED))
            if is_ours and name not in armed:
                router.remove_file(name)


_TEMPORARY = re.compile(r"(flash/)?runbook-[0-9a-f]{12}\.(rsc|backup)")
FORGOTTEN_S = 3600


def _forgotten(router: Router, rows: list[dict[str, str]]) -> Iterator[str]:
    """Exports, scripts and backups that runs were killed amid. Newer ones may be in use."""
    clock = router.print("/system/clock")[0]
    before = read_moment(clock["date"], clock["time"]) - timedelta(seconds=FORGOTTEN_S)
    for row in rows:
        at = row.get("last-modified") or row.get("creation-time") or ""
        if at and _TEMPORARY.fullmatch(row.get("name", "")) and moment(at) < before:
            yield row["name"]

"""The revert on a router's own clock: it undoes what isn't confirmed, whatever becomes of us.

An entry of the scheduler, named after the run, fires once at a time of the router's clock. It loads
a backup that was saved before the changes, which restarts the router, or imports a script. The
backup doesn't have the entry, so that it can't fire again; in the other case, it removes itself.

A change of the clock would also change when that is. If one may come, a job of the router waits the
same time, whatever the clock says, and does the same if the entry is still there.
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from runbook.connectors.effects import effect
from runbook.connectors.errors import ConnectorError, ErrorCode
from runbook.connectors.routeros import config
from runbook.connectors.routeros.versions import read_moment, write_date, write_time

if TYPE_CHECKING:
    from runbook.connectors.routeros.device import Device

PREFIX = "runbook-revert-"
EFFECT_KEY = "routeros.revert"
COMMENT = "Undoes changes that were not confirmed"
POLICIES = ("ftp", "reboot", "read", "write", "policy", "test")
"""What loading a backup needs. Only a user who has all of them may add such an entry."""
SHORTEST_S = 10
AGAIN = "2m"
"""A router that was off when it was due goes back this much after its start at the latest.

It never does so twice: it restarts without the entry, or the entry has removed itself.
"""
LATE_S = 20
"""So long after the entry would the job go back: usually, the router restarts before."""
SCHEDULER = "/system/scheduler"
_RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


class Hindrance(StrEnum):
    POLICY = "policy"
    DEVICE_MODE = "device_mode"


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Why a revert can't be armed, or would not run."""

    code: Hindrance
    message: str


@dataclass(frozen=True, slots=True)
class Revert:
    """A revert on a router.

    `at` is by the router's clock, as it writes it; `next_run` is empty once it has fired. `file` is
    what it loads or imports.
    """

    id: str
    name: str
    run_id: str
    at: str
    next_run: str
    run_count: int
    file: str


def obstacles(router: Device) -> tuple[Obstacle, ...]:
    """Empty if nothing is in the way, as far as the router lets us see."""
    return (*_policies_missing(router), *_device_mode(router))


def _policies_missing(router: Device) -> tuple[Obstacle, ...]:
    try:
        users = router.print("/user", where={"name": router.username}, properties=("group",))
        groups = [
            row
            for user in users
            for row in router.print("/user/group", where={"name": user["group"]})
        ]
    except ConnectorError as error:
        if error.code is not ErrorCode.REFUSED:
            raise
        text = f"{router.username} may not read the users, so it lacks the policy `policy`"
        return (Obstacle(Hindrance.POLICY, text),)
    # Users of RADIUS are in no list: what they may do shows when the revert is armed.
    missing = [
        policy
        for group in groups
        for policy in POLICIES
        if policy not in group.get("policy", "").split(",")
    ]
    if not missing:
        return ()
    text = f"{router.username} lacks {', '.join(missing)}, which a revert needs"
    return (Obstacle(Hindrance.POLICY, text),)


def _device_mode(router: Device) -> tuple[Obstacle, ...]:
    try:
        rows = router.print("/system/device-mode")
    except ConnectorError as error:
        if error.code in (ErrorCode.INVALID, ErrorCode.NOT_FOUND, ErrorCode.DEVICE_ERROR):
            return ()  # an older version
        raise
    if not any(row.get("scheduler") in ("false", "no") for row in rows):
        return ()
    text = "device-mode doesn't allow the scheduler: /system/device-mode/update scheduler=yes"
    return (Obstacle(Hindrance.DEVICE_MODE, text),)


def arm(
    router: Device, run_id: str, seconds: int, script: str | None, *, clock_may_change: bool = False
) -> Revert:
    """Save the state, and let the router go back to it in so many seconds of its clock.

    With `script`, it imports this script instead, without a restart. What the run has armed before
    is replaced. Raises `conflict` if there are reverts of other runs: the backup would have them.
    """
    if not _RUN_ID.fullmatch(run_id):
        raise ValueError(f"{run_id!r} is not the ID of a run")
    if seconds < SHORTEST_S:
        raise ValueError(f"a revert needs at least {SHORTEST_S} seconds")
    stale = armed(router, run_id)
    if stale:
        text = f"{router.address} has reverts of other runs: {', '.join(it.name for it in stale)}"
        raise ConnectorError(text, ErrorCode.CONFLICT, nothing_changed=True)
    for mine in armed(router, None):
        cancel(router, mine)
    name = PREFIX + run_id
    probe = {"connection": router.name, "scheduler": name}
    with effect(f"arm a revert on {router.name}", key=EFFECT_KEY, probe=probe) as change:
        file = _kept(router, name, script)
        try:
            at = _add(router, name, seconds, _event(name, file))
        except ConnectorError:
            with suppress(ConnectorError):
                router.remove_file(file)
            raise
        change.outcome.update(file=file, at=at)
    if router.dry_run:
        return Revert("", name, run_id, at, at, 0, file)
    made = _checked(router, name, file)
    if clock_may_change:
        # By SSH, as later the change itself; without it, the entry does it alone.
        with suppress(ConnectorError):
            router.console(f":execute script={_quoted(_job(made, seconds))}")
    return made


def _job(armed: Revert, seconds: int) -> str:
    """Waits a little longer than the entry. By its time, an entry that is armed anew is another."""
    time = armed.at.rpartition(" ")[2]
    there = f'[:len [/system scheduler find name="{armed.name}" start-time={time}]] > 0'
    action = _action(armed.file)
    return f":delay {seconds + LATE_S}s; :if ({there}) do={{ {action} }}"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$")
    return f'"{escaped}"'


def _checked(router: Device, name: str, file: str) -> Revert:
    """The revert as it is on the router, where others may have worked at the same time."""
    found = armed(router, None)
    mine = next((it for it in found if it.name == name), None)
    if mine is None:
        text = f"{router.address}: the revert isn't in the scheduler after it was added"
        raise ConnectorError(text, ErrorCode.DEVICE_ERROR)
    others = [it.name for it in found if it is not mine]
    if others:
        cancel(router, mine)
        text = f"{router.address}: another run has armed its revert meanwhile: {', '.join(others)}"
        raise ConnectorError(text, ErrorCode.CONFLICT, nothing_changed=True)
    if not config.has_file(router, file):
        cancel(router, mine)
        text = f"{router.address}: {file}, which the revert needs, is gone"
        raise ConnectorError(text, ErrorCode.DEVICE_ERROR)
    return mine


def cancel(router: Device, one: Revert) -> bool:
    """Remove a revert and its file. False if it wasn't there any more: it may have fired.

    The entry goes first: without it, nothing fires.
    """
    rows = router.print(SCHEDULER, where={"name": one.name}, properties=(".id",))
    router.remove(SCHEDULER, *(row[".id"] for row in rows))
    if rows and not router.dry_run:
        left = router.print(SCHEDULER, where={"name": one.name}, properties=(".id",))
        if left:
            text = f"{router.address}: the revert {one.name} could not be removed"
            raise ConnectorError(text, ErrorCode.DEVICE_ERROR)
    if one.file:
        router.remove_file(one.file)
    return bool(rows)


def armed(router: Device, but: str | None) -> tuple[Revert, ...]:
    """The reverts on the router, without those of the run `but`."""
    rows = router.print(SCHEDULER)
    found = (_revert_of(row) for row in rows if row.get("name", "").startswith(PREFIX))
    return tuple(one for one in found if one.run_id != but)


def _kept(router: Device, name: str, script: str | None) -> str:
    if script is None:
        return config.backup(router, name, password="")
    file = config.persistent(router, f"{name}.rsc")
    router.put(file, script.encode())
    return file


def _add(router: Device, name: str, seconds: int, event: str) -> str:
    clock = router.print("/system/clock")[0]
    moment = read_moment(clock["date"], clock["time"]) + timedelta(seconds=seconds)
    date, time = write_date(moment, like=clock["date"]), write_time(moment)
    given = {
        "name": name,
        "start-date": date,
        "start-time": time,
        "interval": AGAIN,
        "on-event": event,
        "policy": ",".join(POLICIES),
        "comment": COMMENT,
    }
    router.add(SCHEDULER, given)
    return f"{date} {time}"


def _action(file: str) -> str:
    if file.endswith(".rsc"):
        return f'/import file-name="{file}"'
    # Asked for a password also by a backup that has none.
    return f'/system backup load name="{file}" password=""'


def _event(name: str, file: str) -> str:
    return (
        f':do {{ {_action(file)} }} on-error={{ :log error "{name} failed" }}; '
        f'/system scheduler remove [find name="{name}"]'
    )


def _revert_of(row: dict[str, str]) -> Revert:
    event = row.get("on-event", "")
    _, _, rest = event.partition('name="')
    return Revert(
        row[".id"],
        row["name"],
        row["name"].removeprefix(PREFIX),
        f"{row.get('start-date', '')} {row.get('start-time', '')}".strip(),
        row.get("next-run", ""),
        int(row.get("run-count") or 0),
        rest.partition('"')[0],
    )

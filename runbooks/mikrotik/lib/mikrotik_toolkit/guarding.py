"""The guard: a revert that survives the load of a backup, as the backup itself brings it.

A backup replaces the whole scheduler, so no revert that is armed before outlives it. Therefore
backups are saved while the scheduler has the guard. Some minutes after the router has started, it
loads a certain file, if there is one, and removes itself. Restore saves what the router has to that
file, loads the backup, and removes the guard once everything is as it must be. For anybody else
who loads such a backup, the file isn't there, and the guard does nothing.

The file gets another name before it is loaded: it is never loaded twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from runbook.connectors.errors import ConnectorError, ErrorCode
from runbook.connectors.routeros.config import persistent
from runbook.connectors.routeros.revert import POLICIES, PREFIX, SCHEDULER, Revert
from runbook.connectors.routeros.router import Router

GUARD = "guard"
"""In the place of the ID of a run. Of the facts of a backup, the one that says that it has it."""
NAME = f"{PREFIX}{GUARD}"
FIRED = f"{PREFIX}fired"
AFTER_S = 300
"""After the start of the router."""
COMMENT = "Undoes a restore that was not confirmed"
_CANT = frozenset({ErrorCode.REFUSED, ErrorCode.INVALID, ErrorCode.DEVICE_ERROR})


@contextmanager
def planted(router: Router) -> Iterator[bool]:
    """What is backed up meanwhile has the guard. False if the router doesn't take it."""
    if armed(router):
        yield True  # a restore that goes on needs it
        return
    try:
        _add(router)
    except ConnectorError as error:
        if error.code not in _CANT:
            raise
        yield False
        return
    try:
        yield True
    finally:
        with suppress(ConnectorError):  # without its file, it does nothing
            _remove(router)


def place(router: Router) -> None:
    """Save what the router has to the file of the guard. Raises ConnectorError."""
    if stale := router.reverts():
        text = f"{router.address} has reverts: {', '.join(one.name for one in stale)}"
        raise ConnectorError(text, ErrorCode.CONFLICT, nothing_changed=True)
    router.backup(NAME)


def armed(router: Router) -> Revert | None:
    """The guard, if it is in the scheduler and has its file."""
    found = next((one for one in router.reverts() if one.name == NAME), None)
    return found if found and is_placed(router) else None


def is_placed(router: Router) -> bool:
    return bool(router.print("/file", where={"name": _file(router)}, properties=("name",)))


def _file(router: Router) -> str:
    return f"{persistent(router, NAME)}.backup"


def _add(router: Router) -> None:
    _remove(router)
    file, fired = _file(router), f"{persistent(router, FIRED)}.backup"
    load = '/system backup load name=$chosen password=""'
    event = (
        f':if ([:len [/file find name="{file}"]] > 0) do={{ :local chosen "{file}"; '
        f':do {{ /file set [find name="{file}"] name="{fired}"; :set chosen "{fired}" }} '
        f'on-error={{}}; :do {{ {load} }} on-error={{ :log error "{NAME} failed" }} }}; '
        f'/system scheduler remove [find name="{NAME}"]'
    )
    router.add(
        SCHEDULER,
        {
            "name": NAME,
            "start-time": "startup",
            "interval": f"{AFTER_S}s",
            "on-event": event,
            "policy": ",".join(POLICIES),
            "comment": COMMENT,
        },
    )


def _remove(router: Router) -> None:
    rows = router.print(SCHEDULER, where={"name": NAME}, properties=(".id",))
    router.remove(SCHEDULER, *(row[".id"] for row in rows))

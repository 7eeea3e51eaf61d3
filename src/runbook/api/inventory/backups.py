"""The stored configurations of devices: their history, and who changed what."""

from __future__ import annotations

from flask import Blueprint, Response, request

from runbook.api import wire
from runbook.api.context import application, engine, principal
from runbook.api.parameters import PAGE, PAGE_TEXT, page_size
from runbook.api.routing import Limit, Parameter, RoutePolicy, route
from runbook.bootstrap import build_backups
from runbook.connectors.backups import BackupStore
from runbook.connectors.backups.blame import blame
from runbook.connectors.backups.comparing import compared
from runbook.core.permissions import Permission
from runbook.errors import AccessDeniedError, NotFoundError
from runbook.resources.blame import backup_diff_json, backup_list_json, blame_json

blueprint = Blueprint("inventory_backups", __name__)

_TAG = "inventory"
_VERSION: dict[str, object] = {"type": "string", "pattern": "^[0-9a-f]{7,40}$"}
_SEEN = "Only for those who may use the device's connection, if it has one."
_NONE = {404: "There is no such device, or it has no such backup"}


@route(
    blueprint,
    "/api/inventory/<device>/backups",
    policy=RoutePolicy(
        Permission.INVENTORY_READ,
        Limit.NORMAL,
        "List the stored configurations of a device, the latest first",
        parameters=(Parameter("limit", PAGE_TEXT, schema=PAGE),),
        schema="BackupList",
        description=f"Each differs from the one before it. {_SEEN}",
        tag=_TAG,
    ),
)
def list_backups(device: str) -> Response:
    found = _store_for(device).history(device, limit=page_size())
    return wire.json_reply(backup_list_json(device, found))


@route(
    blueprint,
    "/api/inventory/<device>/diff",
    policy=RoutePolicy(
        Permission.INVENTORY_READ,
        Limit.NORMAL,
        "Compare two stored configurations of a device",
        parameters=(
            Parameter("before", "A commit; the one before `after` by default", schema=_VERSION),
            Parameter("after", "A commit; the latest by default", schema=_VERSION),
        ),
        schema="BackupDiff",
        description=f"Configurations are stored without secrets. {_SEEN}",
        replies=_NONE,
        tag=_TAG,
    ),
)
def compare_backups(device: str) -> Response:
    store = _store_for(device)
    after = _version(store, device, "after") or _latest(store, device)
    found = compared(store, device, _version(store, device, "before"), after)
    return wire.json_reply(backup_diff_json(device, found))


@route(
    blueprint,
    "/api/inventory/<device>/blame",
    policy=RoutePolicy(
        Permission.INVENTORY_READ,
        Limit.NORMAL,
        "Show who changed the lines of a device's configuration",
        parameters=(Parameter("version", "A commit; the latest by default", schema=_VERSION),),
        schema="Blame",
        description=f"What a backup finds changed was changed outside (`seen`). {_SEEN}",
        replies=_NONE,
        tag=_TAG,
    ),
)
def blame_device(device: str) -> Response:
    store = _store_for(device)
    commit = _version(store, device, "version") or _latest(store, device)
    return wire.json_reply(blame_json(device, commit, blame(store, device, commit)))


def _store_for(device: str) -> BackupStore:
    """Raises NotFoundError, AccessDeniedError."""
    if not engine().inventory.show(device, principal()).usable:
        raise AccessDeniedError(
            f"The configuration of {device} is only for those who may use its connection."
        )
    return build_backups(application().settings)


def _latest(store: BackupStore, device: str) -> str:
    commit = store.latest(device)
    if commit is None:
        raise NotFoundError(f"{device} has no backup.")
    return commit


def _version(store: BackupStore, device: str, parameter: str) -> str | None:
    """The whole name of the version that a parameter asks for. Raises NotFoundError."""
    commit = request.args.get(parameter)
    if not commit:
        return None
    found = store.find(device, commit)
    if found is None:
        raise NotFoundError(f"{device} has no backup {commit[:40]}.")
    return found.commit

"""Rules of single menus: what a new or changed row must hold, and what can't be removed."""

from __future__ import annotations

import base64
import ipaddress
from collections.abc import Callable

from runbook.lab.routeros import facts
from runbook.lab.routeros.clock import read_date, read_time, write_time
from runbook.lab.routeros.device import Device
from runbook.lab.routeros.errors import Category, DeniedError, RouterError, failure
from runbook.lab.routeros.menu import Menu
from runbook.lab.routeros.menus.system import DEFAULT_POLICY
from runbook.lab.routeros.session import Session
from runbook.lab.routeros.state import Row

Hook = Callable[[Device, Row, Row | None, Session], None]
"""The row as it will be, and as it was; None if it is new."""


def before_write(router: Device, menu: Menu, row: Row, old: Row | None, session: Session) -> None:
    if menu.path in _WRITE:
        _WRITE[menu.path](router, row, old, session)


def before_remove(router: Device, menu: Menu, row: Row) -> None:
    if row.get("dynamic") == "yes":
        raise failure("can not remove dynamic entry")
    if menu.path == "user" and _last_owner(router, row):
        raise failure("last user with full permissions can not be removed")
    if menu.path == "interface/ethernet":
        raise failure("can not remove this interface")
    if row.get("default") == "yes" or row.get("builtin") == "yes":
        raise failure("can not remove default entry")


def _address(_: Device, row: Row, old: Row | None, __: Session) -> None:
    if old is None or row["address"] != old["address"]:
        network = ipaddress.ip_interface(row["address"]).network.network_address
        if old is None and row.get("network"):
            return
        row["network"] = str(network)


def _scheduler(router: Device, row: Row, _: Row | None, session: Session) -> None:
    if not router.allows("scheduler"):
        raise failure("not allowed by device-mode")
    wanted = set(row.get("policy", DEFAULT_POLICY).split(",")) - {""}
    if not session.policies.issuperset(wanted):
        raise DeniedError
    now = router.clock.now()
    if "start-time" not in row:
        row.setdefault("start-date", now.strftime("%Y-%m-%d"))
        row["start-time"] = write_time(now - now.replace(hour=0, minute=0, second=0))
    elif row["start-time"] != "startup":
        row.setdefault("start-date", now.strftime("%Y-%m-%d"))
    row.setdefault("owner", session.user)
    row["policy"] = row.get("policy", DEFAULT_POLICY)


def _script(_: Device, row: Row, __: Row | None, session: Session) -> None:
    wanted = set(row.get("policy", DEFAULT_POLICY).split(",")) - {""}
    if not session.policies.issuperset(wanted):
        raise DeniedError
    row.setdefault("owner", session.user)


def _wireguard(_: Device, row: Row, old: Row | None, __: Session) -> None:
    if old is not None and row.get("private-key") == old.get("private-key"):
        return
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

    if given := row.get("private-key"):
        try:
            key = X25519PrivateKey.from_private_bytes(base64.b64decode(given, validate=True))
        except ValueError:
            raise RouterError("invalid value for argument private-key", Category.ARGUMENT) from None
    else:
        key = X25519PrivateKey.generate()
        row["private-key"] = base64.b64encode(key.private_bytes_raw()).decode()
    row["public-key"] = base64.b64encode(key.public_key().public_bytes_raw()).decode()


def _bridge(router: Device, row: Row, old: Row | None, _: Session) -> None:
    if old is None:
        row["mac-address"] = row.get("admin-mac") or facts.mac(router, row["name"])


def _vlan(router: Device, row: Row, old: Row | None, _: Session) -> None:
    if not 1 <= int(row["vlan-id"]) <= 4095:
        raise RouterError("value of vlan-id out of range (1..4095)", Category.ARGUMENT)
    if old is None:
        row["mac-address"] = facts.mac(router, row["interface"])


def _user(router: Device, row: Row, old: Row | None, _: Session) -> None:
    groups = {one["name"] for one in router.config.rows("user/group")}
    if row.get("group", "read") not in groups:
        raise RouterError("input does not match any value of group", Category.ARGUMENT)
    demoted = row.get("disabled") == "yes" or row.get("group") != "full"
    if old is not None and demoted and _last_owner(router, {**row, "group": "full"}):
        raise failure("last user with full permissions can not be removed")


def _ssh_key(router: Device, row: Row, _: Row | None, __: Session) -> None:
    """Given as `TYPE BASE64 COMMENT`, kept without the rest."""
    kind, _space, rest = row["key"].strip().partition(" ")
    key, _space, comment = rest.partition(" ")
    if not kind.startswith(("ssh-", "ecdsa-")) or not key:
        raise RouterError("invalid value for argument key", Category.ARGUMENT)
    if row["user"] not in {one["name"] for one in router.config.rows("user")}:
        raise RouterError("input does not match any value of user", Category.ARGUMENT)
    row.update({"key": key, "key-type": kind.removeprefix("ssh-"), "key-owner": comment.strip()})


def _clock(router: Device, row: Row, _: Row | None, __: Session) -> None:
    """The time isn't kept: it is the clock's."""
    now = router.clock.now()
    date, time = row.pop("date", ""), row.pop("time", "")
    try:
        day = read_date(date) if date else now.replace(hour=0, minute=0, second=0, microsecond=0)
        passed = read_time(time) if time else now - now.replace(hour=0, minute=0, second=0)
    except ValueError:
        raise RouterError("invalid value for argument time", Category.ARGUMENT) from None
    if date or time:
        router.clock.set(day + passed)
        router.scheduler.boot_again()


def _list_member(router: Device, row: Row, _: Row | None, __: Session) -> None:
    if row["list"] not in {one["name"] for one in router.config.rows("interface/list")}:
        raise RouterError("input does not match any value of list", Category.ARGUMENT)


def _certificate(router: Device, row: Row, _: Row | None, __: Session) -> None:
    known = {one["name"] for one in router.config.rows("certificate")}
    if row.get("certificate", "none") not in {*known, "none", ""}:
        raise RouterError("input does not match any value of certificate", Category.ARGUMENT)


def _last_owner(router: Device, row: Row) -> bool:
    """No other user who is enabled has all rights."""
    return row.get("group") == "full" and not any(
        one.get("group") == "full" and one.get("disabled") != "yes" and one[".id"] != row[".id"]
        for one in router.config.rows("user")
    )


_WRITE: dict[str, Hook] = {
    "ip/address": _address,
    "ipv6/address": _address,
    "system/scheduler": _scheduler,
    "system/script": _script,
    "interface/wireguard": _wireguard,
    "interface/bridge": _bridge,
    "interface/vlan": _vlan,
    "interface/list/member": _list_member,
    "user": _user,
    "user/ssh-keys": _ssh_key,
    "system/clock": _clock,
    "ip/service": _certificate,
}

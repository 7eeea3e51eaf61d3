"""Who may log in, and what they may do."""

from __future__ import annotations

from runbook.lab.routeros.device import Device
from runbook.lab.routeros.session import FULL, Session
from runbook.lab.routeros.state import Row

RESCUE = "rescue"


def find(router: Device, name: str) -> Row | None:
    if name == RESCUE and router.rescue:
        return {"name": RESCUE, "password": router.rescue}
    for row in router.config.rows("user"):
        if row["name"] == name and row.get("disabled") != "yes":
            return row
    return None


def log_in(router: Device, name: str, via: str, policy: str) -> Session | None:
    """The session of a user whose password was right, if the group has the policy."""
    row = find(router, name)
    policies = _policies(router, row) if row else frozenset()
    if row is None or policy not in policies:
        router.log("system,error,critical", f"login failure for user {name} via {via}")
        return None
    router.log("system,info,account", f"user {name} logged in from {router.client} via {via}")
    return Session(name, policies, via, router.client)


def _policies(router: Device, row: Row) -> frozenset[str]:
    if row["name"] == RESCUE and router.rescue:
        return FULL
    return policies_of(router, row.get("group", "read"))


def policies_of(router: Device, group: str) -> frozenset[str]:
    for row in router.config.rows("user/group"):
        if row["name"] == group:
            said = row.get("policy", "").split(",")
            return frozenset(one for one in said if one and not one.startswith("!"))
    return frozenset()

"""Polls a router: what it is, how it is, and whether its configuration has changed."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import runbook
from mikrotik_toolkit import given, known, showing
from mikrotik_toolkit.known import Facts
from mikrotik_toolkit.watch import clients
from runbook.connectors import routeros
from runbook.connectors.errors import ConnectorError
from runbook.connectors.routeros.router import Router

MOST_INTERFACES = 64
"""In the facts, which have a limit."""
LONGEST_NAME = 40
TEMPERATURES = ("cpu-temperature", "board-temperature1", "board-temperature", "temperature")
HEALTH = ("voltage", "temperature")
BACKUP = "mikrotik/Backup.md"


class Change(StrEnum):
    """Whether the configuration has changed since the poll before."""

    FIRST = "first"
    """There was no poll before."""
    NO = "no"
    YES = "yes"
    UNKNOWN = "unknown"
    """The router doesn't say."""


@dataclass(frozen=True, slots=True)
class Interface:
    name: str
    type: str
    running: bool
    disabled: bool
    received: int
    sent: int
    rates: tuple[int, int] | None = None
    """Bits per second since the poll before: received, sent."""

    @property
    def state(self) -> str:
        return "disabled" if self.disabled else "up" if self.running else "down"


@dataclass(frozen=True, slots=True)
class Poll:
    """What a router says of itself."""

    identity: Facts
    load: Facts
    health: Facts
    interfaces: tuple[Interface, ...]
    wireless: int
    """Wireless clients."""
    changed_at: str
    change: Change


def main() -> None:
    before = known.facts_of()
    try:
        with routeros.connect("ROUTER") as router:
            poll = read(router, before, now=time.time())
    except ConnectorError as error:
        known.report({"state": "offline", "reason": error.code.value})
        runbook.output("STATE", "offline")
        raise
    known.report(facts_from(poll, now=time.time()), **fields_from(poll))
    show(poll)
    if poll.change is Change.YES and given.flag("BACKUP_ON_CHANGE"):
        runbook.call(BACKUP, ROUTER=known.name_of())


def read(router: Router, before: Facts, *, now: float) -> Poll:
    changed_at = config_changed_at(router)
    return Poll(
        known.identity_of(router),
        load_of(router.resource),
        health_of(known.rows_of(router, "/system/health")),
        interfaces_of(router, before, now=now),
        sum(len(known.rows_of(router, menu, properties=(".id",))) for menu in clients.WIRELESS),
        changed_at,
        compared(before.get("config_changed_at"), changed_at),
    )


def load_of(resource: Mapping[str, str]) -> Facts:
    """Uptime in seconds, and shares in per cent."""
    return {
        "uptime": known.seconds(resource.get("uptime", "")),
        "cpu": known.whole(resource, "cpu-load"),
        "memory": _used(resource, "memory"),
        "disk": _used(resource, "hdd-space"),
    }


def _used(resource: Mapping[str, str], what: str) -> int:
    total = known.whole(resource, f"total-{what}")
    return round(100 * (1 - known.whole(resource, f"free-{what}") / total)) if total else 0


def health_of(rows: list[dict[str, str]]) -> Facts:
    """Voltage and temperature: 7 has a row for each value, 6 a property of one row."""
    values = {row["name"]: row.get("value", "") for row in rows if "name" in row}
    if not values and rows:
        values = rows[0]
    temperature = next((values[name] for name in TEMPERATURES if values.get(name)), "")
    texts = {"voltage": values.get("voltage", ""), "temperature": temperature}
    return {name: number for name, text in texts.items() if (number := _number(text)) is not None}


def _number(text: str) -> float | None:
    try:
        return float(text.rstrip("VC"))
    except ValueError:
        return None


def interfaces_of(router: Router, before: Facts, *, now: float) -> tuple[Interface, ...]:
    counted = before.get("interfaces", {})
    passed = now - float(before.get("polled_at", now))
    return tuple(
        _interface(row, counted.get(row.get("name", "")[:LONGEST_NAME], {}), passed)
        for row in router.print("/interface")
    )


def _interface(row: Mapping[str, str], before: Mapping[str, int], passed: float) -> Interface:
    received, sent = known.whole(row, "rx-byte"), known.whole(row, "tx-byte")
    deltas = (received - before.get("rx", received + 1), sent - before.get("tx", sent + 1))
    # A counter that has become smaller started anew.
    is_rated = passed >= 1 and min(deltas) >= 0
    rates = (int(deltas[0] * 8 / passed), int(deltas[1] * 8 / passed)) if is_rated else None
    running, disabled = known.is_on(row, "running"), known.is_on(row, "disabled")
    return Interface(
        row.get("name", ""), row.get("type", ""), running, disabled, received, sent, rates
    )


def config_changed_at(router: Router) -> str:
    """A text that changes with the configuration: 7 has a time, of 6 we take the newest action."""
    if changed := router.resource.get("last-config-change"):
        return changed
    if router.version.at_least(7, 0):
        return ""
    rows = known.rows_of(router, "/system/history", properties=("action", "by", "time"))
    newest = rows[0] if rows else {}
    return " ".join(newest.get(name, "") for name in ("time", "by", "action")).strip()


def compared(before: object, now: str) -> Change:
    if before is None:
        return Change.FIRST
    if not now and not before:
        return Change.UNKNOWN
    return Change.NO if before == now else Change.YES


def fields_from(poll: Poll) -> Facts:
    named = {name: poll.identity[name] for name in ("vendor", "model", "version")}
    return {**named, "last_seen": "now", "last_poll": "now"}


def facts_from(poll: Poll, *, now: float) -> Facts:
    counted = {
        one.name[:LONGEST_NAME]: {"state": one.state, "rx": one.received, "tx": one.sent}
        for one in poll.interfaces[:MOST_INTERFACES]
    }
    return {
        **poll.identity["facts"],
        **poll.load,
        **poll.health,
        "state": "online",
        "reason": None,
        "config_changed_at": poll.changed_at,
        "wireless_clients": poll.wireless,
        "polled_at": int(now),
        "interfaces": counted,
    }


def show(poll: Poll) -> None:
    name, load = known.name_of(), poll.load
    heading = f"{name}: {poll.identity['model']}, RouterOS {poll.identity['version']}"
    print(f"{heading}, up {load['uptime']} s, CPU {load['cpu']} %, memory {load['memory']} %")
    changes = {
        Change.YES: "The configuration has changed since the last poll.",
        Change.NO: "The configuration is the same as at the last poll.",
    }
    if poll.change in changes:
        print(changes[poll.change])
    described = {**load, **poll.health, "wireless clients": poll.wireless}
    rows = list(described.items())
    showing.table(("", "value"), rows, title=heading)
    showing.table(
        ("interface", "type", "state", "received", "sent", "bit/s in", "bit/s out"),
        [_shown(one) for one in poll.interfaces],
        title="Interfaces",
    )
    runbook.output("STATE", "online")
    runbook.output("CONFIG_CHANGED", poll.change.value)
    for what in ("version", "model"):
        runbook.output(what.upper(), poll.identity[what])
    runbook.output("LOAD", {**load, **poll.health})
    down = [one.name for one in poll.interfaces if one.state == "down"]
    runbook.output("INTERFACES_DOWN", down)


def _shown(one: Interface) -> tuple[object, ...]:
    rates = one.rates or ("", "")
    counted = (showing.size(one.received), showing.size(one.sent))
    return (one.name, one.type, one.state, *counted, *rates)

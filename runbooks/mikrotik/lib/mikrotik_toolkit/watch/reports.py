"""A report on several routers: what they are, how they are, what is wrong, what has changed."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import runbook
from mikrotik_toolkit import given, showing
from mikrotik_toolkit.watch import fleet
from mikrotik_toolkit.watch.fleet import Result
from runbook.connectors import backups
from runbook.connectors.backups import Version

POLL = "mikrotik/Poll.md"
ALERTED = 3
"""Exit code if there are alerts, and the inputs say that they are a failure."""
INVENTORY, LOAD, ALERTS, CHANGES = "inventory", "load", "alerts", "changes"
MEASURES = {"cpu": "CPU", "memory": "memory", "disk": "disk", "temperature": "temperature"}
UNITS = {"temperature": "°C"}
HEADERS = {
    INVENTORY: ("router", "state", "model", "version"),
    LOAD: ("router", "uptime in s", "CPU %", "memory %", "disk %", "temperature", "voltage"),
    ALERTS: ("router", "alert"),
    CHANGES: ("router", "time", "origin", "requested by", "run", "commit"),
}
TITLES = {INVENTORY: "Routers", LOAD: "Load", ALERTS: "Alerts", CHANGES: "Changes"}


@dataclass(frozen=True, slots=True)
class Alert:
    router: str
    text: str


def main() -> None:
    parts, names = given.words("PARTS"), given.names("ROUTERS")
    now = datetime.now(UTC)
    polls = fleet.each(names, POLL, until=90) if {*parts} & {INVENTORY, LOAD, ALERTS} else {}
    since = now - timedelta(days=given.whole("DAYS", 30))
    alerts = list(alerts_of(polls, limits()))
    rows: dict[str, Sequence[Sequence[object]]] = {
        INVENTORY: [_inventory(name, one) for name, one in polls.items()],
        LOAD: [_load(name, one) for name, one in polls.items() if not one.error],
        ALERTS: [(one.router, one.text) for one in alerts],
        CHANGES: [_change(one) for one in changes_of(names, since)] if CHANGES in parts else [],
    }
    write(parts, rows, now)
    runbook.output("ALERTS", len(alerts))
    failed = fleet.failed(polls)
    runbook.output("FAILED", sorted(failed))
    for name, reason in failed.items():
        print(f"{name}: {reason}", file=sys.stderr)
    if alerts and given.flag("FAIL_ON_ALERTS"):
        sys.exit(ALERTED)


def limits() -> dict[str, int]:
    """Above which a measure is an alert."""
    return {name: given.whole(f"MAX_{name.upper()}", 1000) for name in MEASURES}


def alerts_of(polls: Mapping[str, Result], most: Mapping[str, int]) -> Iterator[Alert]:
    for name, poll in polls.items():
        if poll.error:
            yield Alert(name, f"offline: {poll.error}")
            continue
        load = poll.outputs.get("LOAD", {})
        for measure, title in MEASURES.items():
            value = load.get(measure)
            if value is not None and value > most[measure]:
                unit = UNITS.get(measure, "%")
                yield Alert(name, f"{title} {value:g} {unit}, more than {most[measure]} {unit}")
        down = poll.outputs.get("INTERFACES_DOWN", [])
        if down and given.flag("INTERFACES"):
            yield Alert(name, f"interfaces down: {', '.join(down)}")


def changes_of(names: Iterable[str], since: datetime) -> list[Version]:
    """The latest first."""
    store = backups.open_store()
    found = [one for name in names for one in store.history(name) if one.at >= since]
    return sorted(found, key=lambda one: one.at, reverse=True)


def _inventory(name: str, poll: Result) -> tuple[object, ...]:
    outputs = poll.outputs
    state = "offline" if poll.error else "online"
    return name, state, outputs.get("MODEL", ""), outputs.get("VERSION", "")


def _load(name: str, poll: Result) -> tuple[object, ...]:
    load: Mapping[str, Any] = poll.outputs.get("LOAD", {})
    names = ("uptime", "cpu", "memory", "disk", "temperature", "voltage")
    return (name, *(load.get(one, "") for one in names))


def _change(one: Version) -> tuple[object, ...]:
    at = one.at.strftime("%Y-%m-%d %H:%M")
    return one.device, at, one.origin, one.source.requested_by, one.source.run_id, one.commit[:10]


def write(parts: Iterable[str], rows: Mapping[str, showing.Rows], now: datetime) -> None:
    """The report in Markdown, and each part as CSV."""
    pieces = [f"# Routers, {now:%Y-%m-%d %H:%M} UTC", ""]
    for part in [one for one in HEADERS if one in parts]:
        piece = showing.as_markdown(HEADERS[part], rows[part], title=TITLES[part])
        pieces.append(piece)
        runbook.summary(piece)
        showing.keep(f"{part}.csv", showing.as_csv(HEADERS[part], rows[part]))
    showing.keep("report.md", "\n".join(pieces))
    print("\n".join(pieces))

"""What would change from one configuration to another, by menu, and what is risky about it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from runbook.connectors.routeros import rsc

RISKY = (
    *("/ip address", "/ip route", "/ip firewall", "/interface", "/ip service", "/ip ssh"),
    *("/ipv6 address", "/ipv6 route", "/ipv6 firewall", "/routing", "/system identity", "/user"),
)
"""Menus in which a mistake cuts access, with those below them."""


@dataclass(frozen=True)
class PathChange:
    path: str
    added: tuple[str, ...]
    removed: tuple[str, ...]

    @property
    def is_risky(self) -> bool:
        return any(self.path == it or self.path.startswith(f"{it} ") for it in RISKY)

    def __str__(self) -> str:
        risk = "high risk" if self.is_risky else "low risk"
        return f"{self.path}: {len(self.added)} added, {len(self.removed)} removed, {risk}"


@dataclass(frozen=True)
class Caution:
    """`lockout`: the router may not be reachable afterwards."""

    code: str
    text: str
    lockout: bool = False


def changes(before: str, after: str) -> list[PathChange]:
    """Commands that only one of the exports has, in the order of the menus."""
    old, new = _commands(before), _commands(after)
    added, removed = new - old, old - new
    paths = dict.fromkeys(path for path, _ in (*old, *new))
    found = (PathChange(path, _of(path, added), _of(path, removed)) for path in paths)
    return [one for one in found if one.added or one.removed]


def _commands(export: str) -> Counter[tuple[str, str]]:
    return Counter((one.path, one.text) for one in rsc.parse(export).commands)


def _of(path: str, counted: Counter[tuple[str, str]]) -> tuple[str, ...]:
    return tuple(text for (where, text), n in counted.items() if where == path for _ in range(n))


def warnings(found: list[PathChange], host: str) -> Iterator[Caution]:
    """`host` is the address at which we reach the router."""
    for change in found:
        added, removed = change.added, change.removed
        if change.path == "/ip address":
            for text in removed:
                is_ours = f"address={host}/" in text
                yield Caution("address_removed", f"removes {text.strip()}", lockout=is_ours)
        if change.path == "/ip firewall filter":
            for text in added:
                if "chain=input" in text and ("action=drop" in text or "action=reject" in text):
                    yield Caution("input_dropped", f"adds {text.strip()}", lockout=True)
        if change.path == "/ip service":
            for text in (*added, *removed):
                closes = text in added and ("disabled=yes" in text or "address=" in text)
                yield Caution("services", f"changes {text.strip()}", lockout=closes)

"""The menus that the router has, by path."""

from __future__ import annotations

from dataclasses import replace

from runbook.lab.routeros.menu import Menu
from runbook.lab.routeros.menus.interface import INTERFACE
from runbook.lab.routeros.menus.ip import IP
from runbook.lab.routeros.menus.more import MORE
from runbook.lab.routeros.menus.system import SYSTEM
from runbook.lab.routeros.versions import Release

SINCE_7 = {
    "ip/service": ("vrf", "max-sessions", "proto"),
    "ip/route": ("routing-table", "blackhole"),
    "ip/ssh": ("host-key-type",),
    "system/note": ("show-at-cli-login",),
    "system/ntp/client": ("servers", "status"),
}
"""Properties that 6 doesn't have."""
FIRST = (
    "interface/bridge",
    "interface/ethernet",
    "interface",
    "ip/pool",
    "ip",
    "ipv6",
    "ppp",
    "queue",
    "routing",
    "radius",
    "snmp",
    "system",
    "tool",
    "user",
)


def _place(menu: Menu) -> int:
    """As `/export` orders them: what others refer to comes first."""
    found = [
        at for at, path in enumerate(FIRST) if menu.path == path or menu.path.startswith(f"{path}/")
    ]
    return min(found, default=len(FIRST))


ALL = tuple(sorted((*INTERFACE, *MORE, *IP, *SYSTEM), key=_place))


def menus_of(release: Release) -> dict[str, Menu]:
    """In the order in which `/export` writes them."""
    known = [menu for menu in ALL if menu.since <= release.number < menu.until]
    if not release.is_6:
        return {menu.path: menu for menu in known}
    return {menu.path: _without(menu, SINCE_7.get(menu.path, ())) for menu in known}


def _without(menu: Menu, names: tuple[str, ...]) -> Menu:
    kept = {name: one for name, one in menu.properties.items() if name not in names}
    return replace(menu, properties=kept)

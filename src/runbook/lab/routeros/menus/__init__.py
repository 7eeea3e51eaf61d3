"""The menus that the router has, by path."""

from __future__ import annotations

from runbook.lab.routeros.menu import Menu
from runbook.lab.routeros.menus.interface import INTERFACE
from runbook.lab.routeros.menus.ip import IP
from runbook.lab.routeros.menus.system import SYSTEM
from runbook.lab.routeros.versions import Release

ALL = (*INTERFACE, *IP, *SYSTEM)


def menus_of(release: Release) -> dict[str, Menu]:
    """In the order in which `/export` writes them."""
    return {menu.path: menu for menu in ALL if menu.since <= release.number < menu.until}

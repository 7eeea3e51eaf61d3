"""Who is connected to a router: ARP, DHCP leases and wireless clients by MAC address."""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import ip_address

import runbook
from mikrotik_toolkit import given, known, showing
from runbook.connectors import routeros
from runbook.connectors.routeros.device import Row
from runbook.connectors.routeros.router import Router

WIRELESS = ("/interface/wifi/registration-table", "/interface/wifiwave2/registration-table",
            "/interface/wireless/registration-table")  # fmt: skip
"""Menus of the wireless drivers; a router has those of its own."""
HEADERS = ("mac", "address", "name", "interface", "lease", "wireless", "signal", "comment")


@dataclass
class Client:
    mac: str
    addresses: list[str] = field(default_factory=list)
    name: str = ""
    interface: str = ""
    lease: str = ""
    """`bound`, `waiting`, `static` and the like; empty without one."""
    wireless: str = ""
    """The interface of the access point."""
    signal: str = ""
    comment: str = ""

    def add(self, address: str) -> None:
        if address and address not in self.addresses:
            self.addresses.append(address)

    @property
    def row(self) -> tuple[str, ...]:
        addresses = " ".join(self.addresses)
        return (self.mac, addresses, self.name, self.interface, self.lease, self.wireless,
                self.signal, self.comment)  # fmt: skip


def main() -> None:
    with routeros.connect("ROUTER") as router:
        found = clients_of(router)
    if text := given.text("TEXT").lower():
        found = [one for one in found if any(text in cell.lower() for cell in one.row)]
    rows = [one.row for one in found]
    for row in rows:
        print(*filter(None, row), sep="  ")
    showing.table(HEADERS, rows, title=f"Clients of {known.name_of()}", nothing="No clients")
    showing.keep("clients.csv", showing.as_csv(HEADERS, rows))
    runbook.output("COUNT", len(rows))
    runbook.output("WIRELESS", sum(bool(one.wireless) for one in found))
    runbook.output("CLIENTS", [dict(zip(HEADERS, row, strict=True)) for row in rows])


def clients_of(router: Router) -> list[Client]:
    """By address; those without one are last."""
    found: dict[str, Client] = {}
    for row in known.rows_of(router, "/ip/arp"):
        if (client := _client(found, row)) is not None and row.get("status") != "failed":
            client.add(row.get("address", ""))
            client.interface = row.get("interface", "")
    for row in known.rows_of(router, "/ip/dhcp-server/lease"):
        if (client := _client(found, row)) is not None:
            _lease(client, row)
    for menu in WIRELESS:
        for row in known.rows_of(router, menu):
            if (client := _client(found, row)) is not None:
                client.wireless = row.get("interface", "")
                client.signal = row.get("signal") or row.get("signal-strength", "")
                client.interface = client.interface or client.wireless
    return sorted(found.values(), key=_order)


def _lease(client: Client, row: Row) -> None:
    client.add(row.get("active-address") or row.get("address", ""))
    client.name = row.get("host-name", "")
    client.comment = row.get("comment", "")
    client.lease = row.get("status") or ("static" if not known.is_on(row, "dynamic") else "")


def _client(found: dict[str, Client], row: Row) -> Client | None:
    """The client of this row; None without a MAC address."""
    mac = (row.get("active-mac-address") or row.get("mac-address", "")).upper()
    return found.setdefault(mac, Client(mac)) if mac.strip("0:") else None


def _order(client: Client) -> tuple[bool, int, int, str]:
    for text in client.addresses:
        try:
            address = ip_address(text)
        except ValueError:
            continue
        return False, address.version, int(address), client.mac
    return True, 0, 0, client.mac

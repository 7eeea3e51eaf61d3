"""What the router says of itself: rows that nobody sets."""

from __future__ import annotations

import ipaddress
import zlib
from collections.abc import Callable
from datetime import UTC, datetime

from runbook.lab.routeros.clock import MONTHS, write_date, write_duration, write_moment
from runbook.lab.routeros.device import Device
from runbook.lab.routeros.menu import Menu
from runbook.lab.routeros.state import Row

BOARD = "RB5009UG+S+"
BUILT = {6: "May/20/2024 08:11:56", 7: "2025-02-24 09:47:01"}
MEMORY = 1 << 30
FORBIDDEN_BY_MODE = {
    "home": ("scheduler", "fetch"),
    "basic": (),
    "advanced": (),
    "enterprise": (),
    "rose": (),
}
MODES = tuple(FORBIDDEN_BY_MODE)
FEATURES = ("scheduler", "fetch")
"""Those that can be allowed or forbidden one by one, too."""


def _resource(router: Device) -> list[Row]:
    channel = "(stable)" if not router.release.is_6 else "(long-term)"
    row = {
        "uptime": write_duration(int(router.clock.uptime().total_seconds())),
        "version": f"{router.release.text} {channel}",
        "build-time": BUILT[router.release.number[0]],
        "factory-software": "6.49.10" if router.release.is_6 else "7.4",
        "free-memory": str(MEMORY * 3 // 4),
        "total-memory": str(MEMORY),
        "cpu": "ARM64",
        "cpu-count": "4",
        "cpu-frequency": "1400",
        "cpu-load": "3",
        "free-hdd-space": str(1 << 29),
        "total-hdd-space": str(1 << 30),
        "write-sect-since-reboot": "4711",
        "write-sect-total": "104711",
        "bad-blocks": "0",
        "architecture-name": "arm64",
        "board-name": BOARD,
        "platform": "MikroTik",
    }
    if not router.release.is_6 and (changed := router.state.facts.get("last-config-change")):
        row["last-config-change"] = changed
    return [row]


def _routerboard(router: Device) -> list[Row]:
    return [
        {
            "routerboard": "yes",
            "board-name": BOARD,
            "model": BOARD + "IN",
            "serial-number": router.serial,
            "firmware-type": "70x0",
            "factory-firmware": "7.4",
            "current-firmware": router.state.facts.get("firmware", "7.4"),
            "upgrade-firmware": router.release.text,
        }
    ]


def _health(router: Device) -> list[Row]:
    if not router.release.health_in_rows:
        return [{"voltage": "24.1", "temperature": "41", "cpu-temperature": "52"}]
    return [
        {".id": "*D", "name": "voltage", "value": "24.1", "type": "V"},
        {".id": "*E", "name": "cpu-temperature", "value": "52", "type": "C"},
        {".id": "*F", "name": "board-temperature1", "value": "41", "type": "C"},
    ]


def _packages(router: Device) -> list[Row]:
    name = "system" if router.release.is_6 else "routeros"
    return [
        {
            ".id": "*1",
            "name": name,
            "version": router.release.text,
            "build-time": BUILT[router.release.number[0]],
            "scheduled": "",
            "disabled": "no",
        }
    ]


def _device_mode(router: Device) -> list[Row]:
    mode = router.state.facts.get("mode", router.release.default_mode)
    return [{"mode": mode, **{one: _bool(router.allows(one)) for one in FEATURES}}]


def _log(router: Device) -> list[Row]:
    return [
        {".id": f"*{n:X}", "time": one.time, "topics": one.topics, "message": one.message}
        for n, one in enumerate(router.state.log, 1)
    ]


def _history(router: Device) -> list[Row]:
    return [
        {
            ".id": f"*{n:X}",
            "action": one.action,
            "by": one.by,
            "policy": "write",
            "time": one.time,
            "undoable": _bool(not one.undone),
            "redoable": _bool(one.undone),
            "floating-undo": "no",
        }
        for n, one in reversed(list(enumerate(router.state.history, 1)))
    ]


def _active(router: Device) -> list[Row]:
    return [
        {
            ".id": f"*{n:X}",
            "when": one.since,
            "name": one.session.user,
            "address": one.session.address,
            "via": one.session.via,
            "radius": "no",
        }
        for n, one in enumerate(router.active(), 1)
    ]


def _neighbors(router: Device) -> list[Row]:
    near = [("ether1", "192.0.2.1", "core"), ("ether2", "192.168.88.3", "ap-1")]
    names = [row["name"] for row in router.config.rows("interface/ethernet")]
    return [
        {
            ".id": f"*{n:X}",
            "interface": interface,
            "address": address,
            "address4": address,
            "mac-address": mac(router, f"neighbor{n}"),
            "identity": identity,
            "platform": "MikroTik",
            "version": "7.18 (stable)",
            "board": "CRS326-24G-2S+",
            "uptime": "3w2d1h",
            "discovered-by": "cdp,lldp,mndp",
        }
        for n, (interface, address, identity) in enumerate(near, 1)
        if interface in names
    ]


def _wireless(router: Device) -> list[Row]:
    return [
        {
            ".id": "*1",
            "interface": "wlan1",
            "mac-address": mac(router, "client"),
            "signal-strength": "-61dBm@6Mbps",
            "tx-rate": "866.6Mbps",
            "rx-rate": "780Mbps",
            "uptime": "2h10m5s",
            "tx-ccq": "93",
        }
    ]


def _wifi(router: Device) -> list[Row]:
    return [
        {
            ".id": "*1",
            "interface": "wifi1",
            "mac-address": mac(router, "client"),
            "ssid": "office",
            "signal": "-61",
            "tx-rate": "1200Mbps",
            "rx-rate": "960Mbps",
            "uptime": "2h10m5s",
            "authorized": "yes",
        }
    ]


def _license(router: Device) -> list[Row]:
    return [{"software-id": router.software_id, "nlevel": "5", "features": ""}]


PROVIDERS: dict[str, Callable[[Device], list[Row]]] = {
    "system/resource": _resource,
    "system/routerboard": _routerboard,
    "system/health": _health,
    "system/package": _packages,
    "system/device-mode": _device_mode,
    "system/license": _license,
    "system/history": _history,
    "log": _log,
    "user/active": _active,
    "ip/neighbor": _neighbors,
    "interface/wireless/registration-table": _wireless,
    "interface/wifi/registration-table": _wifi,
}


def mac(router: Device, name: str) -> str:
    """Always the same for the same router and name."""
    number = zlib.crc32(f"{router.serial}/{name}".encode())
    return "48:A9:" + ":".join(f"{number >> shift & 255:02X}" for shift in (24, 16, 8, 0))


def counters(router: Device, name: str) -> Row:
    """Bytes that grow with the uptime."""
    seconds = int(router.clock.uptime().total_seconds())
    pace = 1000 + zlib.crc32(name.encode()) % 9000
    return {
        "rx-byte": str(seconds * pace),
        "tx-byte": str(seconds * pace // 2),
        "rx-packet": str(seconds * pace // 800),
        "tx-packet": str(seconds * pace // 900),
        "rx-error": "0",
        "tx-error": "0",
        "link-downs": "0",
    }


def computed(router: Device, menu: Menu, row: Row) -> Row:
    """What a row says beyond what was set."""
    return _COMPUTED[menu.path](router, row) if menu.path in _COMPUTED else {}


def _running(_: Device, row: Row) -> Row:
    return {"running": _bool(row.get("disabled") != "yes")}


def _address(_: Device, row: Row) -> Row:
    network = str(ipaddress.ip_interface(row["address"]).network.network_address)
    return {"network": row.get("network") or network, "actual-interface": row["interface"]}


def _route(_: Device, row: Row) -> Row:
    return {"active": _bool(row.get("disabled") != "yes")}


def _scheduler(router: Device, row: Row) -> Row:
    found: Row = {"run-count": row.get("run-count", "0")}
    due = router.scheduler.due(row[".id"])
    if due is not None:
        found["next-run"] = _next_run(router, due)
    return found


def _next_run(router: Device, due: float) -> str:
    moment = datetime.fromtimestamp(due, UTC)
    if router.release.has_iso_dates:
        return write_moment(moment, iso=True)
    if moment.date() == router.clock.now().date():
        return f"{moment:%H:%M:%S}"
    return f"{MONTHS[moment.month - 1]}/{moment.day:02}/{moment.year} {moment:%H:%M:%S}"


def _time(router: Device, _: Row) -> Row:
    now = router.clock.now()
    return {
        "time": f"{now:%H:%M:%S}",
        "date": write_date(now, iso=router.release.has_iso_dates),
        "gmt-offset": "+00:00",
    }


def _update(router: Device, _: Row) -> Row:
    found = {"installed-version": router.release.text}
    if latest := router.checked_for_updates:
        found["latest-version"] = latest
        current = latest == router.release.text
        found["status"] = "System is already up to date" if current else "New version is available"
    return found


def _user(_: Device, row: Row) -> Row:
    row.pop("password", None)
    return {}


_COMPUTED: dict[str, Callable[[Device, Row], Row]] = {
    "interface/ethernet": _running,
    "interface/bridge": _running,
    "interface/vlan": _running,
    "interface/wireguard": _running,
    "interface/wireless": _running,
    "interface/wifi": _running,
    "interface/bonding": _running,
    "interface/eoip": _running,
    "interface/gre": _running,
    "interface/pppoe-client": _running,
    "interface/vrrp": _running,
    "ip/address": _address,
    "ip/route": _route,
    "system/scheduler": _scheduler,
    "system/clock": _time,
    "system/package/update": _update,
    "user": _user,
}


def _bool(value: bool) -> str:
    return "yes" if value else "no"

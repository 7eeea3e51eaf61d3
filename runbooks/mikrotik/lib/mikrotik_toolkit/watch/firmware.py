"""Which version a router has, and which it could have."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import runbook
from mikrotik_toolkit import given, known, showing
from runbook.connectors import routeros
from runbook.connectors.errors import ConnectorError, ErrorCode
from runbook.connectors.routeros.router import Router
from runbook.connectors.routeros.versions import Version, read_version

UPDATE = "/system/package/update"


class Group(StrEnum):
    UP_TO_DATE = "up-to-date"
    OUTDATED = "outdated"
    UNKNOWN = "unknown"
    """The router can't find out which version is the newest."""


@dataclass(frozen=True, slots=True)
class Firmware:
    """`latest` is empty if it isn't known. `boot` and `boot_latest` are RouterBOARD's own."""

    installed: str
    latest: str
    channel: str
    status: str
    boot: str = ""
    boot_latest: str = ""

    @property
    def group(self) -> Group:
        if not self.latest:
            return Group.UNKNOWN
        newer = read_version(self.latest) > read_version(self.installed)
        return Group.OUTDATED if newer else Group.UP_TO_DATE

    @property
    def boot_outdated(self) -> bool:
        return bool(self.boot_latest) and self.boot_latest != self.boot


def check() -> None:
    """FirmwareCheck."""
    with routeros.connect("ROUTER") as router:
        found = firmware_of(router, given.text("LATEST"))
    known.report(
        {
            "firmware": found.boot,
            "firmware_group": found.group.value,
            "latest_version": found.latest or None,
            "update_channel": found.channel,
        },
        version=found.installed,
        last_seen="now",
    )
    print(f"{known.name_of()}: RouterOS {found.installed}, {found.group}"
          f"{f', newest is {found.latest}' if found.latest else ''}")  # fmt: skip
    if found.boot_outdated:
        print(f"RouterBOARD has {found.boot}, and could have {found.boot_latest}")
    rows = [
        ("RouterOS", found.installed, found.latest, found.group),
        ("RouterBOARD", found.boot, found.boot_latest, "outdated" if found.boot_outdated else ""),
    ]
    showing.table(("", "installed", "newest", ""), rows, title=f"Firmware of {known.name_of()}")
    runbook.output("GROUP", found.group.value)
    runbook.output("INSTALLED", found.installed)
    runbook.output("LATEST", found.latest)
    runbook.output("CHANNEL", found.channel)
    runbook.output("STATUS", found.status)
    runbook.output("BOOT_OUTDATED", found.boot_outdated)


def firmware_of(router: Router, latest: str = "") -> Firmware:
    """`latest` is the version to compare with; if it is empty, the router asks MikroTik."""
    settings = next(iter(known.rows_of(router, UPDATE)), {})
    found = {"latest-version": latest, "status": "given"} if latest else _newest(router)
    board = known.board_of(router)
    return Firmware(
        str(router.version),
        _version(found.get("latest-version", "")),
        settings.get("channel", ""),
        found.get("status", ""),
        board.get("current-firmware", ""),
        board.get("upgrade-firmware", ""),
    )


def _newest(router: Router) -> dict[str, str]:
    """The last of what the router says while it asks; empty if that fails."""
    try:
        rows = router.call(f"{UPDATE}/check-for-updates", reads=True)
    except ConnectorError as error:
        if error.code is ErrorCode.TIMEOUT:
            raise
        return {"status": error.message}
    found: dict[str, str] = {}
    for row in rows:
        found.update(row)
    return found


def _version(text: str) -> str:
    try:
        return str(read_version(text))
    except ValueError:
        return ""


def target_of(found: Firmware, wanted: str, *, major: bool) -> Version | None:
    """The version to install; None if the router has it. Raises `invalid` or `conflict`."""
    text = wanted or found.latest
    if not text:
        said = f"The router doesn't know the newest version: {found.status}. Set VERSION"
        raise ConnectorError(said, ErrorCode.NOT_FOUND, nothing_changed=True)
    target, installed = read_version(text), read_version(found.installed)
    if target == installed:
        return None
    if target < installed:
        said = f"{target} is older than {installed}. A downgrade is not done here"
        raise ConnectorError(said, ErrorCode.CONFLICT, nothing_changed=True)
    if target.major != installed.major and not major:
        said = f"{installed} to {target} is another major version. Allow it by MAJOR"
        raise ConnectorError(said, ErrorCode.CONFLICT, nothing_changed=True)
    return target

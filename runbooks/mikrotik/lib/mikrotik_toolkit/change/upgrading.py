"""Upgrades a router, in steps that can each be repeated."""

from __future__ import annotations

import hashlib
import os
import re
import time
import urllib.request
from collections.abc import Callable
from pathlib import PurePosixPath
from urllib.parse import urlsplit

import runbook
from mikrotik_toolkit import given, known
from mikrotik_toolkit.watch import firmware
from runbook.connectors import routeros
from runbook.connectors.effects import doing, earlier, effect
from runbook.connectors.errors import ConnectorError, ErrorCode
from runbook.connectors.routeros.router import Router
from runbook.connectors.routeros.versions import read_version

TARGET = "UPGRADE_TARGET"
"""The version that later steps install; empty if there is nothing to do."""
BACKUP = "mikrotik/Backup.md"
RESTART, BOOT = "restart", "boot firmware"
POLL_S = 5.0
SETTLE_S = 5.0
"""A router that still answers has not begun to restart."""
MOST_BYTES = 128 * 1024 * 1024
DOWNLOAD_S = 60
ROUTER_DOWNLOAD_S = 1800
GONE = (ErrorCode.UNREACHABLE, ErrorCode.TRUNCATED, ErrorCode.TIMEOUT, ErrorCode.REFUSED,
        ErrorCode.TLS)  # fmt: skip


def check() -> None:
    """Decide on the version."""
    with routeros.connect("ROUTER") as router:
        found = firmware.firmware_of(router, given.text("VERSION"))
        target = firmware.target_of(found, given.text("VERSION"), major=given.flag("MAJOR"))
        free = known.whole(router.resource, "free-hdd-space")
    runbook.output("FROM", found.installed)
    runbook.output("TO", str(target or found.installed))
    runbook.env(TARGET, str(target or ""))
    if target is None:
        print(f"{known.name_of()} has {found.installed} already")
    else:
        print(f"{known.name_of()}: {found.installed} to {target}, {free // 1024 // 1024} MiB free")
    runbook.progress(5, "checked")


def back_up() -> None:
    """Always, whatever the inputs say."""
    if _target() and not runbook.dry_run():
        runbook.call(BACKUP, ROUTER=known.name_of())
    runbook.progress(20, "backed up")


def fetch() -> None:
    """Get the package onto the router: it downloads it, or we upload it."""
    target = _target()
    if not target:
        return
    url = given.text("URL")
    with routeros.connect("ROUTER") as router:
        if str(router.version) == target:
            return
        if url:
            name, content = downloaded(url, target)
            with doing(f"upload {name} ({len(content) // 1024} KiB)"):
                router.put(name, content)
        else:
            with doing(f"let {known.name_of()} download RouterOS {target}"):
                _download(router)
    runbook.progress(50, "the package is there")


def _download(router: Router) -> None:
    """By SSH, as the API's limit for a command is too short for it."""
    said = router.console("/system package update download", timeout=ROUTER_DOWNLOAD_S)
    if found := re.search(r"status: (ERROR.*)", said, re.IGNORECASE):
        text = f"{known.name_of()} can't download the package: {found[1].strip()}"
        raise ConnectorError(text, ErrorCode.DEVICE_ERROR, nothing_changed=True)


def downloaded(url: str, target: str) -> tuple[str, bytes]:
    """The package of our mirror, with its name. Its SHA-256 must be the given one, if any."""
    name = PurePosixPath(urlsplit(url).path).name
    if not name.endswith(".npk") or target not in name:
        raise given.invalid(
            f"URL must name a package of {target}, such as routeros-{target}-arm.npk"
        )
    try:
        with urllib.request.urlopen(url, timeout=DOWNLOAD_S) as reply:  # noqa: S310 - type: url
            content = reply.read(MOST_BYTES + 1)
    except OSError as error:
        text = f"{url} can't be downloaded: {error}"
        raise ConnectorError(text, ErrorCode.UNREACHABLE, nothing_changed=True) from None
    if len(content) > MOST_BYTES:
        raise given.invalid(f"The package has more than {MOST_BYTES // 1024 // 1024} MiB")
    wanted = given.text("SHA256").lower()
    if wanted and hashlib.sha256(content).hexdigest() != wanted:
        text = f"{name} doesn't have the SHA-256 that was given"
        raise ConnectorError(text, ErrorCode.TRUNCATED, nothing_changed=True)
    return name, content


def restart() -> None:
    """Restart into the new version, and wait until the router says that it has it."""
    target = _target()
    if not target:
        return
    runbook.progress(60, "restarting")
    _restarted(
        RESTART, f"restart {known.name_of()} into {target}", lambda it: version_is(it, target)
    )
    runbook.progress(80, f"RouterOS {target}")


def version_is(router: Router, target: str) -> bool:
    return router.version == read_version(target)


def boot_firmware() -> None:
    """Bring RouterBOARD's own firmware to the version that RouterOS has brought with it."""
    if not _target() or not given.flag("BOOT"):
        return
    with routeros.connect("ROUTER") as router:
        board = known.board_of(router)
        if board.get("upgrade-firmware", "") in ("", board.get("current-firmware", "")):
            return
        with doing(f"write the firmware {board['upgrade-firmware']} at the next restart"):
            router.call("/system/routerboard/upgrade")
    what = f"restart {known.name_of()} for its firmware"
    _restarted(BOOT, what, _boot_is_current)


def _boot_is_current(router: Router) -> bool:
    board = known.board_of(router)
    return board.get("upgrade-firmware", "") == board.get("current-firmware", "")


def record() -> None:
    """Tell the inventory."""
    if runbook.dry_run():
        return
    with routeros.connect("ROUTER") as router:
        found = known.identity_of(router)
    known.report(found.pop("facts"), last_seen="now", **found)
    runbook.output("VERSION", found["version"])
    runbook.progress(100, f"RouterOS {found['version']}")


def _target() -> str:
    return os.environ.get(TARGET, "")


def _restarted(key: str, what: str, is_done: Callable[[Router], bool]) -> None:
    """Restart unless it is done: an earlier attempt may have."""
    before, most_s = earlier(key), given.whole("WAIT", 300)
    # It may be restarting still.
    if before and _waited(lambda _: True, most_s) and _waited(is_done, SETTLE_S):
        before[0].adopt()
        return
    for change in before:
        change.did_not_happen()
    with routeros.connect("ROUTER") as router:
        if not router.dry_run and is_done(router):
            return
        with effect(what, key=key, probe={"router": known.name_of()}):
            _reboot(router)
    if runbook.dry_run():
        return
    time.sleep(SETTLE_S)
    if not _waited(is_done, most_s):
        text = f"{known.name_of()} didn't come back as wanted within {most_s} s"
        raise ConnectorError(f"{text}. Look at its log and its console", ErrorCode.TASK_FAILED)


def _reboot(router: Router) -> None:
    try:
        router.call("/system/reboot")
    except ConnectorError as error:
        # It may restart before it answers.
        if error.code not in GONE:
            raise


def _waited(is_done: Callable[[Router], bool], most_s: float) -> bool:
    """Whether it is done, once the router can be reached."""
    deadline = time.monotonic() + most_s
    while True:
        try:
            with routeros.connect("ROUTER") as router:
                if is_done(router):
                    return True
        except ConnectorError as error:
            if error.code not in GONE:
                raise
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_S)

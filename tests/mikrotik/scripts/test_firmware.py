"""Routers are checked for updates, and upgraded."""

import hashlib
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from runbook.connectors.errors import ErrorCode
from runbook.errors import RunbookError

BACKUP = "mikrotik/Backup.md"
PACKAGE = b"package" * 1000


@pytest.fixture
def quick(site, monkeypatch):
    """Looks at a router that restarts more often than in practice."""
    from mikrotik_toolkit.change import upgrading

    monkeypatch.setattr(upgrading, "POLL_S", 0.05)
    monkeypatch.setattr(upgrading, "SETTLE_S", 0.2)
    return site


@pytest.fixture
def mirror():
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(PACKAGE)

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.parametrize(
    ("version", "newest", "group"),
    [("7.18", "", "outdated"), ("7.20", "7.20", "up-to-date"), ("6.49", "", "outdated")],
)
def test_the_newest_version_is_compared(site, version, newest, group):
    site.router(version=version).newest = newest
    done = site.execute("FirmwareCheck", ROUTER="core-1", dry_run=version == "6.49")
    assert (done.code, done.outputs["GROUP"], str(done.outputs["INSTALLED"])) == (0, group, version)
    assert done.device["facts"]["firmware_group"] == group


def test_a_closed_network_says_what_is_newest(site):
    site.router(version="7.18")
    done = site.execute("FirmwareCheck", ROUTER="core-1", LATEST="7.18")
    assert (done.outputs["GROUP"], done.outputs["BOOT_OUTDATED"]) == ("up-to-date", True)


def test_a_router_is_backed_up_upgraded_and_restarted_twice(quick):
    router = quick.router(version="7.18", boot_seconds=0.2)
    router.newest = "7.20"

    done = quick.execute("FirmwareUpgrade", ROUTER="core-1", WAIT="20")

    assert done.code == 0, done.error
    assert quick.calls == [(BACKUP, {"ROUTER": "core-1"})]
    assert (router.release.text, router.boots) == ("7.20", 3)
    assert done.device["version"] == "7.20"
    assert done.device["facts"]["firmware"] == "7.20"
    assert quick.journal.states == ["done", "done"]

    again = quick.execute("FirmwareUpgrade", ROUTER="core-1")
    assert (again.code, router.boots, len(quick.calls)) == (0, 3, 1)


def test_a_package_of_our_own_is_verified_and_uploaded(quick, mirror):
    router = quick.router(version="7.18", boot_seconds=0.2)
    given = {"VERSION": "7.20", "URL": f"{mirror}/routeros-7.20-arm64.npk", "BOOT": "false"}

    wrong = quick.execute("FirmwareUpgrade", ROUTER="core-1", SHA256="0" * 64, **given)
    assert (wrong.error.code, router.boots) == (ErrorCode.TRUNCATED, 1)

    right = hashlib.sha256(PACKAGE).hexdigest()
    done = quick.execute("FirmwareUpgrade", ROUTER="core-1", SHA256=right, WAIT="20", **given)
    assert (done.code, router.release.text, router.boots) == (0, "7.20", 2), done.error


def test_what_should_not_be_done_is_refused_before_the_backup(quick):
    router = quick.router(version="6.49")
    major = quick.execute("FirmwareUpgrade", ROUTER="core-1", VERSION="7.18")
    older = quick.execute("FirmwareUpgrade", ROUTER="core-1", VERSION="6.48")
    assert (major.error.code, older.error.code) == (ErrorCode.CONFLICT, ErrorCode.CONFLICT)
    assert (quick.calls, router.boots) == ([], 1)


def test_without_a_backup_nothing_is_upgraded(quick):
    router = quick.router(version="7.18")
    quick.answers[BACKUP] = RunbookError("No space")
    done = quick.execute("FirmwareUpgrade", ROUTER="core-1")
    assert (done.code, router.boots, router.downloaded) == (1, 1, "")


def test_a_router_that_comes_back_with_the_old_version_fails(quick, monkeypatch):
    router = quick.router(version="7.18", boot_seconds=0.2)
    from mikrotik_toolkit.change import upgrading

    monkeypatch.setattr(upgrading, "fetch", lambda: None)
    done = quick.execute("FirmwareUpgrade", ROUTER="core-1", VERSION="7.20", WAIT="1")
    assert (done.error.code, router.boots) == (ErrorCode.TASK_FAILED, 2)


def test_a_retry_finds_what_an_attempt_that_was_killed_has_done(quick):
    router = quick.router(version="7.18", boot_seconds=0.2)
    probe = {"router": "core-1"}
    quick.journal.intend("", "restart", "restart core-1", probe)
    router.downloaded = "7.20"
    router.reboot()

    quick.patch.setenv("UPGRADE_TARGET", "7.20")
    from mikrotik_toolkit.change import upgrading

    router.wait_until_up(boots=2)
    quick.execute("FirmwareCheck", ROUTER="core-1")
    upgrading.restart()

    assert (router.boots, router.release.text) == (2, "7.20")
    assert quick.journal.states == ["done"]


def test_a_dry_run_plans_and_restarts_nothing(quick):
    router = quick.router(version="7.18")
    done = quick.execute("FirmwareUpgrade", ROUTER="core-1", VERSION="7.20", dry_run=True)
    assert (done.code, router.boots, router.downloaded) == (0, 1, "")
    assert any("/system/reboot" in line for line in done.plan)

"""A device that a real SNMP agent describes, from there to NetBox and back."""

import json
import shutil
import subprocess
import time
from contextlib import contextmanager

import pytest

from needs import need
from netbox.conftest import is_real
from netbox.endpoint import loopback
from netbox.test_toolkit import Site
from patience import PATIENCE_S
from ports import free_port

COMMUNITY = "a-community-of-the-tests"

pytestmark = pytest.mark.skipif(is_real(), reason="counts all objects")


@pytest.fixture(autouse=True)
def snmp():
    need(shutil.which("snmpd") and shutil.which("snmpwalk"), "snmpd and snmp")


@pytest.fixture
def agent(tmp_path):
    with running(tmp_path) as port:
        yield port


@contextmanager
def running(folder):
    port = free_port()
    settings = folder / "snmpd.conf"
    settings.write_text(f"rocommunity {COMMUNITY} 127.0.0.1\nsysName router-1\n")
    log = folder / "snmpd.log"
    process = subprocess.Popen(
        [
            "snmpd",
            "-f",
            "-Lf",
            log,
            "-C",
            "-c",
            settings,
            "-p",
            folder / "pid",
            f"udp:127.0.0.1:{port}",
        ],
        env={"SNMP_PERSISTENT_DIR": str(folder), "PATH": "/usr/sbin:/usr/bin", "MIBS": ""},
    )
    try:
        deadline = time.monotonic() + PATIENCE_S
        while "NET-SNMP version" not in (log.read_text() if log.exists() else ""):
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.01)  # its log is the only sign of readiness
        yield port
    finally:
        process.terminate()
        process.wait(PATIENCE_S)


@pytest.fixture
def watched(tmp_path):
    with loopback() as (netbox, endpoint):
        yield Site(netbox, tmp_path), endpoint


def test_a_device_is_added_once_and_undone_whole(watched, agent, tmp_path):
    site, endpoint = watched
    secret = tmp_path / "community"
    secret.write_text(COMMUNITY)
    options = ["--secret", f"COMMUNITY=@{secret}"]
    given = {"HOST": "127.0.0.1", "PORT": agent, "SITE": "Berlin"}

    def counts():
        paths = ("dcim/sites", "dcim/devices", "dcim/interfaces", "ipam/ip-addresses")
        return [len(endpoint.database.rows(path)) for path in paths]

    planned = site.execute("ImportBySnmp", *options, "--dry-run", **given)
    assert (planned.code, counts()) == (0, [0, 0, 0, 0]), planned.text
    added = site.execute("ImportBySnmp", *options, **given)
    assert added.code == 0, added.text
    assert counts()[:2] == [1, 1]
    assert counts()[2] > 0
    assert len(planned.plan) == len(endpoint.changing)

    after = len(endpoint.changing)
    again = site.execute("ImportBySnmp", *options, **given)
    assert (again.code, len(endpoint.changing)) == (0, after)

    imported = site.execute("ImportDevices")
    assert (imported.code, imported.outputs) == (0, {"COUNT": "1"}), imported.text
    out, _ = site.toolkits.start("inventory", "list", "--json").communicate(timeout=PATIENCE_S)
    (device,) = json.loads(out)["devices"]
    assert (device["site"], device["updated_run"]) == ("berlin", imported.run)

    undone = site.toolkits.rerun("undo", added.run, *options)
    assert (undone.code, counts()) == (0, [0, 0, 0, 0]), undone.text
    assert COMMUNITY not in added.text + added.stderr


def test_an_agent_that_does_not_answer_is_said(watched, tmp_path):
    site, _ = watched
    secret = tmp_path / "community"
    secret.write_text(COMMUNITY)
    given = {"HOST": "127.0.0.1", "PORT": free_port(), "SITE": "Berlin", "PATIENCE": 1}

    done = site.execute("ImportBySnmp", "--secret", f"COMMUNITY=@{secret}", **given)

    assert (done.code, "Timeout" in done.text) == (1, True)

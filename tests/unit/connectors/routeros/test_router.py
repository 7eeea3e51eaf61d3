"""Menus, the console and files of routers of several versions."""

import time

import pytest

from runbook.connectors.connection import ConnectionValues
from runbook.connectors.errors import ConnectorError, ErrorCode
from runbook.connectors.host_keys import CollectedHostKeys
from runbook.connectors.routeros import check_knowing, scan_host_keys

VERSIONS = ("6.49", "7.12", "7.18")
ADDRESS = {"address": "10.0.0.1/24", "interface": "ether2", "comment": "größe"}


def failure(call, *given, **named):
    with pytest.raises(ConnectorError) as error:
        call(*given, **named)
    return error.value


@pytest.mark.parametrize("version", VERSIONS)
def test_rows_are_added_changed_read_and_removed(lab_of, version):
    with lab_of(version).connect() as router:
        assert (str(router.version), router.board) == (version, "RB5009UG+S+")
        made = router.add("/ip address", ADDRESS)
        router.set("/ip/address", made, {"disabled": True})
        where = {"disabled": True, "interface": "ether2"}
        rows = router.print("/ip/address", where=where, properties=("address", "comment"))
        assert rows == [{"address": "10.0.0.1/24", "comment": "größe"}]
        router.set("/system/identity", None, {"name": "yes"})
        assert router.print("/system/identity") == [{"name": "yes"}]
        router.remove("/ip/address", made)
        assert router.print("/ip/address", where=where) == []
        assert len(tuple(router.api.path("ip", "address"))) == 1


def test_what_the_router_refuses_changed_nothing(lab):
    with lab.connect() as router:
        router.add("/ip/address", ADDRESS)
        for call, code in (
            (lambda: router.add("/ip/address", ADDRESS), ErrorCode.CONFLICT),
            (lambda: router.remove("/ip/address", "*FF"), ErrorCode.NOT_FOUND),
            (lambda: router.add("/ip/address", {"adress": "x"}), ErrorCode.INVALID),
            (lambda: router.call("/no/such"), ErrorCode.INVALID),
        ):
            error = failure(call)
            assert (error.code, error.nothing_changed) == (code, True)
        # It goes on after an error.
        assert len(router.print("/ip/address")) == 2


def test_the_certificate_is_verified_unless_the_connection_says_otherwise(lab_of, lab):
    assert failure(lab.connect, ca="").code is ErrorCode.TLS
    with lab.connect(ca="", tls="unverified"):
        pass
    with lab.connect(tls="plain", port=lab.router.api_port):
        pass
    # Neither falls back to the other.
    assert failure(lab.connect, port=lab.router.api_port, timeout=1).code in (
        ErrorCode.TLS,
        ErrorCode.TIMEOUT,
    )
    assert failure(lab.connect, tls="plain", timeout=1).code is not ErrorCode.AUTH
    anonymous = lab_of(certificate=False)
    assert failure(anonymous.connect, ca="").code is ErrorCode.TLS
    with anonymous.connect(ca="", tls="unverified"):
        pass


@pytest.mark.parametrize("version", VERSIONS)
def test_a_wrong_password(lab_of, version):
    lab = lab_of(version)
    error = failure(lab.connect, password="wrong")
    assert (error.code, error.nothing_changed) == (ErrorCode.AUTH, True)
    with lab.connect(ssh_password="wrong") as router:
        assert failure(router.console, "/export", reads=True).code is ErrorCode.AUTH


def test_a_router_that_hangs_or_refuses_ends_by_the_timeout(lab):
    router = lab.connect(command_timeout=1)
    lab.router.faults.slow = 30
    error = failure(router.print, "/ip/address")
    assert (error.code, error.nothing_changed) == (ErrorCode.TIMEOUT, False)
    # What comes late is no answer to the next command.
    lab.router.faults.slow = 0
    assert failure(router.print, "/ip/address").code is ErrorCode.UNREACHABLE
    router.close()
    lab.router.faults.hang = True
    error = failure(lab.connect, timeout=1)
    assert (error.code, error.nothing_changed) == (ErrorCode.TIMEOUT, True)
    lab.router.faults.hang = False
    lab.router.faults.refuse = True
    lab.router.refresh_faults()
    assert failure(lab.connect).code is ErrorCode.REFUSED


def test_a_connection_that_breaks_in_an_answer_is_truncated(lab):
    with lab.connect() as router:
        lab.router.faults.drop = True
        assert failure(router.print, "/interface").code is ErrorCode.TRUNCATED


@pytest.mark.parametrize("version", VERSIONS)
def test_an_error_of_the_console_is_found_whatever_the_exit_status(lab_of, version):
    with lab_of(version).connect() as router:
        assert router.console(":put hello", reads=True) == "hello\n"
        assert failure(router.console, "/no such").code is ErrorCode.INVALID
        assert failure(router.console, "/ip address remove *FF").code is ErrorCode.NOT_FOUND
        router.put("größe.txt", b"content")
        assert router.get("größe.txt") == b"content"
        router.remove_file("größe.txt")
        router.remove_file("größe.txt")


def test_the_time_of_each_command_begins_with_it(lab, monkeypatch):
    with lab.connect() as router:
        later = time.monotonic() + 3600
        monkeypatch.setattr("runbook.connectors.routeros.client.time.monotonic", lambda: later)
        assert tuple(router.api.path("ip", "address"))
        assert router.print("/ip/address")


def test_a_router_that_sends_too_much_is_cut_off(lab, monkeypatch):
    with lab.connect() as router:
        monkeypatch.setattr("runbook.connectors.routeros.client.MOST_ANSWER_BYTES", 50)
        assert failure(router.print, "/system/resource").code is ErrorCode.TRUNCATED
        monkeypatch.undo()
        assert failure(router.print, "/system/resource").code is ErrorCode.UNREACHABLE
    with lab.connect() as router:
        monkeypatch.setattr("runbook.connectors.routeros.config.MOST_BYTES", 10)
        assert failure(router.export).code is ErrorCode.TRUNCATED


def test_a_changed_host_key_is_refused(lab):
    with lab.connect() as router:
        router.console(":put 1", reads=True)
    assert lab.keys.met == {f"127.0.0.1:{lab.router.ssh_port}": lab.router.host_key}
    before = dict(lab.keys.met)
    lab.router.change_host_key()
    with lab.connect() as router:
        assert failure(router.console, ":put 1", reads=True).code is ErrorCode.HOST_KEY
    given = ConnectionValues("lab", "routeros", lab.values())
    found = scan_host_keys(given, CollectedHostKeys(before))
    assert found == {f"127.0.0.1:{lab.router.ssh_port}": lab.router.host_key}


def test_a_check_says_the_version_and_the_board(lab):
    given = ConnectionValues("lab", "routeros", lab.values())
    found = check_knowing(given, CollectedHostKeys({}))
    assert (found.ok, found.version) == (True, "7.18")
    assert "RB5009UG+S+" in found.message


def test_a_dry_run_changes_nothing(lab, plans):
    before = lab.router.snapshot()
    with lab.connect(dry_run=True) as router:
        assert router.add("/ip/address", ADDRESS) == ""
        router.set("/user", "admin", {"password": "a-new-one"})
        router.api.path("ip", "address").add(address="10.0.0.2/24", interface="ether1")
        router.console("/system reboot")
        router.put("x.rsc", b"")
        router.remove("/ip/address", "*1")
        assert router.call("/system/resource/print", reads=True)[0]["version"] == "7.18 (stable)"
        assert "/ip address" in router.export()
        assert router.validate("/ip address\nadd adress=x\n").ok is False
    assert lab.router.snapshot() == before
    assert lab.router.boots == 1
    assert plans == [
        "/ip/address/add address=10.0.0.1/24 interface=ether2 comment=größe on lab",
        "/user/set .id=admin password=*** on lab",
        "/ip/address/add address=10.0.0.2/24 interface=ether1 on lab",
        "/system reboot on lab",
        "write x.rsc (0 bytes) on lab",
        "/ip/address/remove .id=*1 on lab",
    ]

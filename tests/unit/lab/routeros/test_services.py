"""The API's sentences, users and their rights, faults, and what differs between versions."""

import socket
import threading
import time
from contextlib import contextmanager

import paramiko
import pytest
from hypothesis import given
from hypothesis import strategies as st

from patience import PATIENCE_S
from runbook.lab.routeros.errors import RouterError
from runbook.lab.routeros.net import wire
from runbook.lab.routeros.router import Router
from runbook.lab.routeros.state import File


class Api:
    """Speaks in sentences."""

    def __init__(self, router, user="admin", password=""):
        self._socket = socket.create_connection((router.host, router.api_port), 5)
        self.replies = self.ask("/login", f"=name={user}", f"=password={password}")

    def send(self, *words):
        self._socket.sendall(wire.sentence(words))

    def sentence(self):
        return wire.read_sentence(self._read)

    def until_done(self):
        found = []
        while not found or found[-1][0] not in {"!done", "!fatal"}:
            found.append(self.sentence())
        return found

    def ask(self, *words):
        self.send(*words)
        return self.until_done()

    def _read(self, size):
        found = b""
        while len(found) < size:
            more = self._socket.recv(size - len(found))
            if not more:
                raise EOFError
            found += more
        return found

    def close(self):
        self._socket.close()


def wait_until(holds):
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.005)


@contextmanager
def api(router, **options):
    found = Api(router, **options)
    try:
        yield found
    finally:
        found.close()


@pytest.fixture
def router():
    with Router("7.18", certificate=False, clock_rate=60, boot_seconds=1) as found:
        yield found


@given(st.integers(0, (1 << 32) - 1))
def test_lengths_survive_the_wire(size):
    written = wire.length(size)
    parts = iter([written[:1], written[1:]])
    assert wire.read_length(lambda count: next(parts)[:count]) == size


def test_tagged_commands_interleave_and_are_cancelled(router):
    with api(router) as client:
        client.send("/ip/address/listen", ".tag=1")
        assert client.ask("/system/identity/print", ".tag=2") == [
            ["!re", ".tag=2", "=name=MikroTik"],
            ["!done", ".tag=2"],
        ]
        router.run("/ip address add address=10.0.0.1/24 interface=ether2")
        heard = client.sentence()
        assert heard[:2] == ["!re", ".tag=1"]
        assert "=address=10.0.0.1/24" in heard

        client.send("/cancel", "=tag=1", ".tag=3")
        heard = [client.sentence() for _ in range(3)]
        assert ["!done", ".tag=3"] in heard
        assert ["!trap", ".tag=1", "=category=2", "=message=interrupted"] in heard
        assert ["!done", ".tag=1"] in heard
        assert client.ask("/quit") == [["!fatal", "session terminated on request"]]


def test_an_empty_answer_is_said_since_7_18(router):
    with api(router) as client:
        assert client.ask("/ip/pool/print") == [["!empty"], ["!done"]]
    with Router("7.12", certificate=False) as older, api(older) as client:
        assert client.ask("/ip/pool/print") == [["!done"]]


def test_what_a_group_may_not_do_is_refused(router):
    router.run("/user group add name=poll policy=read,api")
    router.run("/user add name=p group=poll password=x; /user add name=s group=full disabled=yes")
    with api(router, user="p", password="x") as client:
        assert client.ask("/system/identity/print")[0][0] == "!re"
        for words in (
            ("/ip/address/add", "=address=10.0.0.1/24", "=interface=ether2"),
            ("/system/reboot",),
            ("/system/backup/save", "=name=x"),
            ("/user/set", "=.id=admin", "=password=taken"),
            ("/import", "=file-name=x"),
        ):
            assert client.ask(*words)[0] == ["!trap", "=message=not enough permissions (9)"]
    for user, password in (("p", "wrong"), ("s", ""), ("nobody", "")):
        with api(router, user=user, password=password) as client:
            assert client.replies[0][0] == "!trap"


def test_the_last_owner_stays(router):
    router.run("/user add name=second group=full")
    for command in (
        "/user remove [find]",
        "/user disable [find]",
        "/user set [find] group=read",
    ):
        with pytest.raises(RouterError):
            router.run(command)
    assert len(router.config.rows("user")) == 2


def test_faults(router):
    faults = router.faults
    with api(router) as client:
        faults.drop, faults.matching = True, "address"
        assert client.ask("/system/identity/print")[0][0] == "!re"
        client.send("/ip/address/print")
        with pytest.raises(EOFError):
            client.until_done()
    faults.drop, faults.refuse = False, True
    with pytest.raises(ConnectionRefusedError):
        Api(router)
    faults.refuse, faults.hang = False, True
    answered = threading.Event()

    def wait():
        Api(router).close()
        answered.set()

    waiting = threading.Thread(target=wait)
    waiting.start()
    assert not answered.wait(0.2)
    faults.hang = False
    assert answered.wait(5)
    waiting.join()


def test_a_client_that_left_a_router_that_hangs_is_noticed(router, monkeypatch):
    monkeypatch.setattr("runbook.lab.routeros.net.connection.POLL_S", 0.01)
    router.faults.hang = True
    with socket.create_connection((router.host, router.api_port), 5) as client:
        client.sendall(wire.sentence(["/login"]))
        wait_until(lambda: len(router.endpoints._connections) == 1)
    wait_until(lambda: not router.endpoints._connections)


def test_an_update_changes_the_version_and_keeps_the_configuration(router):
    router.newest = "7.20"
    router.run("/ip address add address=10.0.0.1/24 interface=ether2")
    assert "7.20" in router.run("/system package update check-for-updates")
    with api(router) as client:
        assert client.ask("/system/package/update/install") == [["!done"]]
    assert router.wait_until_up(boots=2)
    assert router.run(":put [/system resource get version]") == "7.20 (stable)"
    assert "10.0.0.1/24" in router.export()


def test_an_uploaded_package_is_installed_by_a_restart(router):
    router.state.files = {name: File(b"", "") for name in ("routeros-7.20-arm64.npk", "x")}
    router.reboot()
    assert router.wait_until_up(boots=2)
    assert router.release.text == "7.20"
    assert list(router.state.files) == ["x"]


def test_device_mode_home_forbids_timers_once_it_is_confirmed(router):
    with api(router) as client:
        client.send("/system/device-mode/update", "=mode=home", ".tag=1")
        assert client.ask("/system/device-mode/print")[0][1] == "=mode=advanced"
        while not router.wanted_mode:
            client.ask("/system/identity/print")
        router.press_button()
        assert client.until_done()[-1] == ["!done", ".tag=1"]
    assert router.wait_until_up(boots=2)
    with pytest.raises(RouterError, match="not allowed by device-mode"):
        router.run("/system scheduler add name=x interval=1m on-event=x")


def test_timers_at_startup_run_after_each_boot(router):
    router.run(
        '/system scheduler add name=once start-time=startup on-event="/system note set note=booted"'
    )
    router.advance(3600)
    assert router.run(":put [/system note get note]") == ""
    router.reboot()
    assert router.wait_until_up(boots=2)
    router.advance(4)
    assert router.run(":put [/system note get note]") == "booted"
    assert router.run(":put [/system scheduler get once run-count]") == "1"


def test_a_timer_whose_policy_is_too_narrow_changes_nothing(router):
    router.run("/system backup save name=b dont-encrypt=yes")
    router.run(
        "/system scheduler add name=t interval=1m policy=read,write "
        'on-event="/system backup load name=b password=\\"\\""'
    )
    router.advance(61)
    assert router.boots == 1
    assert "executing script t from scheduler failed" in router.run("/log print")


def test_a_truncated_export_looks_like_a_whole_one(router):
    whole = router.export()
    router.faults.truncate, router.faults.matching = True, "export"
    router.run("/export file=x")
    assert len(router.state.files["x.rsc"].content) < len(whole)
    with paramiko.SSHClient() as client:
        client.set_missing_host_key_policy(paramiko.AutoAddPolicy())
        client.connect(router.host, router.ssh_port, "admin", "", timeout=5, allow_agent=False)
        _, stdout, _ = client.exec_command("/export")
        said = stdout.read().decode()
        assert stdout.channel.recv_exit_status() == 0
    assert 0 < len(said) < len(whole)


def test_a_timer_runs_a_script_by_its_name(router):
    router.run('/system script add name=job source="/system note set note=done"')
    router.run("/system scheduler add name=t interval=10m on-event=job")
    router.advance(599)
    assert router.run(":put [/system note get note]") == ""
    router.advance(2)
    assert router.run(":put [/system note get note]") == "done"
    router.advance(600)
    assert router.run(":put [/system scheduler get t run-count]") == "2"


def test_the_clock_of_the_router_fires_timers_by_itself(router):
    """A minute of the router is a second of ours."""
    boots = router.boots
    router.run('/system scheduler add name=t interval=10s on-event="/system reboot"')
    assert router.wait_until_up(boots=boots + 1)


def test_an_ssh_session_that_stalls_ends_with_the_restart(router):
    with paramiko.SSHClient() as client:
        client.set_missing_host_key_policy(paramiko.AutoAddPolicy())
        client.connect(router.host, router.ssh_port, "admin", "", timeout=5, allow_agent=False)
        router.run("/ip firewall filter add chain=input action=drop")
        with pytest.raises((paramiko.SSHException, TimeoutError)):
            client.exec_command("/system identity print", timeout=0.2)
        router.reboot()
        assert router.wait_until_up(boots=2)
        client.get_transport().join(5)
        assert not client.get_transport().is_active()
    assert router.active() == []

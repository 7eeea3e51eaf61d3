"""What a push relies on: timers, backups, reboots and cut access."""

import socket
import ssl
from contextlib import contextmanager

import librouteros
import pytest
from librouteros.exceptions import LibRouterosError, TrapError

from runbook.lab.routeros import backup
from runbook.lab.routeros.errors import Rebooting, RouterError
from runbook.lab.routeros.net import wire
from runbook.lab.routeros.router import Router

PASSWORD = "secret"


@pytest.fixture
def router():
    with Router("7.18", password=PASSWORD, clock_rate=60, boot_seconds=1) as found:
        yield found


@contextmanager
def connected(router, **options):
    given = {"port": router.api_port, "timeout": 5, "encoding": "UTF-8", **options}
    api = librouteros.connect(host=router.host, username="admin", password=PASSWORD, **given)
    try:
        yield api
    finally:
        api.protocol.transport.sock.close()


def answers(router, patience=0.3):
    """Whether a new connection can log in."""
    words = ("/login", "=name=admin", f"=password={PASSWORD}")
    try:
        with socket.create_connection((router.host, router.api_port), patience) as client:
            client.sendall(wire.sentence(words))
            return client.recv(5) == b"\x05!don"
    except OSError:
        return False


def test_an_armed_rollback_restores_the_state_by_itself(router):
    before = router.snapshot()
    with connected(router, timeout=0.3) as api:
        api.config().arm_rollback(300)
        with pytest.raises((LibRouterosError, OSError)):
            api.config().apply("/ip firewall filter add chain=input action=drop")
    assert not answers(router)
    router.advance(301)
    assert router.wait_until_up(boots=2)

    assert router.snapshot() == before
    assert answers(router, 5)


def test_a_removed_timer_does_not_fire(router):
    with connected(router) as api:
        api.config().arm_rollback(300)
        api.path("ip", "address").add(address="10.0.0.1/24", interface="ether2")
        api.config().cancel_rollback()

    router.advance(3600)

    assert router.boots == 1
    assert "10.0.0.1/24" in router.export()


@pytest.mark.parametrize(
    "change",
    [
        "/ip address set [find interface=ether1] address=10.9.9.1/24",
        "/ip address remove [find interface=ether1]",
        "/interface ethernet disable ether1",
        "/interface disable [find name=ether1]",
        "/ip firewall filter add chain=input protocol=tcp dst-port=8728 action=drop",
        "/ip firewall filter add chain=input connection-state=new action=drop",
        "/ip firewall filter add chain=input src-address=!10.0.0.0/8 action=drop",
    ],
)
def test_changes_that_cut_access_are_undone_with_it(router, change):
    router.run(change)
    assert not answers(router)

    router.run("/undo")

    assert answers(router, 5)


@pytest.mark.parametrize(
    "change",
    ["/ip service disable api", "/ip service set api port=9000"],
)
def test_a_service_that_does_not_listen_refuses(router, change):
    router.run(change)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((router.host, router.api_port), 2)
    router.run("/undo")
    assert answers(router, 5)


def test_established_connections_stall_and_go_on(router):
    ask = wire.sentence(["/system/identity/print"])
    with socket.create_connection((router.host, router.api_port), 5) as client:
        client.sendall(wire.sentence(["/login", "=name=admin", f"=password={PASSWORD}"]))
        assert client.recv(100) == wire.sentence(["!done"])
        router.run("/ip firewall filter add chain=input action=drop")
        client.sendall(ask)
        client.settimeout(0.2)
        with pytest.raises(TimeoutError):
            client.recv(100)

        router.run(
            "/ip firewall filter add chain=input connection-state=established action=accept "
            "place-before=0"
        )
        client.settimeout(5)
        assert client.recv(100).startswith(b"\x03!re")
    assert not answers(router)


def test_the_certificate_verifies_and_without_one_tls_is_anonymous(router):
    verified = ssl.create_default_context(cadata=router.ca)
    anonymous = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    anonymous.check_hostname, anonymous.verify_mode = False, ssl.CERT_NONE
    anonymous.set_ciphers("ADH:@SECLEVEL=0")
    wrap = lambda sock: verified.wrap_socket(sock, server_hostname="127.0.0.1")  # noqa: E731
    with connected(router, port=router.api_ssl_port, ssl_wrapper=wrap) as api:
        assert list(api.path("ip", "address"))

    router.run("/ip service set api-ssl certificate=none")
    with (
        socket.create_connection((router.host, router.api_ssl_port), 5) as client,
        pytest.raises(ssl.SSLError),
    ):
        wrap(client)
    with connected(router, port=router.api_ssl_port, ssl_wrapper=anonymous.wrap_socket) as api:
        assert list(api.path("ip", "address"))


def test_backups_are_refused_when_damaged_or_with_the_wrong_password(router):
    router.run("/system backup save name=a password=right")
    content = bytearray(router.state.files["a.backup"].content)
    for load in ('name=a password="wrong"', 'name=b password=""'):
        with pytest.raises(RouterError):
            router.run(f"/system backup load {load}")
    content[40] ^= 1
    router.state.files["a.backup"].content = bytes(content)
    with pytest.raises(RouterError):
        router.run("/system backup load name=a password=right")
    assert router.boots == 1


DAMAGES = {
    "empty": lambda whole: b"",
    "short": lambda whole: whole[:6],
    "header": lambda whole: whole[:12],
    "cut": lambda whole: whole[:-1],
    "longer": lambda whole: whole + b"\0",
    "other": lambda whole: b"not a backup at all",
    "magic": lambda whole: b"\0" + whole[1:],
    "size": lambda whole: whole[:4] + bytes([whole[4] ^ 1]) + whole[5:],
    "middle": lambda whole: whole[:99] + bytes([whole[99] ^ 1]) + whole[100:],
    "zeros": lambda whole: whole[:8] + bytes(len(whole) - 8),
}


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("password", ["", "right"])
def test_a_damaged_backup_is_never_loaded(damage, password):
    whole = backup.pack(Router("7.18", certificate=False).config, password)
    assert backup.unpack(whole, password)
    with pytest.raises(RouterError):
        backup.unpack(DAMAGES[damage](whole), password)


def test_a_backup_of_another_router_can_be_tried(router):
    router.run("/ip firewall filter add chain=input action=drop; /user set admin password=other")
    before = router.export()
    router.run("/system backup save name=b dont-encrypt=yes")
    with Router("7.18", rescue="way in", certificate=False, boot_seconds=0) as spare:
        spare.state.files = router.state.files
        with pytest.raises(Rebooting):
            spare.run('/system backup load name=b password=""')
        assert spare.wait_until_up(boots=2)
        api = librouteros.connect(spare.host, "rescue", "way in", port=spare.api_port)
        assert len(list(api.path("ip", "firewall", "filter"))) == 1
        api.close()
        api.protocol.transport.sock.close()
        assert spare.export().split("model")[1] == before.split("model")[1]


def test_a_reset_runs_the_script(router):
    text = "/system identity set name=new\n/ip address add address=192.168.88.1/24 interface=ether1"
    with connected(router) as api:
        api.path("user").add(name="second", group="read", password="x")
        api.config().replace(text)

    assert router.wait_until_up(boots=2)
    assert router.run(":put [/system identity get name]") == "new"
    with connected(router) as api:
        assert [row["name"] for row in api.path("user")] == ["admin", "second"]


def test_an_import_that_does_not_parse_changes_nothing(router):
    before = router.snapshot()
    with connected(router) as api:
        config = api.config()
        with pytest.raises(TrapError) as caught:
            config.apply("/ip address add address=10.0.0.1/24 interface=ether2\n/ip address ad x\n")
        assert "line 2 column" in str(caught.value)
        assert router.snapshot() == before

        with pytest.raises(TrapError) as caught:
            config.validate("/ip address\nadd address=10.0.0.1/24 interface=ether2\nadd address=no")
        assert "line 3" in str(caught.value)
        config.validate("/ip address add address=10.0.0.1/24 interface=ether2")
    assert router.snapshot() == before


def test_the_state_survives_the_process(tmp_path):
    kept = tmp_path / "router.json"
    with Router("7.20", state=kept) as first:
        first.run('/ip address add address=10.0.0.1/24 interface=ether2 comment="äö \\"x\\""')
        before, key = first.snapshot(), first.host_key
    assert kept.stat().st_mode & 0o777 == 0o600
    with Router("7.20", state=kept) as second:
        assert (second.snapshot(), second.host_key) == (before, key)


def test_a_timer_that_falls_back_on_an_error_removes_itself(router):
    """The event that a push leaves: its quotes are within those of another command."""
    router.run(
        "/system scheduler add name=revert interval=5m start-time=startup on-event="
        '":do { /system backup load name=\\"gone\\" password=\\"\\" } on-error={ :log error '
        '\\"revert failed\\" }; /system scheduler remove [find name=\\"revert\\"]"'
    )
    router.advance(301)
    assert router.run("/system scheduler print count-only") == "0"
    assert "revert failed" in router.run("/log print")
    assert router.boots == 1

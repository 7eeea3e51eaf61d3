"""Sessions with real OpenSSH servers."""

import socket
import threading
from contextlib import contextmanager

import pytest

from runbook.connectors.connection import ConnectionValues
from runbook.connectors.errors import ConnectorError, ErrorCode
from runbook.connectors.host_keys import CollectedHostKeys
from runbook.connectors.ssh import check_knowing, open_session, scan_host_keys
from runbook.connectors.ssh.target import route_of
from sshd import made_key


def session(values, known=None):
    return open_session(route_of("lab", values), CollectedHostKeys(known or {}))


def refused(values, known=None):
    """The error of connecting."""
    with pytest.raises(ConnectorError) as error, session(values, known):
        pass
    assert error.value.nothing_changed
    return error.value


def address(sshd):
    return f"127.0.0.1:{sshd.port}"


def test_a_command_gives_both_streams_and_its_exit_status(sshd):
    with session(sshd.values()) as server:
        found = server.run("printf größer; printf oops >&2; exit 3")
        assert (found.stdout, found.stderr, found.exit_status) == ("größer", "oops", 3)
        # It reads no input, and does not wait for any.
        assert server.run("cat; echo done").stdout == "done\n"
        with pytest.raises(ConnectorError) as failed:
            server.run("echo no such thing >&2; exit 4", check=True)
        assert failed.value.code is ErrorCode.DEVICE_ERROR
        assert "no such thing" in failed.value.message
        assert server.run("kill -9 $$").exit_status is None


def test_ten_megabytes_on_both_streams_do_not_block(sshd):
    size = 10 * 2**20
    with session(sshd.values()) as server:
        found = server.run(f"head -c {size} /dev/zero >&2; head -c {size} /dev/zero")
    assert (len(found.stdout), len(found.stderr), found.exit_status) == (size, size, 0)


def test_files_come_and_go_whole(sshd, tmp_path):
    content = bytes(range(256)) * 4096
    path = str(tmp_path / "größe.bin")
    with session(sshd.values()) as server:
        server.put(path, content)
        assert server.get(path) == content
        server.put(path, b"")
        assert server.get(path) == b""
        server.remove(path)
        for missing in (server.get, server.remove):
            with pytest.raises(ConnectorError) as error:
                missing(path)
            assert error.value.code is ErrorCode.NOT_FOUND


def test_a_changed_host_key_is_refused_with_both_fingerprints(sshd):
    known, before = {address(sshd): sshd.host_key}, sshd.fingerprint
    with session(sshd.values(), known):
        pass
    sshd.change_host_key()
    error = refused(sshd.values(), known)
    assert error.code is ErrorCode.HOST_KEY
    assert before in error.message
    assert sshd.fingerprint in error.message
    assert f"runbook connections retrust lab --fingerprint {sshd.fingerprint}" in error.message


def test_a_pinned_key_counts_whatever_is_known(sshd, tmp_path):
    made_key(tmp_path / "other")
    other = (tmp_path / "other.pub").read_text()
    known = {address(sshd): sshd.host_key}
    assert refused(sshd.values(host_key=other), known).code is ErrorCode.HOST_KEY
    with session(sshd.values(host_key=sshd.host_key), {address(sshd): other}):
        pass


def test_the_known_key_is_asked_for_though_the_server_has_others(sshd):
    made_key(sshd.folder / "rsa_key", kind="rsa")
    config = sshd.folder / "sshd_config"
    config.write_text(f"HostKey {sshd.folder}/rsa_key\n" + config.read_text())
    sshd.stop()
    sshd.start()
    rsa = " ".join((sshd.folder / "rsa_key.pub").read_text().split()[:2])
    for key in (rsa, sshd.host_key):
        with session(sshd.values(), {address(sshd): key}):
            pass


def test_a_key_with_a_passphrase(sshd):
    key = sshd.accept("locked", passphrase="open sesame")
    with session(sshd.values(private_key=key, passphrase="open sesame")) as server:
        assert server.run("true").exit_status == 0
    assert refused(sshd.values(private_key=key)).code is ErrorCode.AUTH
    assert refused(sshd.values(private_key=key, passphrase="wrong")).code is ErrorCode.INVALID


@pytest.mark.parametrize("kind", ["rsa", "ecdsa"])
def test_other_kinds_of_keys(sshd, kind):
    with session(sshd.values(private_key=sshd.accept("other", kind=kind))):
        pass


def test_a_key_or_password_that_is_not_accepted(sshd, tmp_path):
    stranger = made_key(tmp_path / "stranger")
    assert refused(sshd.values(private_key=stranger)).code is ErrorCode.AUTH
    assert refused(sshd.values(private_key="", password="guess")).code is ErrorCode.AUTH


def test_a_jump_host_whose_key_is_checked_too(sshds):
    jump, target = sshds("jump"), sshds("target")
    stranger = target.accept("through")
    given = jump.values()
    values = target.values(
        private_key=stranger,
        **{f"jump_{name}": given[name] for name in ("host", "port", "username", "private_key")},
    )
    keys = CollectedHostKeys({})
    with open_session(route_of("lab", values), keys) as server:
        assert server.run("echo $SSH_CONNECTION").stdout.split()[3] == str(target.port)
    assert keys.met == {address(jump): jump.host_key, address(target): target.host_key}
    jump.change_host_key()
    error = refused(values, keys.met)
    assert (error.code, address(jump) in error.message) == (ErrorCode.HOST_KEY, True)


def test_a_scan_stops_at_the_first_key_that_is_new(sshds):
    jump, target = sshds("jump"), sshds("target")
    given = jump.values()
    values = target.values(
        **{f"jump_{name}": given[name] for name in ("host", "port", "username", "private_key")}
    )
    connection = ConnectionValues("lab", "ssh", values)
    first = scan_host_keys(connection, CollectedHostKeys({}))
    assert first == {address(jump): jump.host_key}
    both = scan_host_keys(connection, CollectedHostKeys(first))
    assert both == {**first, address(target): target.host_key}


@contextmanager
def silent_server(greeting):
    """Accepts one connection, says something, then nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        held = []

        def accept():
            connection, _ = listening.accept()
            held.append(connection)
            connection.sendall(greeting)

        thread = threading.Thread(target=accept)
        thread.start()
        yield {"host": "127.0.0.1", "port": listening.getsockname()[1], "username": "x"}
        thread.join()
        for connection in held:
            connection.close()


@pytest.mark.parametrize("greeting", [b"", b"SSH-2.0-Silent\r\n"])
def test_a_server_that_hangs_after_accepting_ends_by_the_timeout(greeting):
    with silent_server(greeting) as values:
        error = refused({**values, "password": "secret", "timeout": 1})
    assert error.code is ErrorCode.TIMEOUT


def test_an_sshd_that_hangs_after_accepting_ends_by_the_timeout(sshd):
    with sshd.frozen():
        assert refused(sshd.values(timeout=1)).code is ErrorCode.TIMEOUT
    with session(sshd.values(), {address(sshd): sshd.host_key}):
        pass


def test_a_command_that_hangs_ends_by_its_timeout(sshd):
    with session(sshd.values(command_timeout=1)) as server:
        with pytest.raises(ConnectorError) as error:
            server.run("sleep 600")
        assert (error.value.code, error.value.nothing_changed) == (ErrorCode.TIMEOUT, False)
        # Also one that prints all the time.
        with pytest.raises(ConnectorError) as error:
            server.run("while sleep 0.1; do echo; done")
        assert error.value.code is ErrorCode.TIMEOUT
        assert server.run("true").exit_status == 0


def test_output_of_a_connection_that_breaks_is_truncated(sshd):
    with session(sshd.values()) as server:
        with pytest.raises(ConnectorError) as error:
            server.run("echo begun; kill -9 $PPID; sleep 600")
        assert error.value.code is ErrorCode.TRUNCATED


def test_a_closed_port_refuses(sshd):
    sshd.stop()
    assert refused(sshd.values()).code is ErrorCode.REFUSED


def test_a_check_says_the_version_and_the_keys_that_it_met(sshd):
    keys = CollectedHostKeys({})
    found = check_knowing(ConnectionValues("lab", "ssh", sshd.values()), keys)
    assert (found.ok, found.version.startswith("OpenSSH_")) == (True, True)
    assert keys.met == {address(sshd): sshd.host_key}

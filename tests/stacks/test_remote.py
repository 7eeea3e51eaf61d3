"""Engines that are reached by TLS and by SSH. Part of `make test-images`."""

import getpass

import pytest

import sshd as sshd_module
from docker_engine.certificates import Authority
from runbook.connectors.checking import answer
from runbook.connectors.errors import ErrorCode
from sshd import sshds

__all__ = ["sshds"]
COMMAND = """\
#!/bin/sh
# What a login shell of the remote user would have.
export PATH={path}:$PATH DOCKER_HOST={host}
exec sh -c "$SSH_ORIGINAL_COMMAND"
"""


@pytest.fixture
def remote(site, sshds, tmp_path, monkeypatch):
    """The values of a connection by SSH to a machine whose engine is the one of the tests."""
    force = tmp_path / "command"
    path = f"{site.engine.programs}/root/usr/bin"
    force.write_text(COMMAND.format(path=path, host=site.engine.host))
    force.chmod(0o755)
    more = f"ForceCommand {force}\n"
    monkeypatch.setattr(sshd_module, "CONFIGURATION", sshd_module.CONFIGURATION + more)
    server = sshds()
    return {
        "transport": "ssh",
        "host": "127.0.0.1",
        "ssh_port": server.port,
        "username": getpass.getuser(),
        "private_key": server.private_key,
        "host_key": server.host_key,
    }


def by_tls(engine, **more):
    return {
        "transport": "tls",
        "host": engine.address,
        "port": 2376,
        "ca": engine.authority.text("ca.pem"),
        "client_cert": engine.authority.text("client.pem"),
        "client_key": engine.authority.text("client-key.pem"),
        **more,
    }


def checked(site, monkeypatch, values):
    monkeypatch.setenv("PATH", site.toolkits.environment["PATH"])
    config = {"config": str(site.engine.folder / "config")}
    question = {"name": "dock", "kind": "docker", "values": {**values, **config}, "host_keys": {}}
    return answer("runbook.connectors.compose", question)


def test_a_stack_is_rolled_out_and_scaled_by_tls(site, monkeypatch):
    site.connect("prod", **by_tls(site.engine))
    done = site.execute("Rollout", ENGINE="prod")
    assert done.code == 0, done.text
    assert site.execute("Scale", ENGINE="prod", SERVICE="app", REPLICAS="2").code == 0
    assert len(site.images()) == 2
    assert checked(site, monkeypatch, by_tls(site.engine)).ok


def test_certificates_of_others_are_refused(site, monkeypatch, tmp_path):
    other = Authority(tmp_path / "other")
    other.client("client")
    unknown = checked(site, monkeypatch, by_tls(site.engine, ca=other.text("ca.pem")))
    assert (unknown.ok, unknown.code) == (False, ErrorCode.TLS)
    client = {"client_cert": other.text("client.pem"), "client_key": other.text("client-key.pem")}
    refused = checked(site, monkeypatch, by_tls(site.engine, **client))
    assert (refused.ok, refused.code) == (False, ErrorCode.AUTH)
    site.connect("prod", **by_tls(site.engine, **client))
    done = site.execute("Rollout", ENGINE="prod")
    assert (done.code, done.outputs["reason"]) == (40, "auth")
    assert site.containers() == {}


def test_a_stack_is_rolled_out_and_backed_up_by_ssh(site, remote, monkeypatch):
    site.connect("edge", **remote)
    done = site.execute("Rollout", ENGINE="edge")
    assert done.code == 0, done.text
    assert site.images() == [site.offer("v1")]
    saved = site.execute("Backup", ENGINE="edge")
    assert saved.code == 0, saved.text
    assert list(saved.outputs["volumes"]) == ["web_data"]
    assert checked(site, monkeypatch, remote).ok


def test_another_host_key_is_refused(site, remote, monkeypatch):
    other = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f"
    found = checked(site, monkeypatch, {**remote, "host_key": other})
    assert (found.ok, found.code) == (False, ErrorCode.HOST_KEY)

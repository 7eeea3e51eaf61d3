"""Connections of a command line, a folder, and variables."""

import pytest

from runbook.engine.connections.loose import ENVIRONMENT, LooseConnections, made, read_file
from runbook.errors import InvalidConnectionError

FILE = "kind: netbox\nvalues: {url: 'https://n.example.com', token: a-token}\n"
VARIABLES = {"NETBOX_URL": "https://e.example.com", "NETBOX_TOKEN": "e-token"}


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "IPAM.yaml").write_text(FILE)
    return tmp_path


def test_the_command_line_comes_before_the_folder(folder):
    given = {"IPAM": made("IPAM", "netbox", {"url": "https://g.example.com", "token": "aaaa"}, "")}
    loose = LooseConnections({}, folder)
    assert loose.find("IPAM", "netbox").values["url"] == "https://n.example.com"
    assert LooseConnections(given, folder).find("IPAM", "netbox") is given["IPAM"]
    assert loose.find("other", "netbox") is None
    assert loose.find("../IPAM", "netbox") is None


def test_variables_make_a_connection(folder):
    loose = LooseConnections({}, folder, VARIABLES)
    assert loose.find(ENVIRONMENT, "netbox").values == {
        "url": "https://e.example.com", "token": "e-token", "verify_tls": True, "timeout": 30
    }  # fmt: skip
    assert loose.find(ENVIRONMENT, "proxmox") is None
    assert list(loose.names("netbox")) == ["IPAM", ENVIRONMENT]
    assert (loose.for_input("IPAM", "netbox"), loose.for_input("OTHER", "netbox")) == (
        "IPAM",
        ENVIRONMENT,
    )
    assert loose.for_input("OTHER", "proxmox") is None


def test_what_makes_no_connection_is_said_without_its_values(folder):
    (folder / "bad.yaml").write_text("kind: netbox\nvalues: {token: a-token}")
    (folder / "odd.yaml").write_text("- a-token")
    (folder / "bytes.yaml").write_bytes(b"\xff")
    for name in ("bad", "odd", "bytes", "nowhere"):
        with pytest.raises(InvalidConnectionError) as raised:
            read_file(name, folder / f"{name}.yaml")
        assert "a-token" not in str(raised.value)
    only_token = LooseConnections(environment={"NETBOX_TOKEN": "e-token"})
    with pytest.raises(InvalidConnectionError):
        only_token.find(ENVIRONMENT, "netbox")

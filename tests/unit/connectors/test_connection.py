"""What a script reads of its connections."""

import json

import pytest

from runbook.connectors import connection
from runbook.connectors.errors import ConnectorError, ErrorCode

PVE = {"name": "lab", "kind": "proxmox", "values": {"host": "pve"}}


def test_a_declared_connection_is_read(monkeypatch, tmp_path):
    (tmp_path / "PVE.json").write_text(json.dumps(PVE))
    monkeypatch.setenv("RUNBOOK_CONNECTIONS", str(tmp_path))
    found = connection.read("PVE")
    assert (found.name, found.kind, found.values) == ("lab", "proxmox", {"host": "pve"})
    assert "pve" not in repr(found)
    assert found.device is None
    (tmp_path / "ROUTER.json").write_text(json.dumps(PVE | {"device": {"name": "edge-1"}}))
    assert connection.read("ROUTER").device == {"name": "edge-1"}


@pytest.mark.parametrize("name", ["OTHER", "", "../PVE", "BAD"])
def test_nothing_else_is(monkeypatch, tmp_path, name):
    folder = tmp_path / "connections"
    folder.mkdir()
    (tmp_path / "PVE.json").write_text(json.dumps(PVE))
    (folder / "BAD.json").write_text("[")
    for value in (str(folder), ""):
        monkeypatch.setenv("RUNBOOK_CONNECTIONS", value)
        with pytest.raises(ConnectorError) as raised:
            connection.read(name)
        assert raised.value.code is ErrorCode.NOT_FOUND

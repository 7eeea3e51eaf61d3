"""Connections over HTTP."""

import pytest

NEW = {
    "name": "api-lab",
    "kind": "proxmox",
    "values": {
        "host": "pve.example.com",
        "token_id": "root@pam!rb",
        "token_secret": "s3cret-value",
    },
    "claims": {"roles": "sre"},
    "labels": {"site": "berlin"},
}
PATH = "/api/connections/api-lab"


@pytest.fixture
def lab(client):
    yield client.post("/api/connections", json=NEW).json
    client.delete(PATH)


def test_a_connection_is_shown_without_its_secrets(client, lab):
    assert lab["values"] == {"host": "pve.example.com", "token_id": "root@pam!rb"}
    assert lab["has_secret"] == {"password": False, "token_secret": True}
    assert (lab["claims"], lab["labels"], lab["revision"]) == ({"roles": ["sre"]}, NEW["labels"], 1)
    assert (lab["usable"], lab["check"], lab["updated_by"]) == (True, None, "ann")
    assert client.get(PATH).json == lab
    assert client.get("/api/connections?kind=proxmox").json == {"connections": [lab]}
    assert client.get("/api/connections?kind=netbox").json == {"connections": []}
    everything = client.get("/api/connections").text + client.get("/api/audit").text
    assert "s3cret-value" not in everything


def test_callers_with_other_claims_see_nothing(app, token, lab):
    other = app.test_client()
    headers = {"Authorization": f"Bearer {token(sub='bob', roles=['dev'])}"}
    assert other.get("/api/connections", headers=headers).json == {"connections": []}
    refused = other.get(PATH, headers=headers)
    assert (refused.status_code, refused.json["missing"][0]["claim"]) == (403, "roles")
    for method, path in (("post", "/api/connections"), ("patch", PATH), ("delete", PATH)):
        assert getattr(other, method)(path, json={}, headers=headers).status_code == 403


def test_changes_name_what_they_change(client, lab):
    body = {"values": {"port": 8007, "token_secret": "rotated"}, "revision": 1}
    changed = client.patch(PATH, json=body).json
    assert changed["values"] == {**lab["values"], "port": 8007}
    assert (changed["revision"], changed["claims"]) == (2, lab["claims"])
    assert client.patch(PATH, json=body).status_code == 409
    assert client.delete(PATH).status_code == 200
    assert client.get(PATH).status_code == 404


@pytest.mark.parametrize(
    "call", ["patch /api/connections/lab", "post /api/connections/lab/retrust"]
)
def test_null_is_no_change(client, lab, call):
    method, path = call.split()
    assert getattr(client, method)(path, json=None, data="null").status_code == 400


def test_each_wrong_field_is_named(client, lab):
    reply = client.post("/api/connections", json=NEW | {"name": "x", "values": {"prot": 1}})
    assert (reply.status_code, reply.json["code"]) == (422, "invalid_connection")
    found = [(one["code"], one["params"]["field"]) for one in reply.json["errors"]]
    assert found == [
        ("unknown_field", "prot"), ("missing_field", "host"), ("missing_field", "token_id"),
    ]  # fmt: skip
    assert reply.json["errors"][0]["hint"] == "Did you mean port?"
    assert client.post("/api/connections", json=NEW).status_code == 409
    assert client.post("/api/connections", json=NEW | {"valeus": {}}).status_code == 400


def test_kinds_have_schemas_for_forms(client):
    kinds = {kind["name"]: kind for kind in client.get("/api/connection-kinds").json["kinds"]}
    assert kinds["proxmox"]["title"] == "Proxmox VE"
    assert kinds["netbox"]["schema"]["properties"]["token"]["writeOnly"] is True
    assert [kinds[name]["host_keys"] for name in ("netbox", "ssh", "routeros")] == [0, 1, 1]


def test_a_check_says_that_the_system_does_not_answer(client, lab, monkeypatch):
    answer = '{"ok": true, "code": null, "message": "ok", "version": "8.4"}'
    target = "runbook.engine.connections.asking.ask_module"
    monkeypatch.setattr(target, lambda *arguments, **more: answer)
    found = client.post(f"{PATH}/check").json
    assert (found["ok"], found["code"], found["version"]) == (True, None, "8.4")
    assert client.get(PATH).json["check"] == found


def test_host_keys_are_trusted_anew(client, monkeypatch):
    key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFTZyuhtxKZH1XJLSGl7mLm0QuPUbiOsXHsWPGi0QPFO"
    answer = (
        '{"ok": true, "code": null, "message": "", "version": null, '
        f'"host_keys": {{"sw1:22": "{key}"}}}}'
    )
    target = "runbook.engine.connections.asking.ask_module"
    monkeypatch.setattr(target, lambda *arguments, **more: answer)
    values = {"host": "SW1", "username": "ann", "password": "secret"}
    client.post("/api/connections", json={"name": "sw1", "kind": "ssh", "values": values})
    wrong = client.post("/api/connections/sw1/retrust", json={"fingerprint": "SHA256:x"}).json
    assert (wrong["ok"], wrong["code"], wrong["host_keys"]) == (False, "host_key", [])
    found = client.post("/api/connections/sw1/retrust", json={}).json
    (shown,) = found["host_keys"]
    assert (found["ok"], shown["address"], shown["before"]) == (True, "sw1:22", None)
    again = client.post("/api/connections/sw1/retrust", json={"fingerprint": "SHA256:x"}).json
    assert (again["ok"], again["host_keys"][0]["before"]) == (True, shown["fingerprint"])

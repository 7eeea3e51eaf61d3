"""The inventory over HTTP."""

import pytest

PATH = "/api/inventory/edge-1"
NEW = {"connection": "api-routers", "address": "192.0.2.1", "tags": ["core"], "site": "fra"}
ROUTERS = {
    "name": "api-routers",
    "kind": "proxmox",
    "values": {"host": "pve.example.com", "user": "root@pam", "password": "s3cret-value"},
    "claims": {"roles": "sre"},
}


@pytest.fixture
def edge(client):
    client.post("/api/connections", json=ROUTERS)
    yield client.put(PATH, json=NEW).json
    for one in client.get("/api/inventory").json["devices"]:
        client.delete(f"/api/inventory/{one['name']}")
    client.delete("/api/connections/api-routers")


@pytest.fixture
def headers(token):
    def of(*roles):
        return {"Authorization": f"Bearer {token(sub='bob', roles=list(roles))}"}

    return of


def test_a_device_is_shown_as_it_was_put(client, edge):
    assert {name: edge[name] for name in NEW} == NEW
    assert (edge["kind"], edge["usable"], edge["revision"]) == ("proxmox", True, 1)
    assert client.get(PATH).json == edge
    (listed,) = client.get("/api/inventory?tag=core&kind=proxmox&usable=true&q=EDGE").json[
        "devices"
    ]
    assert edge == {**listed, "facts": {}}
    assert client.get("/api/inventory?kind=netbox").json["devices"] == []
    assert client.get("/api/inventory?sort=-last_seen").json["devices"] == [listed]
    assert client.get("/api/inventory?sort=last_seen&cursor=edge-1").status_code == 400
    assert client.get("/api/inventory-filters").json["tags"] == [{"value": "core", "devices": 1}]


def test_changes_keep_what_they_do_not_name(client, edge):
    changed = client.patch(PATH, json={"role": "router", "site": None, "revision": 1}).json
    assert changed == edge | {
        "role": "router", "site": "", "revision": 2, "updated_at": changed["updated_at"],
    }  # fmt: skip
    assert client.patch(PATH, json={"role": "x", "revision": 1}).status_code == 409
    assert client.patch("/api/inventory/edge-9", json={"role": "x"}).status_code == 404
    assert client.put(PATH, json={"revision": 0}).status_code == 409
    assert client.put("/api/inventory/edge-8", json={"revision": 0}).json["revision"] == 1
    client.patch(PATH, json={"facts": {"cpu": 3}, "last_seen": "2026-01-31T08:00:00Z"})
    replaced = client.put(PATH, json={"vendor": "x"}).json
    assert (replaced["vendor"], replaced["role"], replaced["connection"]) == ("x", "", None)
    assert (replaced["facts"], replaced["last_seen"]) == ({"cpu": 3}, "2026-01-31T08:00:00.000Z")


def test_who_may_not_see_the_connection_sees_the_device_without_it(app, client, edge, headers):
    other, bob = app.test_client(), headers("dev")
    seen = other.get(PATH, headers=bob).json
    assert seen == edge | {"connection": None, "kind": None, "usable": False}
    for query in ("usable=true", "connection=api-routers", "kind=proxmox"):
        assert other.get(f"/api/inventory?{query}", headers=bob).json["devices"] == []
    assert other.get("/api/inventory-filters", headers=bob).json["connections"] == []
    for method, path in (("put", PATH), ("delete", PATH), ("post", "/api/inventory-import")):
        assert getattr(other, method)(path, json={}, headers=bob).status_code == 403


@pytest.mark.parametrize(
    "body", [{"address": "203.0.113.66"}, {"connection": None}, {"connection": "api-routers"}]
)
def test_credentials_go_where_those_say_who_may_use_them(app, client, edge, headers, body):
    """An administrator without the claims could read a password at an address of their own."""
    name = "edge-1" if body.get("connection") is None else "new"
    path = f"/api/inventory/{name}"
    reply = app.test_client().patch(path, json=body, headers=headers("admin"))
    if name == "new":
        reply = app.test_client().put(path, json=body, headers=headers("admin"))
    assert (reply.status_code, reply.json["code"]) == (422, "invalid_device")
    assert [one["params"]["field"] for one in reply.json["errors"]] == [*body]
    allowed = app.test_client().patch(PATH, json={"role": "x"}, headers=headers("admin"))
    assert allowed.status_code == 200


def test_nobody_takes_a_devices_backups_by_adding_it_anew(app, client, edge, headers):
    """Its backups stay under its name: they could be restored to another router."""
    reply = app.test_client().delete(PATH, headers=headers("admin"))
    assert (reply.status_code, reply.json["code"]) == (422, "invalid_device")
    assert client.get(PATH).json["connection"] == "api-routers"
    assert (
        app.test_client().delete("/api/inventory/none", headers=headers("admin")).status_code == 404
    )
    client.put("/api/inventory/bare", json={})
    assert (
        app.test_client().delete("/api/inventory/bare", headers=headers("admin")).status_code < 300
    )


def test_a_table_is_imported_whole_or_not_at_all(client, edge):
    bad = "name,address,connection\nedge-2,a b,\nEdge,,\nedge-3,,nowhere\nedge-2,,\n"
    reply = client.post("/api/inventory-import", json={"csv": bad})
    found = [(one["line"], one["params"]["column"]) for one in reply.json["errors"]]
    assert (reply.status_code, found) == (422, [(2, 2), (3, 1), (4, 3), (5, 1)])
    good = "name,site,tags\nedge-1,ber,core\nedge-2,ber,\n"
    dry = client.post("/api/inventory-import", json={"csv": good, "dry_run": True}).json
    assert dry == {
        "dry_run": True, "added": ["edge-2"], "same": 0,
        "changed": [
            {
                "name": "edge-1", "fields": ["site"],
                "before": {"site": "fra"}, "after": {"site": "ber"},
            }
        ],
    }  # fmt: skip
    assert client.get("/api/inventory/edge-2").status_code == 404
    assert client.post("/api/inventory-import", json={"csv": good}).json == dry | {"dry_run": False}
    again = client.post("/api/inventory-import", json={"csv": good}).json
    assert (again["added"], again["changed"], again["same"]) == ([], [], 2)
    assert client.get(PATH).json["connection"] == "api-routers"
    exported = client.get("/api/inventory-export?format=csv&site=ber").text
    assert [line.split(",")[0] for line in exported.splitlines()] == ["name", "edge-1", "edge-2"]
    assert client.get("/api/inventory-export").json["devices"][0]["name"] == "edge-1"
    audited = client.get("/api/audit?action=inventory.import").json["events"]
    assert audited[0]["details"]["devices"] == ["edge-1", "edge-2"]


def test_a_device_has_the_runbooks_that_take_it(app, client, edge, headers):
    path = f"{PATH}/runbooks"
    expected = {"runbook": "Poll.md", "name": "Poll", "description": "", "input": "ROUTER"}
    assert client.get(path).json == {"runbooks": [expected]}
    assert app.test_client().get(path, headers=headers("dev")).json == {"runbooks": []}
    client.patch(PATH, json={"tags": []})
    assert client.get(path).json == {"runbooks": []}
    assert client.get("/api/inventory/edge-9/runbooks").status_code == 404


def test_a_form_offers_the_devices_that_fit(client, edge):
    found = client.post("/api/runbooks/Poll.md/choices/ROUTER", json={}).json["choices"]
    assert found == [{"value": "edge-1", "label": "edge-1", "description": "192.0.2.1, fra"}]

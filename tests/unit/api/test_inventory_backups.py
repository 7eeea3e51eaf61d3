"""The stored configurations of devices over HTTP."""

import shutil

import pytest

from runbook.bootstrap import build_backups
from runbook.connectors.backups import Origin, Snapshot, Source, folder_of

PATH = "/api/inventory/edge-1"
ONE = "/ip address\nadd address=10.0.0.1/24 interface=ether1\n"
TWO = ONE.replace(".1/24", ".2/24") + "/system identity\nset name=edge\n"


@pytest.fixture
def versions(client, settings):
    """Two stored configurations of a device, the latest first."""
    client.put(PATH, json={"address": "192.0.2.1"})
    store = build_backups(settings)
    push = Source("run-1", "mikrotik/Push.md", "Apply", "ann")
    for text, origin, source in ((ONE, Origin.SEEN, Source("run-0")), (TWO, Origin.RUN, push)):
        store.save(Snapshot("edge-1", text, {}, store.fingerprint(text)), origin, source)
    yield [one.commit for one in store.history("edge-1")]
    shutil.rmtree(folder_of(settings.data_dir))


def test_history_diff_and_blame_tell_who_changed_what(client, versions):
    latest, first = client.get(f"{PATH}/backups").json["backups"]
    assert [latest["version"], first["version"]] == versions
    assert (first["origin"], first["run"], first["by"]) == ("first", "run-0", None)
    assert (latest["origin"], latest["step"], latest["by"]) == ("run", "Apply", "ann")

    compared = client.get(f"{PATH}/diff").json
    assert (compared["before"], compared["after"]) == (first, latest)
    changed = [line for line in compared["diff"].splitlines()[3:] if line[0] != " "]
    assert [line[0] for line in changed] == ["-", "+", "+", "+"]
    back = client.get(f"{PATH}/diff?before={versions[0][:7]}&after={versions[1]}").json
    assert (back["before"], back["after"]) == (latest, first)
    whole = client.get(f"{PATH}/diff?after={versions[1]}").json
    assert whole["before"] is None
    assert whole["diff"].count("\n+") == len(ONE.splitlines()) + 1

    blamed = client.get(f"{PATH}/blame").json
    assert [(one["line"], one["origin"]) for one in blamed["lines"]] == [
        (1, "first"), (2, "run"), (3, "run"), (4, "run"),
    ]  # fmt: skip
    assert client.get(f"{PATH}/blame?version={versions[1]}").json["version"] == versions[1]


def test_what_is_not_there_is_not_found(client, versions):
    client.put("/api/inventory/bare", json={})
    assert client.get("/api/inventory/bare/backups").json["backups"] == []
    for path in (
        "bare/diff", "bare/blame", "edge-9/backups", "edge-1/blame?version=0000000",
        "edge-1/diff?before=--help",
    ):  # fmt: skip
        assert client.get(f"/api/inventory/{path}").status_code == 404, path


def test_only_who_may_use_the_connection_sees_the_configuration(app, client, token, versions):
    values = {"host": "pve.example.com", "user": "root@pam", "password": "s3cret-value"}
    new = {"name": "backed-up", "kind": "proxmox", "values": values, "claims": {"roles": "sre"}}
    client.post("/api/connections", json=new)
    client.patch(PATH, json={"connection": "backed-up"})
    stranger = {"Authorization": f"Bearer {token(sub='bob', roles=['dev'])}"}
    for what in ("backups", "diff", "blame"):
        reply = app.test_client().get(f"{PATH}/{what}", headers=stranger)
        assert (reply.status_code, reply.json["code"]) == (403, "access_denied")
        assert client.get(f"{PATH}/{what}").status_code == 200

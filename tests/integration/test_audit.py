"""The audit trail over HTTP and on the command line: who cancelled, reran, was refused."""

import json
import sqlite3
import subprocess
import sys

import pytest


@pytest.fixture(scope="module")
def server(serve, tmp_path_factory):
    with serve(tmp_path_factory.mktemp("audit")) as server:
        server.add("Slow", "sleep 600")
        server.add("Fails", "exit 3")
        server.add("Restricted", "true", claims="roles: ops")
        yield server


@pytest.fixture(scope="module")
def admin(server):
    with server.client(roles=["admin"]) as client:
        yield client


def events(admin, **query):
    return admin.get("/api/audit", params=query).json()["events"]


def run_cli(server, *args):
    environment = {"DATA_DIR": str(server.data), "RUNBOOKS_DIR": str(server.runbooks)}
    command = [sys.executable, "-m", "runbook", *args]
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)


def test_the_trail_is_for_those_with_the_permission(server, client, admin):
    refused = client.get("/api/audit")
    assert refused.status_code == 403
    assert refused.json()["missing"][0]["permission"] == "audit.read"
    (event,) = events(admin, action="access.refused")[:1]
    assert (event["subject"], event["details"]["permission"]) == ("ann", "audit.read")


def test_the_first_start_records_settings_and_keys(admin):
    (settings,) = events(admin, action="settings.change")
    (keys,) = events(admin, action="key.change")
    assert settings["details"]["now"]["RETENTION_DAYS"] == "90"
    assert "inputs" in keys["details"]["now"]
    assert settings["details"]["now"]["JWT_SECRET"] not in ("", "secret")


def test_a_cancellation_is_recorded_once(server, client, admin):
    run_id = client.post(
        "/api/runbooks/Slow.md/execute", headers={"Prefer": "respond-async"}
    ).json()["run_id"]
    client.post(f"/api/runs/{run_id}/cancel")
    client.post(f"/api/runs/{run_id}/cancel")
    (event,) = events(admin, action="run.cancel", target=run_id)
    assert (event["subject"], event["origin"]) == ("ann", "api")
    assert event["details"] == {"runbook": "Slow.md"}


def test_a_retry_names_both_runs(client, admin):
    first = client.post("/api/runbooks/Fails.md").json()["run_id"]
    second = client.post(f"/api/runs/{first}/retry", headers={"Accept": "application/json"})
    (event,) = events(admin, action="run.retry", target=first)
    assert event["details"] == {"runbook": "Fails.md", "run_id": second.json()["run_id"]}


def test_a_refused_execution_says_what_is_missing(client, admin):
    client.post("/api/runbooks/Restricted.md")
    (event,) = events(admin, action="access.refused", target="Restricted.md")
    assert event["details"]["missing"][0]["claim"] == "roles"


def test_pages_and_filters(client, admin):
    for _ in range(4):
        client.post("/api/runbooks/Restricted.md")
    first = admin.get("/api/audit", params={"limit": 2}).json()
    second = admin.get("/api/audit", params={"limit": 2, "cursor": first["next_cursor"]}).json()
    numbers = [event["n"] for event in first["events"] + second["events"]]
    assert numbers == sorted(numbers, reverse=True)
    assert len(set(numbers)) == 4
    assert events(admin, since="2999-01-01T00:00:00Z") == []
    assert admin.get("/api/audit", params={"since": "soon"}).json()["code"] == "bad_request"


@pytest.mark.parametrize("source", ["local", "remote"])
def test_the_command_lists_the_same(server, admin, source):
    arguments = ["audit", "--action", "run.cancel", "--json"]
    environment = {"DATA_DIR": str(server.data), "RUNBOOKS_DIR": str(server.runbooks)}
    if source == "remote":
        environment |= {
            "RUNBOOK_URL_BASE": server.url,
            "RUNBOOK_TOKEN": server.token(roles=["admin"]),
        }
    command = [sys.executable, "-m", "runbook", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert json.loads(done.stdout)["events"] == events(admin, action="run.cancel")


def test_verify_notices_a_changed_event(server, admin):
    good = run_cli(server, "verify", "--audit", "--json")
    assert good.returncode == 0
    assert json.loads(good.stdout)["success"] is True
    with sqlite3.connect(server.data / "runbook.db") as database:
        database.execute("UPDATE audit SET subject = 'nobody' WHERE n = 2")
    bad = run_cli(server, "verify", "--audit", "--json")
    assert bad.returncode == 1
    assert json.loads(bad.stdout)["problems"] == [{"n": 2, "code": "changed"}]


def test_a_purge_and_a_shutdown_are_recorded_with_who_did_it(start_server):
    server = start_server()
    server.add("Quick", "true")
    with server.client(roles=["admin"]) as client:
        client.post("/api/runbooks/Quick.md")
        done = run_cli(server, "db", "purge", "--days", "0", "--yes")
        assert done.returncode == 0, done.stderr
        (purge,) = events(client, action="runs.purge")
        assert purge["subject"].startswith("local:")
        client.post("/api/shutdown")
    server.wait()
    listed = run_cli(server, "audit", "--action", "server.shutdown", "--json")
    assert json.loads(listed.stdout)["events"][0]["subject"] == "ann"

"""What is said of the server itself: to callers, and to whoever wants to sign in."""

import platform
import re

import httpx
import pytest

from runbook import __version__


@pytest.fixture(scope="module")
def server(serve, tmp_path_factory):
    settings = {"UI_HEADER": "Plant 7", "IDP_LOGIN_URI": "/sso", "MAX_PARALLEL_RUNS": 3}
    with serve(tmp_path_factory.mktemp("status"), **settings) as server:
        server.add("Holds", "while [[ ! -e $GATE ]]; do sleep 0.02; done", inputs="GATE: file")
        yield server


def test_how_the_server_does(server, client):
    status = client.get("/api/status").json()

    assert (status["version"], status["python"]) == (__version__, platform.python_version())
    assert status["database"]["bytes"] > 1000
    assert re.fullmatch(r"\w+", status["database"]["version"])
    assert status["database"]["kind"] == "sqlite"
    assert "url" not in status["database"]
    assert status["queue"] == {
        "queued": 0,
        "waiting": 0,
        "running": 0,
        "oldest_queued_at": None,
        "accepting": True,
    }
    (worker,) = status["workers"]
    assert (worker["kind"], worker["slots"]) == ("local", 3)
    assert (worker["draining"], worker["running"]) == (False, 0)
    assert worker["beat_at"] >= worker["started_at"]
    assert (status["ready"], status["reasons"]) == (True, [])
    assert status["ui"] == {"header": "Plant 7", "login": True, "idp_login_uri": "/sso"}


def test_runs_are_counted_where_they_are(server, client, follow):
    gate = server.folder / "gate"
    runs = [
        client.post(
            "/api/runbooks/Holds.md/execute",
            json={"env_vars": {"GATE": str(gate)}},
            headers={"Prefer": "respond-async"},
        ).json()["run_id"]
        for _ in range(4)
    ]
    for run_id in runs[:3]:
        next(event for event in follow(client, run_id) if event["type"] == "started")

    status = client.get("/api/status").json()

    assert (status["queue"]["running"], status["queue"]["queued"]) == (3, 1)
    assert status["workers"][0]["running"] == 3
    assert (
        status["queue"]["oldest_queued_at"]
        == client.get(f"/api/runs/{runs[3]}").json()["created_at"]
    )
    gate.touch()
    for run_id in runs:
        assert list(follow(client, run_id))[-1]["status"] == "succeeded"


def test_what_is_not_ready_says_why(server, client):
    moved = server.runbooks.rename(server.folder / "moved")
    try:
        status = client.get("/api/status").json()
        assert (status["ready"], status["reasons"]) == (False, ["RUNBOOKS_DIR is not a folder"])
        ready = httpx.get(f"{server.url}/readyz")
        assert (ready.status_code, ready.json()["reasons"]) == (503, status["reasons"])
    finally:
        moved.rename(server.runbooks)


def test_a_sign_in_page_needs_no_token(server):
    assert httpx.get(f"{server.url}/api/public").json() == {
        "header": "Plant 7",
        "dev_login": True,
        "idp_login_uri": "/sso",
        "version": __version__,
    }

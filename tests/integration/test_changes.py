"""Live lists: one stream that tells of every change, for whoever may see it."""

import json
import threading
import time

import pytest

from patience import PATIENCE_S

ON_BOTH_DATABASES = True
HOLDS = "while [[ ! -e $GATE ]]; do sleep 0.02; done"


@pytest.fixture(scope="module")
def holds(server):
    server.add("Holds", HOLDS, inputs="GATE: file", claims="roles: sre")
    return server.folder / "gate"


@pytest.fixture
def changes(parse_lines):
    """The payloads of an open stream."""

    def call(reply):
        assert reply.status_code == 200
        assert reply.headers["content-type"] == "text/event-stream; charset=utf-8"
        for event, data, number in parse_lines(reply):
            assert (event, number) == ("changed", None)
            yield json.loads(data)

    return call


def idle(told):
    """The next payload without active runs. One from a moment ago may still show the last run."""
    return next(payload for payload in told if payload["active"] == [])


def busy(told):
    """The next payloads with active runs. One from a moment ago may show none."""
    return (payload for payload in told if payload["active"])


def test_a_run_is_followed_from_its_birth_to_its_end(server, client, holds, changes):
    with client.stream("GET", "/api/runs/changes") as reply:
        told = changes(reply)
        first = idle(told)
        body = {"env_vars": {"GATE": str(holds)}}
        run = client.post(
            "/api/runbooks/Holds.md/execute", json=body, headers={"Prefer": "respond-async"}
        ).json()

        statuses = []
        for payload in busy(told):
            (active,) = payload["active"]
            assert (active["id"], active["runbook"]) == (run["run_id"], "Holds.md")
            assert (active["by"], active["waiting"]) == ("ann", None)
            assert payload["revision"] > first["revision"]
            statuses.append(active["status"])
            if active["status"] == "running":
                break
        assert statuses[:-1] in ([], ["queued"])
        created = client.get(f"/api/runs/{run['run_id']}").json()["created_at"]
        assert active["created_at"] == created
        holds.touch()
        ended = idle(told)
        assert ended["revision"] > payload["revision"]


def test_changes_are_told_soon(server, client, changes):
    server.add("Quick", "true")
    with client.stream("GET", "/api/runs/changes") as reply:
        told = changes(reply)
        before = next(told)["revision"]
        client.post("/api/runbooks/Quick.md", json={})
        asked = time.monotonic()
        revision = before
        while revision == before:
            revision = next(told)["revision"]
        assert time.monotonic() - asked < PATIENCE_S / 3  # the next heartbeat comes later


def test_who_may_not_see_a_run_is_told_nothing_of_it(server, client, holds, changes):
    holds.unlink(missing_ok=True)
    body = {"env_vars": {"GATE": str(holds)}}
    headers = {"Prefer": "respond-async"}
    with (
        server.client("vic", roles=["viewer"]) as viewer,
        viewer.stream("GET", "/api/runs/changes") as reply,
    ):
        told = changes(reply)
        idle(told)
        run = client.post("/api/runbooks/Holds.md/execute", json=body, headers=headers).json()
        payload = next(told)
        assert payload["active"] == []
        assert run["run_id"] not in json.dumps(payload)
    holds.touch()


def test_many_may_follow_and_go(server, client, changes):
    server.add("Quick", "true")
    seen = []

    def follow():
        with server.client() as mine, mine.stream("GET", "/api/runs/changes") as reply:
            told = changes(reply)
            first = next(told)["revision"]
            begun.release()
            seen.append(next(told)["revision"] > first)

    begun = threading.Semaphore(0)
    followers = [threading.Thread(target=follow) for _ in range(10)]
    for thread in followers:
        thread.start()
    for _ in followers:
        assert begun.acquire(timeout=PATIENCE_S)
    client.post("/api/runbooks/Quick.md", json={})
    for thread in followers:
        thread.join(PATIENCE_S)

    assert seen == [True] * 10
    assert server.events_logged("http.fault") == []

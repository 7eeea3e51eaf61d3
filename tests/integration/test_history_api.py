"""A runbook's history over HTTP: pages of it, single entries, and who may see them."""

import pytest

OLD = """
### 2026-01-14T18:34:51.797Z | Exit Code: 2

**Stdout:**
```
from before
```

**Stderr:**
```
noise
```
"""


@pytest.fixture(scope="module")
def told(server):
    """A runbook that was executed three times, below an entry of the older engine."""
    server.add("Told", 'print "told $N"; exit $N', inputs="N: {description: x, default: '0'}")
    path = server.runbooks / "Told.md"
    path.write_text(path.read_text() + OLD)
    with server.client() as client:
        for number in ("0", "3", "0"):
            body = {"env_vars": {"N": number}, "reason": f"ticket {number}"}
            client.post("/api/runbooks/Told.md", json=body)
    return "/api/runbooks/Told.md/history"


def test_the_newest_entry_comes_first(client, told):
    page = client.get(told).json()
    run = client.get("/api/runs?runbook=Told.md&limit=1").json()["runs"][0]

    assert [entry["n"] for entry in page["entries"]] == [3, 2, 1]
    assert [entry["return_code"] for entry in page["entries"]] == [0, 3, 0]
    assert page["next_before"] is None
    newest = page["entries"][0]
    assert newest.pop("duration_ms") >= 0
    assert newest == {
        "n": 3,
        "at": run["finished_at"],
        "run_id": run["id"],
        "status": "succeeded",
        "return_code": 0,
        "who": "ann",
        "roles": ["sre"],
        "origin": "api",
        "reason": "ticket 0",
        "dry_run": False,
        "not_executed": False,
        "relation": None,
        "related_id": None,
        "known": True,
        "intact": True,
    }


def test_what_the_older_engine_wrote_stands_below(client, told):
    assert client.get(told).json()["legacy"] == [
        {
            "n": None,
            "at": "2026-01-14T18:34:51.797Z",
            "run_id": None,
            "return_code": 2,
            "stdout": "from before",
            "stderr": "noise",
            "error": "",
        }
    ]


def test_pages_follow_one_another(client, told):
    first = client.get(told, params={"limit": 2}).json()
    second = client.get(told, params={"limit": 1, "before": first["next_before"]}).json()
    third = client.get(told, params={"limit": 1, "before": second["next_before"]}).json()

    assert [[entry["n"] for entry in page["entries"]] for page in (first, second, third)] == [
        [3, 2],
        [1],
        [],
    ]
    assert [len(page["legacy"]) for page in (first, second, third)] == [0, 0, 1]
    assert third["next_before"] is None


def test_one_entry_has_its_output(client, told):
    entry = client.get(f"{told}/2").json()

    assert (entry["stdout"], entry["stderr"], entry["error"]) == ("told 3\n", "", "")
    assert entry["reason"] == "ticket 3"
    assert entry["document"] == client.get("/api/runbooks/Told.md").json()["digest"]


@pytest.mark.parametrize("n", ["0", "4", "999999999999999999999", "x", "-1"])
def test_an_entry_that_is_not_there(client, told, n):
    assert client.get(f"{told}/{n}").status_code == 404


def test_entries_of_runs_that_are_not_kept_are_shown_all_the_same(server, client, told):
    text = (server.runbooks / "Told.md").read_text()
    (server.runbooks / "Copied.md").write_text(text.replace(" run=", " run=x"))

    entry = client.get("/api/runbooks/Copied.md/history?limit=1").json()["entries"][0]

    assert entry["n"] == 3
    assert entry["known"] is False
    assert entry["intact"] is False


def test_only_who_may_execute_the_runbook_sees_its_history(server, client, execute):
    server.add("Private", "print private", claims="roles: sre")
    execute(client, "Private.md")

    assert client.get("/api/runbooks/Private.md/history/1").json()["stdout"] == "private\n"
    with server.client("vic", roles=["viewer"]) as viewer:
        for path in ("history", "history/1"):
            reply = viewer.get(f"/api/runbooks/Private.md/{path}")
            assert reply.status_code == 403
            (missing,) = reply.json()["missing"]
            assert (missing["code"], missing["wanted"]) == ("claim", ["sre"])


@pytest.mark.parametrize("query", ["before=x", "before=", "before=--1", "before=٣", "limit=-1"])
def test_a_page_that_is_not_understood_is_400(client, told, query):
    assert client.get(f"{told}?{query}").status_code == 400


def test_no_such_runbook(client):
    assert client.get("/api/runbooks/Nothing.md/history").status_code == 404

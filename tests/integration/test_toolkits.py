"""Toolkits on a real server: a change counts at once, in every process."""

import json

import httpx
import pytest

ON_BOTH_DATABASES = True
REF = "health/Health.md"
REQUESTS = 24
"""New connections, so that both web processes get some."""
CALLER = f'runbook call {REF} > result; print "code $?"'


@pytest.fixture
def answers(server):
    headers = {"Authorization": f"Bearer {server.token()}"}

    def ask(path=f"/api/runbooks/{REF}"):
        return [httpx.get(server.url + path, headers=headers) for _ in range(REQUESTS)]

    return ask


def refs(replies):
    return {tuple(it["path"] for it in reply.json()["runbooks"]) for reply in replies}


def test_enabling_and_disabling_count_at_once(server, beside, client, answers, execute):
    server.add("Caller", CALLER)
    assert beside.run("toolkit", "install", "health").returncode == 0
    assert {reply.status_code for reply in answers()} == {404}
    beside.run("toolkit", "enable", "health")
    assert {reply.status_code for reply in answers()} == {200}
    assert refs(answers("/api/runbooks")) == {("Caller.md", REF, "health/SelfCheck.md")}
    done = execute(client, "Caller.md")
    assert "code 0" in done["stdout"]

    run = client.get(f"/api/runs/{done['run_id']}").json()["children"][0]
    assert (run["runbook"], run["toolkit"]["slug"]) == (REF, "health")
    history = server.data / "toolkits" / REF
    assert f"run={run['id']}" in history.read_text()

    beside.run("toolkit", "disable", "health")
    assert {reply.status_code for reply in answers()} == {404}
    assert refs(answers("/api/runbooks")) == {("Caller.md",)}
    done = execute(client, "Caller.md")
    assert "code 0" not in done["stdout"]


def test_a_run_without_a_server_records_its_toolkit(beside):
    beside.run("toolkit", "install", "health")
    beside.run("toolkit", "enable", "health")
    assert beside.run("execute", "--runbook", REF).returncode == 0
    run = json.loads(beside.run("runs", "--json").stdout)["runs"][0]
    assert (run["runbook"], run["origin"], run["toolkit"]["slug"]) == (REF, "cli", "health")
    assert beside.run("verify", REF).returncode == 0

"""The secrets of a connection show nowhere, and nothing of them is left on disk."""

import json
import os
import signal

import psutil
import pytest

AS_JSON = {"Accept": "application/json"}
INPUTS = "PVE: {type: connection, kind: proxmox}"
READS = """
import glob, os
from runbook.connectors import connection
found = connection.read("PVE")
text = found.values["token_secret"]
for path in glob.glob("/proc/[0-9]*/cmdline") + glob.glob("/proc/[0-9]*/environ"):
    try:
        assert text.encode() not in open(path, "rb").read(), path
    except OSError:
        pass
try:
    connection.read("OTHER")
except Exception as error:
    print("refused", error.code)
os.environ["PASSWORD"] = text
"""


@pytest.fixture
def admin(server):
    with server.client("root", ("admin", "sre")) as client:
        yield client


@pytest.fixture
def connect(admin):
    def add(name, secret):
        values = {"host": "127.0.0.1", "port": 1, "token_id": "root@pam!rb", "token_secret": secret}
        body = {"name": name, "kind": "proxmox", "values": values, "claims": {"roles": "sre"}}
        reply = admin.post("/api/connections", json=body)
        assert reply.status_code == 200, reply.text

    return add


def test_a_connections_secret_shows_nowhere(
    add, admin, client, connect, sinks, every_form, tricky, caught
):
    old, text = tricky("Old20"), tricky("Connection21")
    connect("lab", old)
    admin.patch("/api/connections/lab", json={"values": {"token_secret": text}})
    path = add("Connects", READS + every_form, INPUTS, language="python")

    run_id = client.post(
        path, json={"env_vars": {"PVE": "lab"}, "reason": text}, headers=AS_JSON
    ).json()["run_id"]

    run = client.get(f"/api/runs/{run_id}").json()
    assert run["status"] == "succeeded", run
    uses = [{"input": "PVE", "name": "lab", "kind": "proxmox", "revision": 2}]
    assert run["connections"] == uses
    assert "refused not_found" in client.get(f"/api/runs/{run_id}/log").text
    checked = admin.post("/api/connections/lab/check")
    assert (checked.status_code, checked.json()["ok"]) == (200, False)
    assert caught(text, checked.content) == []
    for place in ("/api/connections", "/api/connections/lab", "/api/audit"):
        answer = admin.get(place)
        assert (answer.status_code, caught(text, answer.content)) == (200, [])
    assert sinks.traces(text, run_id) == {}
    assert sinks.traces(old, run_id) == {}


def test_the_files_of_a_killed_run_are_removed(server, add, client, connect, sinks, tricky):
    text = tricky("Killed22")
    connect("killed", text)
    path = add("Waits", "print begun; sleep 3600", INPUTS)
    body = {"env_vars": {"PVE": "killed"}}
    run_id = client.post(path, json=body, headers={"Prefer": "respond-async"}).json()["run_id"]
    file = server.execution / f"runbook-{run_id}" / ".runbook" / "connections" / "PVE.json"
    with client.stream("GET", f"/api/runs/{run_id}/events") as events:
        for line in events.iter_lines():
            if '"begun' in line:
                assert json.loads(file.read_text())["values"]["token_secret"] == text
                os.kill(server.worker.pid, signal.SIGKILL)
            elif '"done"' in line:
                break
    assert client.get(f"/api/runs/{run_id}").json()["status"] == "lost"
    server.wait_ready()
    path = add("Next", "print next", "")
    assert (
        client.post(path, headers=AS_JSON).json()["status"] == "succeeded"
    )  # a new worker has tidied up
    assert not file.exists()
    assert sinks.traces(text, run_id) == {}
    assert psutil.pid_exists(server.worker.pid)


@pytest.mark.parametrize("given", ["option", "folder", "variables"])
def test_a_connection_of_the_command_line_shows_nowhere(
    add, beside, sinks, every_form, tricky, caught, tmp_path, given
):
    text = tricky(f"Loose23{given}")
    add("Loose", READS + every_form, INPUTS, language="python")
    values = {"host": "pve", "token_id": "root@pam!rb", "token_secret": text}
    name = "loose" if given == "option" else "PVE"
    (tmp_path / f"{name}.yaml").write_text(json.dumps({"kind": "proxmox", "values": values}))
    more = {
        "option": ["--connection", f"loose=@{tmp_path}/loose.yaml", "--env", "PVE=loose"],
        "folder": [],
        "variables": [],
    }
    if given == "folder":
        beside.environment["CONNECTIONS_DIR"] = str(tmp_path)
    if given == "variables":
        variables = {f"PROXMOX_{name.upper()}": value for name, value in values.items()}
        beside.environment.update(variables)

    done = beside.run("execute", "--runbook", "Loose.md", "--json", *more[given])

    ended = json.loads(done.stdout.splitlines()[-1])
    assert (done.returncode, ended["status"]) == (0, "succeeded"), done.stdout[-2000:]
    assert caught(text, (done.stdout + done.stderr).encode()) == []
    assert sinks.traces(text, ended["run_id"]) == {}
    if given == "option":  # it was for that run only
        assert beside.run("retry", ended["run_id"], "--json").returncode == 65
        again = beside.run("retry", ended["run_id"], "--json", *more[given][:2])
        assert again.returncode == 0, again.stdout[-2000:]
        assert caught(text, (again.stdout + again.stderr).encode()) == []

"""Live forms over the HTTP API and the command line: lists, hidden inputs, choices on demand."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from patience import PATIENCE_S

SAMPLES = Path(__file__).parents[2] / "samples" / "runbooks" / "language"
FORM = "Machine.md"
STATIC = {"REGION": "north", "ZONE": "n1", "ADDRESSING": "static", "ADDRESS": "192.0.2.7/24"}
ROWS = [{"NETWORK": "lan", "VLAN": 10}, {"NETWORK": "dmz", "MODEL": "e1000"}]


@pytest.fixture(scope="module", autouse=True)
def samples(server):
    for name in ("Machine.md", "Zones.md"):
        (server.runbooks / name).write_bytes((SAMPLES / name).read_bytes())


@pytest.fixture
def command(server, tmp_path):
    """`runbook` as a process, on the server's folder or asking the server."""

    def run(*args, remote=False, folder=None):
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "DATA_DIR": str(tmp_path / "data"),
            "RUNBOOKS_DIR": str(server.runbooks),
        }
        if remote:
            environment |= {"RUNBOOK_URL_BASE": server.url, "RUNBOOK_TOKEN": server.token()}
        return subprocess.run(
            [sys.executable, "-m", "runbook", *args],
            env=environment,
            cwd=folder or tmp_path,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )

    return run


def choices(client, path, **body):
    reply = client.post(f"/api/runbooks/{FORM}/choices/{path}", json=body)
    assert reply.status_code == 200
    return reply.json()


def test_choosing_a_region_offers_its_zones(client):
    schema = client.get(f"/api/runbooks/{FORM}/inputs").json()["properties"]
    reply = client.post(
        schema["ZONE"]["x-choices"]["href"], json={"env_vars": {"REGION": "north"}}
    ).json()
    assert [choice["value"] for choice in reply["choices"]] == ["n1", "n2"]
    assert (reply["problem"], reply["input"]) == (None, "ZONE")
    found = choices(client, "ZONE", env_vars={"REGION": "south"})
    assert [choice["value"] for choice in found["choices"]] == ["s1"]
    found = choices(client, "ZONE")
    assert found["problem"]["code"] == "choices_need_inputs"


def test_a_field_of_a_row_has_choices_with_labels(client):
    found = choices(
        client, "NICS.NETWORK", env_vars={"REGION": "north", "ZONE": "n1"}, row={"VLAN": 3}
    )
    assert found["choices"] == [
        {"value": "lan", "label": "LAN", "description": "Office network of n1"},
        {"value": "dmz", "label": "dmz", "description": None},
    ]
    assert client.post(f"/api/runbooks/{FORM}/choices/NICS.VLAN", json={}).status_code == 404


def test_the_runs_are_recorded_but_listed_only_when_asked_for(client):
    found = choices(client, "ZONE", env_vars={"REGION": "north"}, refresh=True)
    run = client.get(f"/api/runs/{found['run_id']}").json()
    assert (run["status"], run["purpose"], run["runbook"]) == ("succeeded", "choices", "Zones.md")
    listed = client.get("/api/runs", params={"runbook": "Zones.md"}).json()["runs"]
    assert found["run_id"] not in [one["id"] for one in listed]
    asked = {"runbook": "Zones.md", "purpose": "choices"}
    listed = client.get("/api/runs", params=asked).json()["runs"]
    assert found["run_id"] in [one["id"] for one in listed]
    assert client.get("/api/runs", params={"purpose": "x"}).status_code == 400


@pytest.mark.parametrize("as_text", [False, True])
def test_a_run_gets_the_rows(client, as_text):
    rows = json.dumps(ROWS) if as_text else ROWS
    done = client.post(f"/api/runbooks/{FORM}", json={"env_vars": {**STATIC, "NICS": rows}}).json()
    assert done["stdout"].splitlines() == [
        "north n1 192.0.2.7/24",
        "lan 10 virtio 1",
        "dmz untagged e1000 None",
    ]
    run = client.get(f"/api/runs/{done['run_id']}").json()
    assert json.loads(run["inputs"]["NICS"]["value"]) == [
        {"NETWORK": "lan", "VLAN": 10, "MODEL": "virtio", "QUEUES": 1},
        {"NETWORK": "dmz", "MODEL": "e1000"},
    ]
    as_json = {"Accept": "application/json"}
    again = client.post(f"/api/runs/{run['id']}/retry", json={}, headers=as_json).json()
    assert again["stdout"] == done["stdout"]


def test_what_is_wrong_names_input_row_and_field(client):
    given = {**STATIC, "ZONE": "s1", "NICS": [ROWS[0], {"VLAN": 5000}]}
    reply = client.patch(f"/api/runbooks/{FORM}/validate", json={"env_vars": given})
    found = [
        (p["code"], *(p["params"].get(key) for key in ("variable", "row", "field")))
        for p in reply.json()["problems"]
    ]
    assert found == [
        ("bad_input_value", "ZONE", None, None),
        ("missing_input", "NICS", 1, "NETWORK"),
        ("bad_input_value", "NICS", 1, "VLAN"),
    ]


def test_a_hidden_input_is_not_used_and_said_to_be(client):
    given = {"REGION": "north", "ZONE": "n1", "ADDRESS": "192.0.2.7/24"}
    done = client.post(f"/api/runbooks/{FORM}", json={"env_vars": given}).json()
    assert done["stdout"].splitlines()[0] == "north n1 dhcp"
    warnings = [p["code"] for p in done["problems"] if p["severity"] == "warning"]
    assert warnings == ["input_hidden"]


@pytest.mark.parametrize("remote", [False, True])
def test_rows_come_from_a_file_on_the_command_line(command, tmp_path, server, remote):
    (tmp_path / "nics.json").write_text(json.dumps(ROWS))
    (tmp_path / "nics.yaml").write_text("- NETWORK: lan\n  VLAN: 10\n")
    where = ("--url", server.url) if remote else ()
    known = [word for name, value in STATIC.items() for word in ("--env", f"{name}={value}")]
    for file, count in (("nics.json", 2), ("nics.yaml", 1)):
        done = command(
            "execute", FORM, *known, "--env", f"NICS=@{file}", "--quiet", *where, remote=remote
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout.splitlines()[1] == "lan 10 virtio 1"
        assert len(done.stdout.splitlines()) == 1 + count
    (tmp_path / "bad.json").write_text('{"NETWORK": "lan"}')
    done = command("execute", FORM, *known, "--env", "NICS=@bad.json", *where, remote=remote)
    assert done.returncode == 2


def test_strict_choices_are_checked_without_a_server(command):
    known = ("--env", "REGION=south", "--env", "ZONE=n1")
    done = command("validate", FORM, *known, "--json")
    assert [p["params"]["variable"] for p in json.loads(done.stdout)["problems"]] == ["ZONE"]
    done = command("lint", FORM)
    assert done.returncode == 0, done.stdout


def test_the_command_line_asks_for_what_is_missing(server, tmp_path):
    """On a terminal: with the choices of a runbook that it runs itself."""
    ours, theirs = os.openpty()
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "DATA_DIR": str(tmp_path / "data"),
        "RUNBOOKS_DIR": str(server.runbooks),
    }
    command = [sys.executable, "-m", "runbook", "execute", FORM, "--ask", "--quiet"]
    with subprocess.Popen(
        command, env=environment, cwd=tmp_path, stdin=theirs, stdout=subprocess.PIPE, stderr=theirs
    ) as process:
        os.close(theirs)
        os.write(ours, b"1\n2\n")  # north, n2
        output, _ = process.communicate(timeout=PATIENCE_S)
    os.close(ours)
    assert process.returncode == 0
    assert output.decode().splitlines() == ["north n2 dhcp", "lan untagged virtio 1"]


def test_without_a_terminal_nobody_is_asked(command):
    assert command("execute", FORM, "--ask").returncode == 2

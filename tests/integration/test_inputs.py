"""Typed inputs over the HTTP API and the command line: the same words everywhere."""

import base64
import itertools
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import jsonschema_rs
import pytest
import yaml

from patience import PATIENCE_S
from runbook.core.language.parse import parse

ROOT = Path(__file__).parents[2]
TABLE = yaml.safe_load((ROOT / "tests" / "data" / "input_values.yaml").read_text())
# Which connections and devices there are, the table doesn't know.
KNOWN_TO_SERVERS = ("connection", "device", "devices")
CASES = [case for case in TABLE if case["declared"].get("type") not in KNOWN_TO_SERVERS]
SAMPLE = ROOT / "samples" / "runbooks" / "language" / "Inputs.md"
SAMPLE_CASES = yaml.safe_load(SAMPLE.with_suffix(".test.yaml").read_text())["cases"]
ALL = "All.md"


def rounds(key):
    """The n-th value of every input in one request, until no input has one left."""
    columns = [list(case.get(key, ())) for case in CASES]
    for row in itertools.zip_longest(*columns):
        yield {f"C{n}": value for n, value in enumerate(row) if value is not None}


def words(given):
    """The problems that a request of invalid values has, in the document's order."""
    return [f"{name} {CASES[int(name[1:])]['invalid'][text]}" for name, text in given.items()]


VALID = list(rounds("valid"))
INVALID = list(rounds("invalid"))


@pytest.fixture(scope="module")
def everything(server):
    """A runbook with an input for each row of the table."""
    inputs = "\n".join(
        f"C{n}: {json.dumps(case['declared'] | {'optional': 'true'})}"
        for n, case in enumerate(CASES)
    )
    server.add("All", "true", inputs=inputs)
    return inputs


@pytest.fixture
def command(server, tmp_path):
    """`runbook` as a process, on the server's folder or asking the server."""

    def run(*args, remote=False):
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
            cwd=tmp_path,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=2 * PATIENCE_S,
            check=False,
        )

    return run


def file_of(content, name="app.yaml"):
    return {"name": name, "content_base64": base64.b64encode(content).decode()}


def options(given):
    return [part for item in given.items() for part in ("--env", "=".join(item))]


# -- the table ------------------------------------------------------------------------------------


@pytest.mark.parametrize("given", VALID)
def test_the_api_takes_what_is_valid(client, everything, given):
    reply = client.patch(f"/api/runbooks/{ALL}/validate", json={"env_vars": given})
    assert (reply.status_code, reply.json()["problems"]) == (200, [])


@pytest.mark.parametrize("given", INVALID)
def test_the_api_says_what_is_wrong(client, everything, given):
    reply = client.patch(f"/api/runbooks/{ALL}/validate", json={"env_vars": given})

    assert reply.status_code == 400
    assert reply.json()["errors"] == words(given)
    assert [problem["message"] for problem in reply.json()["problems"]] == words(given)
    assert {problem["code"] for problem in reply.json()["problems"]} == {"bad_input_value"}


@pytest.mark.parametrize("remote", [False, True], ids=["local", "remote"])
def test_the_command_line_says_the_same(command, everything, remote):
    for given in INVALID[:4]:
        done = command("validate", ALL, *options(given), "--json", remote=remote)

        assert done.returncode == 65, done.stderr
        assert json.loads(done.stdout)["errors"] == words(given)
    for given in VALID[:2]:
        assert command("validate", ALL, *options(given), remote=remote).returncode == 0


def test_the_command_line_shows_the_hint(command, server):
    server.add("Mode", "true", inputs="MODE: {type: choice, choices: [full, fast]}")

    done = command("validate", "Mode.md", "--env", "MODE=ful")

    assert done.stdout == (
        "Mode.md: error: MODE must be one of full, fast: 'ful' (Did you mean full?)\n"
    )


def test_a_run_with_a_wrong_value_is_invalid(client, server, execute):
    server.add("Port", "true", inputs="PORT: {type: integer, min: 1}")

    done = execute(client, "Port.md", PORT=0)

    assert (done["status"], done["return_code"]) == ("invalid", 1)
    assert done["errors"] == ["PORT must be at least 1: '0'"]
    run = client.get(f"/api/runs/{done['run_id']}").json()
    assert run["errors"] == ["PORT must be at least 1: '0'"]


# -- the schema -----------------------------------------------------------------------------------


def test_the_schema_over_http(client, server, everything):
    reply = client.get(f"/api/runbooks/{ALL}/inputs")

    schema = reply.json()
    assert reply.headers["content-type"] == "application/json"
    assert schema["$id"].endswith("/api/runbooks/All.md/inputs")
    jsonschema_rs.meta.validate(schema)
    assert list(schema["properties"]) == [f"C{n}" for n in range(len(CASES))]
    assert len(schema["properties"]) >= 15


def test_the_schema_needs_a_token(client, everything):
    reply = client.get(f"/api/runbooks/{ALL}/inputs", headers={"Authorization": ""})
    assert reply.status_code == 401


@pytest.mark.parametrize("what", [ALL, "FILE"])
def test_the_schema_on_the_command_line(command, client, server, everything, what):
    name = str(server.runbooks / ALL) if what == "FILE" else what
    done = command("inputs", name)

    assert done.returncode == 0
    assert json.loads(done.stdout) == client.get(f"/api/runbooks/{ALL}/inputs").json() | {
        "$id": json.loads(done.stdout)["$id"]
    }
    assert command("inputs", "None.md").returncode == 66


def test_the_schema_of_a_server_on_the_command_line(command, client, everything):
    done = command("inputs", ALL, remote=True)
    assert json.loads(done.stdout) == client.get(f"/api/runbooks/{ALL}/inputs").json()


def test_the_inputs_of_a_runbook_in_json(client, server):
    inputs = "KEY: {type: secret, from: file:x}\nSITE: {type: choice, choices_from: A.md#X}"
    server.add("Shown", "true", inputs=inputs)

    key, site = client.get("/api/runbooks/Shown.md").json()["inputs"]

    assert (key["from"], key["choices"]) == ("file", [])
    assert site["choices_from"] == {"runbook": "A.md", "output": "X"}


# -- files ----------------------------------------------------------------------------------------


@pytest.fixture
def uses_file(server):
    return server.add("UsesFile", 'print -r -- "${F:t}: $(<$F)"', inputs="F: {type: file}\nT: x")


def test_a_file_over_http(client, uses_file, execute):
    done = execute(client, uses_file, F=file_of(b"hello"), T="@/etc/passwd")

    assert done["stdout"] == "app.yaml: hello\n"
    assert client.get(f"/api/runs/{done['run_id']}").json()["inputs"] == {
        "F": {"given": True},
        "T": {"given": True},
    }


def test_the_largest_file_fits_into_a_request(client, server, execute):
    server.add("Large", 'wc -c < "$F"', inputs="F: {type: file}")

    assert execute(client, "Large.md", F=file_of(b"x" * 750_000))["stdout"] == "750000\n"
    body = {"env_vars": {"F": file_of(b"x" * 1024 * 1024)}}
    assert client.post("/api/runbooks/Large.md/execute", json=body).status_code == 413


def test_a_file_on_the_command_line(command, uses_file, tmp_path):
    (tmp_path / "note.txt").write_text("hello")

    done = command("execute", "--runbook", uses_file, "--env", "F=@note.txt", "--env", "T=x", "-q")

    assert (done.returncode, done.stdout) == (0, "note.txt: hello\n")


@pytest.mark.parametrize("remote", [False, True], ids=["local", "remote"])
def test_a_value_that_begins_with_an_at_sign_is_a_text_elsewhere(
    command, uses_file, server, remote
):
    server.add("At", "true", inputs="T: {type: string, pattern: '@x'}")
    (server.folder / "f").write_text("hello")
    path = f"F=@{server.folder}/f"

    assert command("validate", "At.md", "--env", "T=@x", remote=remote).returncode == 0
    given = ("--env", path, "--env", "T=@nowhere")
    assert command("validate", uses_file, *given, remote=remote).returncode == 0


@pytest.mark.parametrize(
    ("value", "code", "text"),
    [
        ("F=@nowhere", 2, "F: couldn't read nowhere: No such file or directory"),
        ("F=@large", 2, "F is larger than 1 MiB"),
        ("F=plain", 65, "F must be a file (Send"),
    ],
)
def test_a_file_that_cannot_be_given(command, uses_file, tmp_path, value, code, text):
    (tmp_path / "large").write_bytes(b"x" * (1024 * 1024 + 1))

    done = command("validate", uses_file, "--env", value, "--env", "T=x")

    assert done.returncode == code
    assert text in done.stdout + done.stderr


# -- the sample -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def sample(server):
    target = server.runbooks / "language"
    target.mkdir()
    shutil.copy(SAMPLE, target)
    return "language/Inputs.md"


def test_the_sample_is_valid_without_a_warning():
    assert parse(SAMPLE.read_bytes(), stem="Inputs").problems == ()


@pytest.mark.parametrize("case", SAMPLE_CASES, ids=lambda case: case["name"])
def test_the_sample_does_what_its_cases_say(client, sample, execute, case):
    done = execute(client, sample, **case["inputs"])

    assert done["status"] == case.get("status", "succeeded")
    assert done["stderr"] == "\n".join(done["errors"])
    for text in case.get("stdout", ()):
        assert text in done["stdout"]
    assert len(done["errors"]) == len(case.get("errors", ()))
    for text in case.get("errors", ()):
        assert text in done["errors"]

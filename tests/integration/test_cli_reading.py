"""Reading commands: the same answers from this machine and from a server, and what they show."""

import json
import os
import re
import subprocess
import sys
import threading

import pytest
from click.testing import CliRunner

from patience import PATIENCE_S
from runbook.cli.app import cli

UNKNOWN_RUN = "01980000-0000-7000-8000-000000000000"
EVIL = "\\x1b]0;owned\\x07 \\x1b[2J \\x1b[31mred\\x1b[0m \\u202ereversed \\u009b5n"
SOURCES = ["local", "remote"]


@pytest.fixture(scope="module")
def runbooks(server):
    server.add("Greet", 'print "hello $TARGET"; print -u2 to stderr', inputs="TARGET: who")
    server.add("Evil", f"print $'{EVIL}'")
    server.add("Fails", "exit 3", claims="roles: sre")
    server.add("Slow", "print started; sleep 600")
    server.add("Admin", "print x", claims="roles: admin")
    server.add("deep/Nested", "print nested")
    (server.runbooks / "Broken.md").write_text("# Broken\n")


@pytest.fixture(scope="module")
def greeting(server, runbooks):
    """A run of Greet.md that has ended."""
    with server.client() as client:
        body = {"env_vars": {"TARGET": "world"}, "reason": "OPS-12"}
        reply = client.post("/api/runbooks/Greet.md", json=body)
        client.post("/api/runbooks/Fails.md")
    return reply.json()["run_id"]


@pytest.fixture
def run(server, monkeypatch):
    """Invokes a command against the local store, or against the server."""
    token = server.token()

    def invoke(*args, source="local", token=token):
        for name in ("RUNBOOK_TOKEN", "RUNBOOK_URL_BASE", "NO_COLOR", "CLICOLOR_FORCE"):
            monkeypatch.delenv(name, raising=False)
        if source == "remote":
            monkeypatch.setenv("RUNBOOK_URL_BASE", server.url)
            monkeypatch.setenv("RUNBOOK_TOKEN", token)
        else:
            monkeypatch.setenv("RUNBOOKS_DIR", str(server.runbooks))
            monkeypatch.setenv("DATA_DIR", str(server.data))
        result = CliRunner().invoke(cli, args)
        assert result.exception is None or isinstance(result.exception, SystemExit)
        return result

    return invoke


def start_slow(server):
    with server.client() as client:
        headers = {"Prefer": "respond-async"}
        return client.post("/api/runbooks/Slow.md/execute", headers=headers).json()["run_id"]


# -- the same answers ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "args",
    [
        ("list",),
        ("show", "Greet.md"),
        ("show", "deep/Nested.md"),
        ("show", "Broken.md"),
        ("show", "RUN"),
        ("runs", "--runbook", "Greet.md"),
        ("runs", "--status", "failed", "--status", "succeeded", "--who", "ann", "--since", "1d"),
        ("runs", "--limit", "1", "--no-dry-run"),
        ("runs", "--since", "2035-01-01"),
        ("runs", "--dry-run"),
        ("logs", "RUN"),
        ("logs", "RUN", "--stream", "stderr"),
        ("validate", "Greet.md", "--env", "TARGET=x"),
        ("validate", "Greet.md"),
        ("validate", "Broken.md"),
    ],
    ids=" ".join,
)
@pytest.mark.parametrize("flags", [(), ("--json",)], ids=["text", "json"])
def test_a_server_and_this_machine_answer_the_same(run, greeting, args, flags):
    args = [greeting if arg == "RUN" else arg for arg in args]
    local = run(*args, *flags)
    remote = run(*args, *flags, source="remote")

    assert remote.exit_code == local.exit_code
    assert _same(remote.stdout) == _same(local.stdout)
    assert remote.stderr == local.stderr


def _same(text):
    """What one caller may see and another may not is not compared."""
    try:
        answer = json.loads(text)
    except ValueError:
        return re.sub(r" *\bneeds .*|  executable.*|missing claims.*", "", text)
    for item in answer.get("runbooks", []):
        if item["filename"] == "Admin.md":
            item.pop("executable"), item.pop("missing_claims"), item.pop("requirements")
    return answer


# -- what they show ------------------------------------------------------------------------------


@pytest.mark.parametrize("source", SOURCES)
def test_list_marks_what_is_not_valid_and_what_may_not_be_executed(run, greeting, source):
    lines = run("list", source=source).stdout.splitlines()
    rows = {line.split()[0]: line for line in lines}

    assert lines[0].split() == ["RUNBOOK", "NAME", "LAST", "RUN", "AT", "BY"]
    assert "succeeded" in rows["Greet.md"]
    assert rows["Broken.md"].endswith("invalid")
    assert rows["Admin.md"].endswith("needs roles=sre (required: admin)") is (source == "remote")
    assert "deep/Nested.md" in rows


@pytest.mark.parametrize("source", SOURCES)
def test_show_tells_a_run_with_who_and_why(run, greeting, source):
    shown = run("show", greeting, source=source).stdout

    for text in (
        greeting,
        "succeeded",
        "ann (api) from 127.0.0.1",
        "OPS-12",
        "TARGET  (not shown)",
    ):
        assert text in shown


@pytest.mark.parametrize("source", SOURCES)
def test_show_tells_what_a_runbook_wants(run, greeting, source):
    shown = run("show", "Greet.md", source=source).stdout

    assert "TARGET  text    who" in shown
    assert greeting in shown


@pytest.mark.parametrize("source", SOURCES)
def test_runs_follows_the_pages(run, server, greeting, source):
    with server.client() as client:
        for _ in range(3):
            client.post("/api/runbooks/deep%2FNested.md")
    answer = json.loads(run("runs", "--limit", "2", "--json", source=source).stdout)
    everything = json.loads(run("runs", "--limit", "1000", "--json", source=source).stdout)

    assert len(answer["runs"]) == 2
    assert answer["next_cursor"]
    assert len(everything["runs"]) >= 5
    assert everything["next_cursor"] is None


@pytest.mark.parametrize("source", SOURCES)
def test_runs_are_found_by_their_inputs(run, server, source):
    inputs = "HOST: {description: d, type: string}\nPORT: {description: d, type: integer}"
    ref = server.add(f"by-inputs-{source}", "true", inputs=inputs)
    with server.client() as client:
        for host, port in (("web1", "80"), ("web2", "80"), ("web2", "443")):
            body = {"env_vars": {"HOST": host, "PORT": port}}
            client.post(f"/api/runbooks/{ref}", json=body).raise_for_status()

    def found(*inputs):
        options = [part for text in inputs for part in ("--input", text)]
        result = run("runs", "--runbook", ref, "--json", *options, source=source)
        values = (one["inputs"] for one in json.loads(result.stdout)["runs"])
        return [f"{one['HOST']['value']}:{one['PORT']['value']}" for one in values]

    assert found("HOST=web2") == ["web2:443", "web2:80"]
    assert found("HOST=web2", "PORT=80") == ["web2:80"]
    assert found("WEB") == ["web2:443", "web2:80", "web1:80"]
    assert found("HOST=web") == []


def test_nothing_found_is_said(run, greeting):
    result = run("runs", "--since", "2035-01-01")
    assert (result.stdout, result.stderr) == ("", "runbook: no matching runs\n")


@pytest.mark.parametrize("source", SOURCES)
def test_logs_print_both_streams(run, greeting, source):
    assert sorted(run("logs", greeting, source=source).stdout.splitlines()) == [
        "hello world",
        "to stderr",
    ]
    assert run("logs", greeting, "--stream", "stdout", source=source).stdout == "hello world\n"
    assert run("logs", greeting, "--since", "2035-01-01", source=source).stdout == ""


@pytest.mark.parametrize("source", SOURCES)
def test_output_cannot_control_the_terminal_of_its_reader(
    run, server, runbooks, monkeypatch, source
):
    with server.client() as client:
        run_id = client.post("/api/runbooks/Evil.md").json()["run_id"]
    shown = run("logs", run_id, source=source).stdout
    raw = run("logs", run_id, "--raw", source=source).stdout
    as_json = run("logs", run_id, "--json", source=source).stdout

    assert shown == "\\x1b]0;owned\\x07 \\x1b[2J red \\u202ereversed \\x9b5n\n"
    assert "\x1b]0;owned\x07 \x1b[2J \x1b[31mred" in raw
    assert as_json.isascii()
    assert "\x1b" not in as_json


def test_json_of_logs_is_that_of_execute(run, greeting):
    events = [json.loads(line) for line in run("logs", greeting, "--json").stdout.splitlines()]

    assert [event["n"] for event in events] == list(range(1, len(events) + 1))
    assert events[-1]["type"] == "done"


# -- runs under way ------------------------------------------------------------------------------


@pytest.mark.parametrize("source", SOURCES)
def test_logs_of_a_running_run_end_now_or_with_the_run(run, server, runbooks, source):
    run_id = start_slow(server)
    with server.client() as client, client.stream("GET", f"/api/runs/{run_id}/events") as events:
        assert any("started\\n" in line for line in events.iter_lines())
    assert run("logs", run_id, source=source).stdout == "started\n"

    followed = []
    follower = threading.Thread(
        target=lambda: followed.append(run("logs", "-f", run_id, "--json", source=source).stdout)
    )
    follower.start()
    cancelled = subprocess_cancel(server, run_id)
    follower.join(2 * PATIENCE_S)

    assert cancelled.returncode == 0
    assert cancelled.stdout == f"run {run_id} finished: cancelled\n"
    last = json.loads(followed[0].splitlines()[-1])
    assert (last["type"], last["status"]) == ("done", "cancelled")


def subprocess_cancel(server, run_id):
    environment = server.environment | {
        "RUNBOOK_URL_BASE": server.url,
        "RUNBOOK_TOKEN": server.token(),
    }
    command = [sys.executable, "-m", "runbook", "cancel", run_id, "--wait"]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("source", SOURCES)
def test_an_ended_run_is_left_as_it_is(run, greeting, source):
    result = run("cancel", greeting, source=source)

    assert result.exit_code == 0
    assert result.stdout == f"run {greeting} had already finished: succeeded\n"


# -- errors --------------------------------------------------------------------------------------


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize(
    "args",
    [
        ("show", "Missing.md"),
        ("show", UNKNOWN_RUN),
        ("logs", UNKNOWN_RUN),
        ("logs", "../../etc/passwd"),
        ("cancel", UNKNOWN_RUN),
        ("validate", "Missing.md"),
    ],
    ids=" ".join,
)
def test_what_is_not_there_exits_with_66(run, runbooks, args, source):
    result = run(*args, source=source)

    assert (result.exit_code, result.stdout) == (66, "")
    assert result.stderr.startswith("runbook: error: ")


def test_without_a_token_a_server_answers_nobody(run, runbooks):
    result = run("list", source="remote", token="")

    assert result.exit_code == 77
    assert "RUNBOOK_TOKEN" in result.stderr


def test_a_refused_validation_exits_with_77(run, runbooks):
    assert run("validate", "Admin.md", source="remote").exit_code == 77


def test_a_server_that_is_not_there_exits_with_69(run):
    result = run("list", "--url", "http://127.0.0.1:9", source="remote")

    assert result.exit_code == 69
    assert "http://127.0.0.1:9" in result.stderr


def test_what_is_not_understood_exits_with_2(run):
    assert run("list", "--url", "nonsense").exit_code == 2


# -- validate ------------------------------------------------------------------------------------


def test_problems_have_a_file_and_a_line(run, server, runbooks):
    path = server.runbooks / "Greet.md"
    result = run("validate", str(path))

    assert result.exit_code == 65
    assert f"{path}:6: error: Required environment variable not set: TARGET" in result.stdout


def test_a_valid_runbook_is_said_to_be_so(run, runbooks):
    result = run("validate", "Greet.md", "--env", "TARGET=x")

    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == "runbook: Greet.md is valid\n"


def test_a_runbook_is_named_as_for_execute(run, runbooks):
    result = run("validate", "--runbook", "Greet.md", "--env", "TARGET=x")
    assert (result.exit_code, result.stderr) == (0, "runbook: Greet.md is valid\n")


@pytest.mark.parametrize("command", ["validate", "execute"])
@pytest.mark.parametrize("names", [(), ("Greet.md", "--runbook", "Greet.md")])
def test_a_runbook_is_named_once(run, runbooks, command, names):
    result = run(command, *names)
    assert result.exit_code == 2
    assert "--runbook" in result.stderr


# -- as a process --------------------------------------------------------------------------------


def test_a_reader_that_leaves_is_no_error(server, greeting):
    command = [sys.executable, "-m", "runbook", "show", "Greet.md"]
    ours, theirs = os.pipe()
    os.close(ours)
    with open(theirs, "wb") as nobody:
        done = subprocess.run(
            command, env=server.environment, stdout=nobody, stderr=subprocess.PIPE, check=False
        )
    assert (done.returncode, done.stderr) == (141, b"")

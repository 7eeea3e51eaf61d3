"""The quick start of README.md, run exactly as it is written by someone who follows it."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from patience import PATIENCE_S
from ports import free_port

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
QUICK_START = README.partition("## Quick start\n")[2].partition("\n## ")[0]
BLOCKS = re.findall(r"^```sh\n(.*?)^```$", QUICK_START, re.MULTILINE | re.DOTALL)
PORT = "localhost:8083"


@pytest.fixture
def checkout(tmp_path):
    """A checkout after its setup, in a folder of its own: what `make start` finds."""
    folder = tmp_path / "checkout"
    for name in ("samples", "scripts"):
        shutil.copytree(ROOT / name, folder / name)
    (folder / ".venv").symlink_to(sys.prefix)
    return folder


@pytest.fixture
def environment(checkout):
    """What a stranger's shell has. Our install is editable: DATA_DIR would be its checkout's."""
    path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    return {"PATH": path, "HOME": str(checkout.parent), "DATA_DIR": str(checkout / ".data")}


@pytest.fixture
def port(checkout, environment):
    """The port that `make start API_PORT=...` serves on."""
    log = checkout.parent / "log"
    number = free_port()
    with log.open("wb") as output:
        server = subprocess.Popen(
            # As in a terminal, also where this process was told to ignore Ctrl-C.
            ["env", "--default-signal=INT", checkout / "scripts" / "serve.sh"],
            env=environment | {"API_PORT": str(number)},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        wait_ready(number, server, log)
        yield number
    finally:
        os.killpg(server.pid, signal.SIGINT)  # what Ctrl-C sends
        assert server.wait(2 * PATIENCE_S) == 0, log.read_text()


def wait_ready(port, server, log):
    while server.poll() is None:
        try:
            if httpx.get(f"http://127.0.0.1:{port}/readyz", timeout=PATIENCE_S).status_code == 200:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.05)  # the only sign of readiness is the answer itself
    raise AssertionError(log.read_text())


@pytest.fixture
def follow_readme(checkout, environment):
    """Paste the blocks into one shell, one after the other; what each one printed."""

    def follow(blocks, port):
        folder = checkout.parent / "blocks"
        folder.mkdir()
        script = []
        for number, block in enumerate(blocks):
            (folder / f"{number}.sh").write_text(block.replace(PORT, f"localhost:{port}"))
            script.append(f". {folder}/{number}.sh >{folder}/{number}.out 2>&1")
        subprocess.run(
            ["bash", "-c", "\n".join(script)],
            cwd=checkout,
            env=environment,
            timeout=3 * PATIENCE_S,
            check=False,
        )
        return [(folder / f"{number}.out").read_text() for number in range(len(blocks))]

    return follow


def events(output):
    """The events of a stream: their names, and their data."""
    block = r"^event: (\w+)\n(?:(?:id|retry): .*\n)*((?:data: .*\n)+)"
    found = re.findall(block, output, re.MULTILINE)
    return [(name, data.replace("data: ", "").rstrip("\n")) for name, data in found]


def test_the_quick_start_keeps_its_promises(checkout, port, follow_readme):
    start, *blocks = BLOCKS
    assert start == "make start\n"
    outputs = follow_readme(blocks, port)
    token, listing, validated, executed, started, followed, cancelled, one_shot = outputs[:8]

    assert (token, started) == ("", "")
    listed = json.loads(listing)["runbooks"]
    assert {item["path"] for item in listed if item["executable"]} >= {
        "SimpleRunbook.md",
        "LongRunningRunbook.md",
    }
    promised = re.findall(r"^```json\n(.*?)\n```$", QUICK_START, re.MULTILINE | re.DOTALL)
    assert [validated.strip()] == promised
    assert_executed(executed)
    assert_followed(followed)
    assert_cancelled(cancelled)
    assert_one_shot(one_shot)
    assert_followed_up(*outputs[8:])
    assert_recorded(checkout / ".serve" / "runbooks")


def assert_executed(output):
    *others, done = events(output)
    stdout = "".join(data for name, data in others if name == "stdout")
    assert stdout.replace("\n", "").startswith("Running SimpleRunbookTEST_VAR: hello")
    assert done[0] == "done"
    outcome = json.loads(done[1])
    assert (outcome["success"], outcome["return_code"]) == (True, 0)
    # Line by line what the page shows of it.
    (shown,) = re.findall(r"^```text\n(.*?)^```$", QUICK_START, re.MULTILINE | re.DOTALL)
    for line in shown.replace("...\n", "\n").splitlines():
        assert line.rstrip(". ") in output


def assert_followed(output):
    """Its lines came while it ran: a stream of two minutes was left after three seconds."""
    streamed = [json.loads(data) for name, data in events(output) if name == "stdout"]
    assert "Cycle 2 of 120" in "".join(event["text"] for event in streamed)
    assert "done" not in dict(events(output))
    assert "\nRunning LongRunningRunbook\nCycle 1 of 120\n" in output  # the log


def assert_cancelled(output):
    ((name, data),) = events(output)
    assert (name, json.loads(data)["status"]) == ("done", "cancelled")


def assert_one_shot(output):
    assert "TEST_VAR: hello\n" in output
    assert "SimpleRunbook.md succeeded" in output
    assert output.endswith("exit code 3\n")


def assert_followed_up(failed, mended):
    assert "Resume.md failed with return code 4" in failed
    resumed, _, undone = mended.partition("Announced the service\n")
    assert "Opened port 8080\n" in resumed
    assert "Made the folder" not in mended
    assert undone.index("Closed port 8080") < undone.index("Removed the configuration")
    assert undone.index("Removed the folder") < undone.index("The name is free again")


def assert_recorded(runbooks):
    simple = (runbooks / "SimpleRunbook.md").read_text().partition("# History")[2]
    assert simple.count("Exit Code: 0") == 2
    assert "By `me` (roles `sre`) via api" in simple
    assert "via cli" in simple
    long = (runbooks / "LongRunningRunbook.md").read_text().partition("# History")[2]
    assert "Exit Code: -2" in long


def test_a_second_start_keeps_the_records_and_adds_what_is_missing(checkout, environment):
    runbooks = checkout / ".serve" / "runbooks"
    runbooks.mkdir(parents=True)
    (runbooks / "SimpleRunbook.md").write_text("mine")
    serve = checkout / ".venv" / "bin" / "runbook"
    (checkout / ".venv").unlink()
    serve.parent.mkdir(parents=True)
    serve.write_text('#!/bin/sh\necho "$1 $RUNBOOKS_DIR $ENABLE_LOGIN"\n')
    serve.chmod(0o755)
    script = [checkout / "scripts" / "serve.sh"]
    done = subprocess.run(script, env=environment, capture_output=True, text=True, check=True)

    assert done.stdout.splitlines()[-1] == f"serve {runbooks} true"
    assert (runbooks / "SimpleRunbook.md").read_text() == "mine"
    copied = {str(path.relative_to(runbooks)) for path in runbooks.rglob("*")}
    samples = checkout / "samples" / "runbooks"
    assert copied == {str(path.relative_to(samples)) for path in samples.rglob("*")}


def test_the_readme_begins_with_what_is_needed():
    title, empty, needs = README.splitlines()[:3]
    assert title.startswith("# ")
    assert empty == ""
    for word in ("git", "make", "python3 with venv"):
        assert word in needs


def test_the_quick_start_needs_nothing_that_is_not_named_or_installed():
    commands = {
        word
        for block in BLOCKS
        for line in re.sub(r"'[^']*'|\"[^\"]*\"|\\\n", " ", block).splitlines()
        for word in re.findall(r"(?:^|[|(] *)([\w./-]+)(?= |$)", line)
    }
    assert commands == {"make", "curl", "python3", "tail", "echo", "export", ".venv/bin/runbook"}

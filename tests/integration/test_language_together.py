"""Runs beside each other and below each other: locks, progress, calls."""

import json
import os
import pty
import re
import select
import time

import pytest

from patience import PATIENCE_S

HOLD = """
print -r -- begun on $HOST
while [[ ! -e $GATE ]]; do sleep 0.02; done
print over
"""
INPUTS = "HOST: {type: string}\nGATE: {type: string}"


class Gate:
    """What scripts wait for."""

    def __init__(self, path):
        self.path = path

    def open(self):
        self.path.touch()


@pytest.fixture
def gate(tmp_path):
    gate = Gate(tmp_path / "gate")
    yield gate
    gate.open()


def first(events, kind, text=""):
    for event in events:
        if event["type"] == kind and text in event.get("text", ""):
            return event
    raise AssertionError(f"no {kind}")


class Local:
    """A run of `runbook execute`, and its events while it goes on."""

    def __init__(self, beside, ref, env_vars):
        options = [f"--env={name}={value}" for name, value in env_vars.items()]
        self.process = beside.start("execute", "--runbook", ref, "--json", *options)
        self.events = (json.loads(line) for line in self.process.stdout)
        self.id = next(self.events)["run_id"]

    def ended(self):
        *_, done = self.events
        self.process.communicate(timeout=PATIENCE_S)
        return done


class Served:
    """A run of the server, and its events while it goes on."""

    def __init__(self, client, follow, run_id):
        self.id = run_id
        self.events = follow(client, run_id)

    def ended(self):
        *_, done = self.events
        return done


@pytest.fixture
def begin(beside, client, submit, follow, gate):
    """Start a run at an engine: `local`, or `served` by the server."""
    locals_ = []

    def call(engine, ref, host="r1"):
        env_vars = {"HOST": host, "GATE": str(gate.path)}
        if engine == "served":
            run_id = submit(client, f"/api/runbooks/{ref}/execute", env_vars=env_vars)
            return Served(client, follow, run_id)
        locals_.append(Local(beside, ref, env_vars))
        return locals_[-1]

    yield call
    gate.open()
    for local in locals_:
        local.process.communicate(timeout=PATIENCE_S)


@pytest.fixture
def device(write):
    return write("Device", HOLD, INPUTS, policy="locks: device:${HOST}")


ENGINES = [("served", "local"), ("local", "served"), ("local", "local")]


@pytest.mark.parametrize("engines", ENGINES, ids=" ".join)
def test_one_waits_and_names_the_other(begin, device, gate, client, engines):
    holder = begin(engines[0], device)
    started = first(holder.events, "stdout", "begun")
    waiter = begin(engines[1], device)

    waiting = first(waiter.events, "waiting")

    run = client.get(f"/api/runs/{waiter.id}").json()
    by = client.get(f"/api/runs/{holder.id}").json()["by"]
    assert (run["status"], run["waiting"]["lock"]) == ("waiting", "device:r1")
    assert (run["waiting"]["run_id"], run["waiting"]["by"]) == (holder.id, by)
    assert (waiting["held_by"], waiting["by"]) == (holder.id, by)
    assert waiting["since"] == run["waiting"]["since"] <= started["at"]
    gate.open()
    assert holder.ended()["status"] == waiter.ended()["status"] == "succeeded"
    ended = client.get(f"/api/runs/{holder.id}").json()["finished_at"]
    assert client.get(f"/api/runs/{waiter.id}").json()["started_at"] >= ended


@pytest.mark.parametrize("engine", ["served", "local"])
def test_kill_9_of_the_holder_frees_the_lock(begin, device, gate, client, engine, kill_tree):
    holder = begin("local", device)
    first(holder.events, "stdout", "begun")
    waiter = begin(engine, device)
    first(waiter.events, "waiting")

    kill_tree(holder.process)

    first(waiter.events, "stdout", "begun")
    assert client.get(f"/api/runs/{holder.id}").json()["status"] == "lost"
    gate.open()
    assert waiter.ended()["status"] == "succeeded"


@pytest.mark.parametrize("engines", ENGINES, ids=" ".join)
@pytest.mark.parametrize(
    ("policy", "lock"),
    [("locks: device:${HOST}", "device:r1"), ("concurrency: 1", "concurrency:Fails.md")],
)
def test_one_that_does_not_wait_fails_and_names_the_other(
    begin, write, gate, engines, policy, lock
):
    ref = write("Fails", HOLD, INPUTS, policy=f"{policy}\non_busy: fail")
    holder = begin(engines[0], ref)
    first(holder.events, "stdout", "begun")

    done = begin(engines[1], ref).ended()

    assert (done["status"], done["return_code"]) == ("failed", 1)
    assert done["errors"][0].startswith(f"Lock {lock} is held by run {holder.id} of Fails.md")
    gate.open()
    assert holder.ended()["status"] == "succeeded"


def test_at_most_so_many_runs_of_a_runbook_at_once(begin, write, gate):
    ref = write("Narrow", HOLD, INPUTS, policy="concurrency: 2")
    runs = [begin("served", ref, host=host) for host in ("r1", "r2")]
    for run in runs:
        first(run.events, "stdout", "begun")
    third = begin("local", ref, host="r3")
    assert first(third.events, "waiting")["lock"] == "concurrency:Narrow.md"
    gate.open()
    assert [run.ended()["status"] for run in (*runs, third)] == ["succeeded"] * 3


@pytest.mark.parametrize("engines", ENGINES, ids=" ".join)
def test_other_hosts_do_not_wait(begin, device, gate, engines):
    """Both are under way while the gate is closed."""
    runs = [begin(engine, device, host=f"r{n}") for n, engine in enumerate(engines)]
    for n, run in enumerate(runs):
        assert first(run.events, "stdout", "begun")["text"] == f"begun on r{n}\n"
    gate.open()
    assert [run.ended()["status"] for run in runs] == ["succeeded"] * 2


# -- progress ------------------------------------------------------------------------------------

PROGRESS = """
runbook progress 40 "Cloning disk"
while [[ ! -e $GATE ]]; do sleep 0.02; done
print cloned
runbook progress 100
"""


@pytest.mark.parametrize("engine", ["served", "local"])
def test_progress_arrives_while_the_script_runs(begin, write, gate, engine):
    """The script goes on only when its progress was seen."""
    run = begin(engine, write("Clones", PROGRESS, INPUTS))

    progress = first(run.events, "progress", "Cloning")

    assert progress["percent"] == 40
    gate.open()
    printed = first(run.events, "stdout", "cloned")
    assert progress["n"] < printed["n"]
    assert first(run.events, "progress")["percent"] == 100
    assert run.ended()["status"] == "succeeded"


def test_at_a_terminal_it_is_a_bar(beside, write, gate):
    ref = write("Bar", PROGRESS, "GATE: {type: string}")
    ours, terminal = pty.openpty()
    beside.environment["TERM"] = "xterm"
    gate_option = f"--env=GATE={gate.path}"
    with beside.start(
        "execute", "--runbook", ref, gate_option, stdout=terminal, stderr=terminal
    ) as process:
        os.close(terminal)
        shown, deadline = b"", time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline and select.select([ours], [], [], PATIENCE_S)[0]:
            try:
                shown += os.read(ours, 4096)
            except OSError:  # the other end is closed
                break
            if b"40% Cloning disk" in shown:
                gate.open()
        assert process.wait(PATIENCE_S) == 0
    os.close(ours)
    text = shown.decode()
    assert "\r\x1b[K[########------------] 40% Cloning disk" in text
    assert "[####################] 100%" in text
    assert "cloned" in text[text.index("40%") :]


def test_in_a_pipe_it_is_plain(beside, write, gate):
    gate.open()
    ref = write("Plain", PROGRESS, "GATE: {type: string}")
    done = beside.run("execute", "--runbook", ref, f"--env=GATE={gate.path}")
    assert done.stdout == "cloned\n"
    assert "runbook: 40% Cloning disk\n" in done.stderr
    assert not re.search(r"[\r\x1b\[]", done.stderr)


# -- calls ---------------------------------------------------------------------------------------


@pytest.fixture
def family(write):
    write("Parent", "runbook call Child.md NAME=one; runbook call Grandchild.md NAME=two")
    write("Child", "runbook call Grandchild.md NAME=$NAME", "NAME: {type: string}")
    write("Grandchild", "runbook output name=$NAME", "NAME: {type: string}")


@pytest.mark.parametrize("engine", ["served", "local"])
def test_a_run_is_one_tree(family, client, execute, beside, engine):
    if engine == "served":
        client.headers["X-Correlation-Id"] = "one-tree"
        run_id = execute(client, "Parent.md")["run_id"]
    else:
        run_id = beside.events("execute", "--runbook", "Parent.md")[-1]["run_id"]

    tree = client.get(f"/api/runs/{run_id}").json()

    child, second = tree["children"]
    (grandchild,) = child["children"]
    family = [tree, child, grandchild, second]
    assert [run["runbook"] for run in family] == [
        "Parent.md",
        "Child.md",
        "Grandchild.md",
        "Grandchild.md",
    ]
    assert [run["status"] for run in family] == ["succeeded"] * 4
    assert {run["correlation_id"] for run in family} == {tree["correlation_id"]}
    assert (engine == "served") is (tree["correlation_id"] == "one-tree")
    assert [run["root_id"] for run in family] == [None, run_id, run_id, run_id]
    assert grandchild["parent_id"] == child["id"]
    assert grandchild["chain"] == ["Parent.md", "Child.md", "Grandchild.md"]
    assert (grandchild["outputs"], second["outputs"]) == ({"name": "one"}, {"name": "two"})
    assert second["children"] == grandchild["children"] == []


CURL = """
curl -sN -X POST -H "$RUNBOOK_H_AUTH" "$RUNBOOK_URL/{ref}/execute" | grep '^data:' | tail -n 1
"""


def test_a_cycle_is_refused_also_without_the_header(write, client, execute):
    """The run's own token says which runbooks led here."""
    write("Ring", CURL.format(ref="Ring2.md"))
    write("Ring2", CURL.format(ref="Ring.md"))

    done = execute(client, "Ring.md")

    assert done["status"] == "succeeded"
    assert "Recursion detected: Runbook Ring.md already in execution chain" in done["stdout"]
    (child,) = client.get(f"/api/runs/{done['run_id']}").json()["children"]
    (refused,) = child["children"]
    assert (refused["runbook"], refused["status"]) == ("Ring.md", "invalid")
    assert refused["children"] == []

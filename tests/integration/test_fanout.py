"""A runbook for each device of a fleet: a real server, whose worker is killed in the middle."""

import csv
import io
import json
import os
import signal
import time
from collections import Counter
from functools import partial

import pytest

from patience import PATIENCE_S

ROUTER = "ROUTER:\n  description: The device.\n  type: device"
FLEET = "DEVICES:\n  description: The devices.\n  type: devices"
CHILD = """
runbook progress 50 "Asking $ROUTER"
case $ROUTER in
  hang*) sleep 600 ;;
  bad*) print -u2 "no answer from $ROUTER"; exit 4 ;;
esac
"""


def wait_for(look, seconds):
    """What `look` returns, once that is true. Several processes have a part in it."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := look():
            return found
        time.sleep(0.05)
    raise AssertionError(f"waited for {seconds} s in vain")


@pytest.fixture
def inventory(server):
    """Add devices, which any connection reaches."""

    def add(*names):
        table = "name,address\n" + "".join(f"{name},192.0.2.1\n" for name in names)
        with server.client("root", ("admin",)) as admin:
            reply = admin.post("/api/inventory-import", json={"csv": table})
            assert reply.status_code == 200, reply.text

    return add


@pytest.fixture
def table(client):
    """The whole table of a run: its fan-outs, and its devices by name."""

    def read(run_id):
        devices, cursor = {}, None
        while True:
            more = {"cursor": cursor} if cursor else {}
            page = client.get(f"/api/runs/{run_id}/devices", params={"limit": 20} | more).json()
            devices |= {one["device"]: one for one in page["devices"]}
            if (cursor := page["next_cursor"]) is None:
                return page["fanouts"], devices

    return read


def ended(client, run_id):
    run = client.get(f"/api/runs/{run_id}").json()
    return None if run["active"] else run


def counts_of(table, run_id):
    fanouts, _ = table(run_id)
    return fanouts[-1]["counts"] if fanouts else None


def test_fifty_devices_of_which_five_hang_and_five_fail(
    server, client, write, submit, inventory, table
):
    hanging, failing = ([f"{kind}-{n}" for n in range(5)] for kind in ("hang", "bad"))
    good = [f"good-{n:02}" for n in range(40)]
    inventory(*hanging, *failing, *good)
    write("Poll50", CHILD, ROUTER, policy="timeout: 10s")
    fleet = "runbook fanout Poll50.md --over DEVICES --parallel 24%"
    ref = write("Fleet50", fleet, FLEET, policy="timeout: 10m")
    run_id = submit(
        client, f"/api/runbooks/{ref}/execute", env_vars={"DEVICES": "hang-0,hang-1,all"}
    )
    run = wait_for(lambda: ended(client, run_id), 4 * PATIENCE_S)
    assert (run["status"], run["return_code"]) == ("failed", 1)

    (fanout,), devices = table(run_id)
    assert fanout["counts"] == {
        "pending": 0, "running": 0, "succeeded": 40, "failed": 10, "skipped": 0,
    }  # fmt: skip
    assert (fanout["parallel"], fanout["input"], fanout["stopped"]) == (12, "ROUTER", None)
    assert {devices[name]["state"] for name in good} == {"succeeded"}
    assert {devices[name]["code"] for name in hanging} == {"timed_out"}
    assert {devices[name]["message"] for name in failing} == {
        f"no answer from {name}" for name in failing
    }
    assert devices["good-07"]["phase"] == "Asking good-07"
    assert len({one["run_id"] for one in devices.values()}) == 50
    rows = list(csv.DictReader(io.StringIO(client.get(f"/api/runs/{run_id}/devices.csv").text)))
    assert Counter(row["state"] for row in rows) == {"succeeded": 40, "failed": 10}


def test_no_device_is_worked_on_twice_at_once(server, client, write, submit, inventory, table):
    names = [f"once-{n}" for n in range(4)]
    inventory(*names)
    gate = server.folder / "once-gate"
    work = f"""
    mkdir {server.folder}/at-$ROUTER || exit 9
    until [[ -e {gate} ]]; do sleep 0.02; done
    rmdir {server.folder}/at-$ROUTER
    """
    write("Once", work, ROUTER)
    fleet = "runbook fanout Once.md --over DEVICES --on-busy $BUSY"
    ref = write("FleetOnce", fleet, f"{FLEET}\nBUSY: text", policy="success_codes: [0, 3]")

    def begin(busy):
        body = {"env_vars": {"DEVICES": ",".join(names), "BUSY": busy}}
        return submit(client, f"/api/runbooks/{ref}/execute", **body)

    first = begin("wait")
    wait_for(lambda: all((server.folder / f"at-{name}").exists() for name in names), PATIENCE_S)
    skipping, waiting = begin("skip"), begin("wait")
    assert wait_for(lambda: ended(client, skipping), PATIENCE_S)["return_code"] == 3
    _, skipped = table(skipping)
    assert {(one["state"], one["code"]) for one in skipped.values()} == {("skipped", "lock_held")}
    gate.touch()
    for run_id in (first, waiting):
        assert wait_for(partial(ended, client, run_id), PATIENCE_S)["status"] == "succeeded"
        assert counts_of(table, run_id)["succeeded"] == 4


def test_the_toolkit_pushes_to_a_canary_first(server, beside, write, execute, inventory):
    for verb in ("install", "enable"):
        assert beside.run("toolkit", verb, "fleet").returncode == 0
    inventory("bad-push", "push-1", "push-2")
    write("Pushed", CHILD, f"{ROUTER}\nCHANGE: text")
    given = {"DEVICES": "bad-push,push-1,push-2", "RUNBOOK": "Pushed.md"}
    with server.client("op", ("operator",)) as client:
        done = execute(client, "fleet/Push.md", **given, INPUTS="CHANGE=a=b\n")
        page = client.get(f"/api/runs/{done['run_id']}/devices").json()
        assert done["return_code"] == 1, done
        assert done["outputs"] == {
            "SUCCEEDED": "0", "FAILED": "1", "SKIPPED": "0", "NOT_STARTED": "2",
        }  # fmt: skip
        assert [one["stopped"] for one in page["fanouts"]] == ["canary"]
        assert [one["state"] for one in page["devices"]] == ["failed", "pending", "pending"]
        incomplete = execute(client, "fleet/Push.md", **given)
        page = client.get(f"/api/runs/{incomplete['run_id']}/devices").json()
        assert page["devices"][0]["code"] == "missing_input"
        done = execute(client, "fleet/Run.md", **given | {"RUNBOOK": "fleet/Run.md"})
        assert "no input of type device" in done["stderr"]


def test_a_fan_out_pauses_and_goes_on(server, client, write, submit, inventory, table):
    names = [f"pause-{n}" for n in range(3)]
    inventory(*names)
    gate = server.folder / "pause-gate"
    write("Slow", f"until [[ -e {gate} ]]; do sleep 0.02; done", ROUTER)
    fleet = "runbook fanout Slow.md --over DEVICES --parallel 1"
    ref = write("FleetSlow", fleet, FLEET)
    body = {"env_vars": {"DEVICES": ",".join(names)}}
    run_id = submit(client, f"/api/runbooks/{ref}/execute", **body)
    assert client.post(f"/api/runs/{run_id}/fanouts", json={}).status_code == 400
    wait_for(lambda: (counts_of(table, run_id) or {}).get("running") == 1, PATIENCE_S)

    assert client.post(f"/api/runs/{run_id}/pause").status_code == 200
    gate.touch()
    wait_for(lambda: counts_of(table, run_id)["succeeded"] == 1, PATIENCE_S)
    log = f"/api/runs/{run_id}/log"
    wait_for(lambda: "paused" in client.get(log).text, PATIENCE_S)
    assert counts_of(table, run_id)["pending"] == 2
    assert client.post(f"/api/runs/{run_id}/continue").status_code == 200
    assert wait_for(lambda: ended(client, run_id), PATIENCE_S)["status"] == "succeeded"
    assert client.post(f"/api/runs/{run_id}/pause").status_code == 409
    other = {"runbook": "Slow.md", "devices": names}
    assert client.post(f"/api/runs/{run_id}/fanouts", json=other).status_code == 404


def test_after_a_killed_worker_each_device_left_is_done_once(
    server, client, write, submit, inventory, table
):
    names = [f"kill-{n}" for n in range(8)]
    inventory(*names)
    gate, done = server.folder / "kill-gate", server.folder / "kill-done"
    work = f"""
    [[ $ROUTER == kill-[0-2] ]] || until [[ -e {gate} ]]; do sleep 0.02; done
    print $ROUTER >> {done}
    """
    write("Count", work, ROUTER)
    fleet = "## Work\n```python\nimport json, os, runbook\nresult = runbook.fanout(\n"
    fleet += '    "Count.md", json.loads(os.environ["DEVICES"]), parallel=3, canary=1\n)\n'
    fleet += 'runbook.output("succeeded", result["succeeded"])\n```'
    ref = write("FleetCount", fleet, FLEET)
    body = {"env_vars": {"DEVICES": ",".join(names)}}
    run_id = submit(client, f"/api/runbooks/{ref}/execute", **body)
    middle = {"pending": 2, "running": 3, "succeeded": 3, "failed": 0, "skipped": 0}
    wait_for(lambda: counts_of(table, run_id) == middle, 2 * PATIENCE_S)

    os.kill(server.worker.pid, signal.SIGKILL)
    assert wait_for(lambda: ended(client, run_id), 2 * PATIENCE_S)["status"] == "lost"
    wait_for(lambda: counts_of(table, run_id)["running"] == 0, PATIENCE_S)
    gate.touch()
    resumed = submit(client, f"/api/runs/{run_id}/resume")
    run = wait_for(lambda: ended(client, resumed), 2 * PATIENCE_S)
    assert (run["status"], run["outputs"]) == ("succeeded", {"succeeded": "8"}), json.dumps(run)
    assert sorted(done.read_text().split()) == names
    _, devices = table(resumed)
    assert [name for name in names if devices[name]["earlier"]] == names[:3]


def test_without_a_server_the_engine_process_runs_the_children(beside, write, inventory):
    inventory("solo-1", "bad-solo")
    write("Solo", CHILD, ROUTER)
    fleet = "result=$(runbook fanout Solo.md --over solo-1,bad-solo)\nprint $? $result"
    done = beside.run("execute", "--runbook", write("FleetSolo", fleet))
    code, result = done.stdout.strip().split(" ", 1)
    assert (code, json.loads(result)["succeeded"], json.loads(result)["failed"]) == ("1", 1, 1)
    assert "no answer from bad-solo" in done.stderr

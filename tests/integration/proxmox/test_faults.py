"""What a cluster does to its clients: each fault ends in one clear line and an exit code."""

import threading

import pytest

from pve import lose
from runbook.core.status import RunStatus
from runbook.engine.process.run import Stop, StopReason


def clear(run, code, *texts):
    """It failed with this exit code, and its last line says why."""
    assert (run.run.status, run.code) == (RunStatus.FAILED, code), run.errors
    lines = run.errors.strip().splitlines()
    assert "Traceback" not in run.errors
    assert all(text in lines[-1] for text in texts), lines
    return True


def test_the_quorum_is_lost(kit, lab, container):
    lab.pve.lose_quorum()
    run = kit.execute("CreateContainer", **container)
    assert clear(run, 20, "no quorum")
    assert (lab.guests(), run.effects) == ({}, [("guest", "failed")])


def test_a_storage_is_full(kit, lab, machine):
    lab.pve.storages["local-lvm"]["avail"] = 1024**3
    run = kit.execute("CreateVm", **machine, DISK="8")
    assert clear(run, 18, "No space left")
    assert (lab.guests(), lab.disks(), run.effects) == ({}, [], [("guest", "failed")])


def test_a_guest_is_locked(kit, lab):
    lab.pve.add_vm(100, "db-1", status="stopped")
    lab.pve.snapshot_lock(100, "backup")
    assert clear(kit.execute("Snapshot", VMID="100", SNAPSHOT="before"), 19, "locked")
    assert clear(kit.execute("Delete", VMID="100", NAME="db-1"), 19, "locked")
    assert list(lab.guests()) == [100]


def test_the_network_is_flaky(kit, lab, container):
    lab.pve._random.seed(7)
    lab.pve.flaky_network(drop_rate=0.3)
    runs = [kit.execute("CreateContainer", **container) for _ in range(2)]
    lab.pve.flaky_network()
    made = [run for run in runs if run.run.success]
    for run in runs:
        if not run.run.success:
            clear(run, 13, "can't be reached")
        if ("guest", "intended") in run.effects:
            assert kit.rerun("undo", run).run.success
    assert len(lab.guests()) == len(made)


def is_creation(request):
    return request.method == "POST" and request.path.endswith("/lxc")


@pytest.mark.parametrize("moment", ["before", "after"])
def test_the_connection_breaks_for_good(kit, lab, container, moment):
    """Whether the container is created or not: nothing is left, and the record says so."""

    def cut(request):
        if is_creation(request):
            lab.pve.before = lose
            lose(request)

    setattr(lab.pve, moment, cut)
    run = kit.execute("CreateContainer", **container)
    assert clear(run, 13, "can't be reached")
    assert run.effects == [("guest", "intended")]
    lab.pve.before = lab.pve.after = lambda request: None
    undo = kit.rerun("undo", run)
    assert undo.run.success, undo.errors
    assert (lab.guests(), run.effects) == ({}, [("guest", "undone")])


def test_an_answer_is_lost(kit, lab, container):
    """The request arrives, and the connection breaks before the answer: it is not sent again."""
    lab.pve.after = lambda request: lose(request) if is_creation(request) else None
    run = kit.execute("CreateContainer", **container)
    assert run.run.success, run.errors
    assert len(lab.guests()) == 1
    assert [path for method, path, _ in lab.changes() if method == "POST"] == [
        "/nodes/pve1/lxc",
        "/nodes/pve1/lxc/100/status/start",
    ]


def test_the_server_is_too_slow(kit, lab, container):
    lab.pve.time_scale = 1
    lab.pve.slow_network(latency=3)
    kit.connect(timeout=1)
    run = kit.execute("CreateContainer", **container)
    lab.pve.slow_network(latency=0)
    assert clear(run, 12, "didn't answer in time")
    assert lab.guests() == {}


def test_the_node_is_offline(kit, lab, container):
    lab.pve.set_node_offline("pve1")
    assert clear(kit.execute("CreateContainer", **container), 13, "No route to host")


def test_the_token_lacks_a_permission(kit, lab, container):
    lab.pve.apitokens["ops@pve!rb"] = "token of ops"
    kit.connect(token_id="ops@pve!rb", token_secret="token of ops")
    lab.pve.grant("ops@pve", "/", "VM.Audit", "Sys.Audit")
    assert clear(kit.execute("CreateContainer", **container), 14, "Permission check failed")


def test_a_template_is_missing(kit, lab, container):
    run = kit.execute("CreateContainer", **container | {"TEMPLATE": "local:vztmpl/none.tar.zst"})
    assert clear(run, 15, "does not exist")
    assert lab.guests() == {}


def test_a_run_that_is_cancelled_stops_its_task(kit, lab, container):
    lab.pve.time_scale, lab.pve.ct_secs["create"] = 1, 600
    run, stop = kit.submit("CreateContainer", **container), Stop()
    lab.pve.after = lambda request: (
        stop.request(StopReason.CANCEL) if request.path.endswith("/status") else None
    )
    kit.execute_next(stop)
    lab.pve.after = lambda request: None
    ended = kit.ended(run)
    assert ended.run.status is RunStatus.CANCELLED
    (upid,) = lab.pve.tasks
    assert lab.changes()[1:] == [("DELETE", f"/nodes/pve1/tasks/{upid}", {})]
    assert ended.effects == [("guest", "intended")]


@pytest.mark.parametrize("how_many", [16])
def test_many_at_once_get_a_number_each(kit, lab, container, how_many):
    lab.pve.time_scale = 0.05
    runs = [kit.submit("CreateContainer", **container) for _ in range(how_many)]
    threads = [threading.Thread(target=kit.execute_next) for _ in runs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ended = [kit.ended(run) for run in runs]
    assert [one.run.status for one in ended] == [RunStatus.SUCCEEDED] * how_many, [
        one.errors for one in ended
    ]
    numbers = [int(one.outputs["vmid"]) for one in ended]
    assert sorted(numbers) == sorted(lab.guests())
    assert len(set(numbers)) == how_many
    recorded = {
        effect.probe["vmid"]: effect.probe["mark"]
        for one in ended
        for effect in kit.store.effects.of(one.run.id)
        if effect.state.value == "done"
    }
    assert {vmid: f"runbook: {mark}" for vmid, mark in recorded.items()} == lab.guests()

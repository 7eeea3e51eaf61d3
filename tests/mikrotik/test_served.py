"""Push on a real server, whose worker is killed: see storm.py for more of it."""

import shutil
import subprocess
from types import SimpleNamespace

import psutil
import pytest

from mikrotik.conftest import REVERT_S
from mikrotik.served import PUSH, Served
from mikrotik.site import BROKEN, CUT
from runbook.host.supervisor import MOST_QUICK_DEATHS
from young_workers import YoungWorkers

SLOW = "/ip address\nadd address=10.0.0.1/24 interface=ether2\n:delay 12s\n"


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    site = Served(tmp_path_factory.mktemp("served"))
    try:
        site.start()
        yield site
    finally:
        site.close()


def outcome(site, run):
    run = site.ended(run)
    return run["status"], run["return_code"], run["outputs"]["outcome"], run["outputs"]["reason"]


def test_a_mistake_is_refused_and_a_change_that_cuts_its_own_access_reverts(site):
    router = site.add("edge-1")
    before = router.snapshot()
    assert "disabled=yes" not in before
    run = site.submit(PUSH, router="edge-1", CHANGE=BROKEN)
    assert outcome(site, run) == ("failed", 40, "refused", "invalid_script")
    assert (router.snapshot(), router.boots) == (before, 1)
    run = site.submit(PUSH, router="edge-1", CHANGE=CUT, REVERT_AFTER=str(REVERT_S))
    site.eventually(lambda: "disabled=yes" in router.snapshot())
    router.advance(REVERT_S + 1)
    assert outcome(site, run) == ("failed", 41, "reverted", "cut_off")
    assert (router.snapshot(), router.boots) == (before, 2)
    assert site.leftovers() == []


def test_a_push_whose_worker_is_killed_is_ended_by_the_server_itself(site):
    router = site.add("edge-2")
    before = router.snapshot()
    run = site.submit(PUSH, router="edge-2", CHANGE=SLOW, REVERT_AFTER=str(REVERT_S))
    assert site.step_begins(run, 6)
    site.eventually(lambda: "10.0.0.1/24" in router.snapshot())
    site.kill_worker()
    recovery = site.recovery(run)
    assert site.run(run)["status"] == "lost"
    assert (recovery["outputs"]["run"], recovery["outputs"]["outcome"]) == (run, "reverted")
    assert router.snapshot() == before
    router.advance(86_400)
    assert router.snapshot() == before
    assert site.leftovers() == []


# -- the harness ---------------------------------------------------------------------------------


def test_nobody_waits_for_a_server_that_has_ended(tmp_path):
    site = Served(tmp_path)
    site.server.command = [shutil.which("false")]
    site.server.start(wait=False)
    site.server.wait()
    with pytest.raises(AssertionError, match="the server has ended, with 1"):
        site.run("01")


def test_no_more_young_workers_are_killed_than_the_supervisor_takes(monkeypatch):
    started, looks = [], []

    def start(_module="runbook.worker"):
        if not started or started[-1].poll() is not None:
            started.append(subprocess.Popen(["sleep", "100"]))
        return [psutil.Process(started[-1].pid)]

    workers = YoungWorkers(SimpleNamespace(children=start, assert_running=lambda: looks.append(1)))
    for _ in range(MOST_QUICK_DEATHS - 1):
        workers.make_room()
        workers.kill(*start())
        started[-1].wait()
    assert not looks

    monkeypatch.setattr("young_workers._is_old", lambda _: len(looks) > 2)
    workers.make_room()
    workers.kill(*start())
    assert len(looks) == 3
    started[-1].wait()
    workers.make_room(MOST_QUICK_DEATHS - 1)
    assert len(looks) == 3

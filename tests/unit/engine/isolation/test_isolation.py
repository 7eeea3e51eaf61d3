"""How a mode is chosen, and what a script is put into."""

from pathlib import Path

import pytest

from runbook.engine.isolation import cgroups, probing
from runbook.engine.isolation import isolation as module
from runbook.engine.isolation.cgroups import CgroupError
from runbook.engine.isolation.isolated import Isolated, Mode, RunLimits
from runbook.engine.isolation.isolation import Isolation, Plan, Wanted, publish, published
from runbook.engine.isolation.probing import Answer
from runbook.engine.isolation.sandbox import View
from runbook.errors import ConfigurationError


@pytest.fixture
def answers(monkeypatch):
    """What the probe answers, and how often it was asked."""
    given = [Answer()]
    asked = []

    def probe(*_arguments, as_root):
        asked.append(as_root)
        return given[0]

    monkeypatch.setattr(probing, "probe", probe)
    return given, asked


@pytest.fixture
def make(tmp_path):
    (tmp_path / "data").mkdir()
    run = tmp_path / "execution/run"
    (run / ".runbook").mkdir(parents=True)
    (run / ".runbook-artifacts").mkdir()

    def call(wanted=Wanted.AUTO, **more):
        plan = Plan(wanted, View(), tmp_path / "data", tmp_path / "execution", **more)
        return Isolation(plan, lambda path: (path.parent.mkdir(), path.write_bytes(b"key")))

    return call


@pytest.fixture
def confined(tmp_path):
    def call(isolation, *, socket="", backups=False):
        run = tmp_path / "execution/run"
        hidden = run / ".runbook"
        with isolation.confine("1", run, hidden, socket=socket, backups=backups) as found:
            return found

    return call


def test_auto_uses_a_sandbox_if_it_works(make, answers, confined):
    isolation = make()
    assert isolation.settle() == Isolated(Mode.BWRAP)
    assert confined(isolation).sandbox[0].endswith("bwrap")


def test_auto_says_why_there_is_none(make, answers, confined):
    answers[0][0] = Answer("refused")
    isolation = make()
    assert isolation.settle() == Isolated(Mode.PROCESS, "refused")
    assert [note.code for note in isolation.settle().notes()] == ["not_sandboxed"]
    assert confined(isolation).sandbox is None


def test_a_required_sandbox_is_never_replaced(make, answers):
    answers[0][0] = Answer("refused")
    with pytest.raises(ConfigurationError):
        make(Wanted.BWRAP).settle()


def test_process_asks_for_nothing(make, answers, confined):
    isolation = make(Wanted.PROCESS)
    assert confined(isolation).sandbox is None
    assert (isolation.settle().notes(), answers[1]) == ([], [])


def test_a_server_asks_at_each_start_and_commands_only_if_something_has_changed(make, answers):
    make().settle()
    make().settle()
    assert len(answers[1]) == 1
    make().settle(fresh=True)
    assert len(answers[1]) == 2


def test_looking_only_writes_nothing(make, answers, tmp_path):
    make().settle(fresh=True, stored=False)
    assert list((tmp_path / "data").iterdir()) == []


def test_only_who_uses_the_backups_sees_them(make, answers, confined, tmp_path):
    isolation, store = make(), str(tmp_path / "data/device-backups")
    assert store in confined(isolation, backups=True).sandbox
    assert str(tmp_path / "data/keys/device-backups") in confined(isolation, backups=True).sandbox
    assert store not in confined(isolation).sandbox


def test_the_socket_for_calls_is_in_sight(make, answers, confined, tmp_path):
    (tmp_path / "calls").mkdir()
    isolation, socket = make(), tmp_path / "calls/call"
    assert str(socket.parent) not in confined(isolation, socket=str(socket)).sandbox
    socket.touch()
    assert str(socket.parent) in confined(isolation, socket=str(socket)).sandbox


def test_limits_of_runs_that_do_not_apply_are_said(make, monkeypatch):
    def fail(*_arguments):
        raise CgroupError("read-only")

    monkeypatch.setattr(cgroups, "find_hierarchies", fail)
    isolated = make(Wanted.PROCESS, limits=RunLimits(processes=5)).settle()
    assert [note.code for note in isolated.notes()] == ["runs_not_limited"]


def test_other_processes_know_what_the_worker_has_found(tmp_path):
    assert published(tmp_path) is None
    isolated = Isolated(Mode.PROCESS, "refused", "runner", "read-only")
    publish(isolated, tmp_path)
    assert published(tmp_path) == isolated
    (tmp_path / module.STATE).write_text("{")
    assert published(tmp_path) is None


def test_a_folder_that_cannot_be_used_is_a_reason(make, answers, tmp_path):
    isolation = Isolation(Plan(Wanted.AUTO, View(), tmp_path, Path("/proc/nowhere")))
    assert isolation.settle().mode is Mode.PROCESS
    assert "EXECUTION_DIR" in isolation.settle().reason


def test_the_default_of_the_engine_is_none():
    isolation = module.no_isolation()
    assert isolation.settle() == Isolated(Mode.PROCESS)
    assert isolation.user is None

"""What the toolkit decides, without an engine."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from runbook.connectors.compose import Container, Service
from runbook.connectors.errors import ConnectorError, ErrorCode

LIB = Path(__file__).parents[2] / "runbooks/stacks/lib"
UP = Container(
    *("1", "web-app-1", "app", "app:1", "sha256:a", "running", "", 0, 0, "no", "hash", "1", "")
)
APP = Service("app", "app:1", None, builds=False, blocker="", volumes=())


@pytest.fixture(autouse=True)
def toolkit(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(str(LIB))
    monkeypatch.setenv("RUNBOOK_BACKUPS", str(tmp_path / "data/device-backups"))
    monkeypatch.setenv("RUNBOOK_RUN_ID", "run-1")
    monkeypatch.setenv("RUNBOOK_RECURSION_STACK", '["stacks/Rollout.md"]')
    monkeypatch.setenv("RUNBOOK_REQUESTED_BY", "ann")
    yield
    for name in [name for name in sys.modules if name.partition(".")[0] == "stacks_toolkit"]:
        del sys.modules[name]


@pytest.mark.parametrize(
    ("remembered", "declared", "running", "expected"),
    [
        ({"app": 3}, 2, 1, 3),  # what was set counts most
        ({"app": 0}, None, 1, 0),
        ({}, 2, 1, 2),  # then the file
        ({}, 0, 1, 0),
        ({}, None, 4, 4),  # then what is there
        ({}, None, 0, 1),
    ],
)
def test_how_many_containers_a_service_gets(remembered, declared, running, expected):
    from stacks_toolkit.comparing import targets
    from stacks_toolkit.state import Running

    there = {"app": Running(running, "app:1", "sha256:a")} if running else {}
    services = {"app": replace(APP, replicas=declared)}
    assert targets(services, remembered, there) == {"app": expected}


@pytest.mark.parametrize(
    ("container", "verdict"),
    [
        (UP, "good"),
        (replace(UP, health="healthy"), "good"),
        (replace(UP, health="starting"), "not yet"),
        (replace(UP, health="unhealthy"), "bad"),
        (replace(UP, restarts=1), "bad"),
        (replace(UP, state="restarting", exit_code=3), "bad"),
        (replace(UP, state="exited", exit_code=3), "bad"),
        (replace(UP, state="exited", exit_code=0), "good"),
        (replace(UP, state="exited", exit_code=0, restart_policy="always"), "bad"),
        (replace(UP, state="created"), "not yet"),
        (replace(UP, state="created", error="no such device"), "bad"),
        (replace(UP, state="paused"), "not yet"),
    ],
)
def test_when_a_container_is_healthy(container, verdict):
    from stacks_toolkit.watching import worst

    assert worst([container], {"app": 1}, {}).verdict == verdict


def test_counts_and_earlier_restarts_matter():
    from stacks_toolkit.watching import worst

    assert worst([UP], {"app": 2}, {}).verdict == "not yet"
    assert worst([], {"app": 0}, {}).verdict == "good"
    assert worst([replace(UP, restarts=5)], {"app": 1}, {"1": 5}).verdict == "good"
    bad = replace(UP, id="2", state="exited", exit_code=1)
    assert worst([replace(UP, health="starting"), bad], {"app": 2}, {}).container == bad


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        ("app", True),
        ("app:latest", True),
        ("registry:5000/app", True),
        ("registry:5000/app:1.2", False),
        ("app@sha256:abc", False),
        ("", False),
    ],
)
def test_which_images_have_no_version(image, expected):
    from stacks_toolkit.comparing import floats

    assert floats(image) is expected


def test_a_change_is_remembered_through_its_phases():
    from stacks_toolkit.outcomes import Outcome
    from stacks_toolkit.state import Kind, Phase, Running, State, stacks_of

    state = State("local", "web")
    assert state.known().change is None
    before = {"app": Running(1, "app:1", "sha256:a")}
    begun = state.begin(Kind.SCALE, before, folder="/srv", file="", scale={"app": 3})
    state.at(begun, Phase.WAITING)
    known = State("local", "web").known()
    assert (known.change.phase, known.change.before, known.scale) == (Phase.WAITING, before, {})
    state.end(known.change, Outcome.COMMITTED, "healthy")
    known = state.known()
    assert (known.scale, known.change.is_open) == ({"app": 3}, False)
    assert stacks_of("local") == ["web"]
    again = state.begin(Kind.SCALE, before, folder="/srv", file="", scale={"app": 5})
    state.end(again, Outcome.REVERTED, "unhealthy")
    assert state.known().scale == {"app": 3}


def test_configurations_are_kept_encrypted(tmp_path):
    from stacks_toolkit.state import GOOD, State

    state = State("local", "web")
    assert state.sealed(GOOD) == ""
    state.save_sealed(GOOD, "PASSWORD=secret-word")
    assert state.sealed(GOOD) == "PASSWORD=secret-word"
    stored = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert not any(b"secret-word" in path.read_bytes() for path in stored)
    (tmp_path / "data/device-backups/stacks/local/api").mkdir()
    (state.folder / GOOD).rename(State("local", "api").folder / GOOD)
    with pytest.raises(Exception, match="another key"):
        State("local", "api").sealed(GOOD)


def test_others_see_whether_somebody_works_on_a_stack():
    from stacks_toolkit.state import State

    state = State("local", "web")
    assert not state.is_worked_on()
    with state.working():
        assert State("local", "web").is_worked_on()
    assert not state.is_worked_on()


def test_a_damaged_archive_is_found(tmp_path):
    from stacks_toolkit import volumes

    with pytest.raises(ConnectorError) as raised:
        volumes.checked(tmp_path)
    assert (raised.value.code, raised.value.nothing_changed) == (ErrorCode.TRUNCATED, True)
    (tmp_path / "data.tar").write_bytes(b"x")
    manifest = '{"image": "a", "volumes": [{"volume": "web_data", "file": "data.tar",'
    manifest += ' "sha256": "0", "size": 1, "entries": 1, "like": {}}]}'
    (tmp_path / "manifest.json").write_text(manifest)
    with pytest.raises(ConnectorError) as raised:
        volumes.checked(tmp_path)
    assert "data.tar" in raised.value.message


def git(folder, *arguments):
    names = ["-c", "user.name=t", "-c", "user.email=t@localhost"]
    command = ["git", *names, "-C", str(folder), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def test_a_preview_of_a_commit_leaves_the_clone_as_it_is(tmp_path):
    from stacks_toolkit.repository import Repository

    source, clone = tmp_path / "source", tmp_path / "clone"
    git(tmp_path, "init", "--quiet", "--initial-branch=main", str(source))
    (source / "web").mkdir()
    (source / "web/compose.yaml").write_text("one")
    git(source, "add", "--all")
    git(source, "commit", "--quiet", "--message", "One")
    git(tmp_path, "clone", "--quiet", str(source), str(clone))
    (source / "web/compose.yaml").write_text("two")
    git(source, "commit", "--quiet", "--all", "--message", "Two")
    before = {path: path.read_bytes() for path in clone.rglob("*") if path.is_file()}

    repository = Repository(clone / "web")
    with repository.preview("main") as (commit, folder):
        assert (folder / "compose.yaml").read_text() == "two"
    assert commit == git(source, "rev-parse", "HEAD")
    assert {path: path.read_bytes() for path in clone.rglob("*") if path.is_file()} == before

    old = repository.head()
    repository.reset(repository.fetch("main"))
    assert (clone / "web/compose.yaml").read_text() == "two"
    repository.reset(old)
    assert (clone / "web/compose.yaml").read_text() == "one"
    with pytest.raises(ConnectorError) as raised:
        repository.fetch("no-such-branch")
    assert raised.value.code is ErrorCode.NOT_FOUND

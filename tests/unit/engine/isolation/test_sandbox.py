"""What bubblewrap is told; what comes of it, tests/integration/isolation shows."""

from itertools import pairwise
from pathlib import Path

import pytest

from runbook.engine.isolation.sandbox import Sandbox, View


@pytest.fixture
def run(tmp_path):
    directory = tmp_path / "execution/run"
    (directory / "tmp").mkdir(parents=True)
    return directory


def mounts(command):
    """The last mount of each path: (option, source or None)."""
    found, options = {}, list(command)
    for at, option in enumerate(options):
        if option in ("--bind", "--ro-bind", "--dev-bind"):
            found[options[at + 2]] = (option, options[at + 1])
        elif option == "--tmpfs":
            found[options[at + 1]] = (option, None)
    return found


def made(run, view, **more):
    return Sandbox(view).command(run, run / "tmp", **more)


def test_the_run_gets_its_directory_and_a_temporary_folder_of_its_own(run):
    found = mounts(made(run, View()))
    assert found["/"] == ("--ro-bind", "/")
    assert found[str(run)] == ("--bind", str(run))
    assert found["/tmp"] == found["/var/tmp"] == ("--bind", str(run / "tmp"))


def test_what_is_hidden_is_an_empty_folder_that_cannot_be_written(run, tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "store.db").touch()
    hidden = [tmp_path / "data", tmp_path / "store.db", tmp_path / "missing"]
    command = made(run, View(hidden=hidden))
    found = mounts(command)
    assert found[str(hidden[0])] == ("--tmpfs", None)
    assert found[str(hidden[1])] == ("--ro-bind", "/dev/null")
    assert str(hidden[2]) not in found
    assert ("--remount-ro", str(hidden[0])) in pairwise(command)


def test_outer_folders_come_before_what_is_in_them(run, tmp_path):
    data = tmp_path / "data"
    (data / "toolkits").mkdir(parents=True)
    view = View(hidden=[tmp_path / "execution", data], shown=[data / "toolkits"])
    paths = list(mounts(made(run, view)))
    assert paths.index(str(tmp_path / "execution")) < paths.index(str(run))
    assert paths.index(str(data)) < paths.index(str(data / "toolkits"))


def test_runs_may_be_in_the_folder_for_temporary_files(run):
    found = mounts(made(run, View(hidden=[Path("/tmp")])))
    assert found["/tmp"] == ("--bind", str(run / "tmp"))


def test_only_what_would_be_hidden_has_to_be_shown(run, tmp_path):
    found = mounts(made(run, View(shown=[Path("/usr/lib"), tmp_path])))
    assert "/usr/lib" not in found
    assert found[str(tmp_path)][0] == "--ro-bind"


def test_an_exception_does_not_open_what_is_hidden(run, tmp_path):
    (tmp_path / "data").mkdir()
    view = View(hidden=[tmp_path / "data"], writable=[tmp_path / "data", tmp_path])
    found = mounts(made(run, view))
    assert found[str(tmp_path)] == ("--bind", str(tmp_path))
    assert found[str(tmp_path / "data")] == ("--tmpfs", None)


def test_devices_can_be_used_and_temporary_files_be_shared(run):
    found = mounts(made(run, View(writable=[Path("/dev/null"), Path("/tmp")])))
    assert found["/dev/null"] == ("--dev-bind", "/dev/null")
    assert found["/tmp"] == ("--bind", "/tmp")
    assert found["/var/tmp"] == ("--bind", str(run / "tmp"))


def test_more_can_be_seen_by_one_run(run, tmp_path):
    for name in ("store", "key"):
        (tmp_path / name).mkdir()
    found = mounts(made(run, View(), shown=[tmp_path / "key"], writable=[tmp_path / "store"]))
    assert found[str(tmp_path / "key")][0] == "--ro-bind"
    assert found[str(tmp_path / "store")][0] == "--bind"


def test_user_namespaces_are_prevented_where_they_can_be(run):
    assert "--disable-userns" in Sandbox(View()).command(run, run / "tmp")
    assert "--disable-userns" not in Sandbox(View(), nested=True).command(run, run / "tmp")

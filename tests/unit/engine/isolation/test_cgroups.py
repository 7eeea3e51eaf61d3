"""Control groups, in folders that look like those of the kernel."""

import os
import subprocess

import pytest

from runbook.engine.isolation.cgroups import (
    ENGINE,
    CgroupError,
    Cgroups,
    Hierarchy,
    find_hierarchies,
    remove_stale,
)
from runbook.engine.isolation.isolated import RunLimits

BOTH = RunLimits(processes=10, memory_bytes=1 << 20)


@pytest.fixture
def system(tmp_path):
    """A file system of control groups, and the file that says in which we are."""
    root, own = tmp_path / "cgroup", tmp_path / "own"

    def make(text, **groups):
        own.write_text(text)
        for path, files in groups.items():
            folder = root / path.replace("__", "/")
            folder.mkdir(parents=True)
            for name, content in files.items():
                (folder / name.replace("__", ".")).write_text(content)
        return root, own

    return make


def test_version_1_has_a_hierarchy_for_each_controller(system):
    places = system(
        "5:pids:/a\n4:memory:/\n0::/\n",
        pids__a={"cgroup__procs": ""},
        memory={"cgroup__procs": ""},
    )
    found = find_hierarchies(BOTH, True, *places)
    assert [(one.controllers, one.version) for one in found] == [(("pids",), 1), (("memory",), 1)]
    assert found[0].folder == places[0] / "pids/a"


def test_version_2_gets_its_controllers_enabled_once_we_have_made_room(system):
    files = {
        "cgroup__procs": "",
        "cgroup__controllers": "cpu memory pids",
        "cgroup__subtree_control": "",
    }
    places = system("0::/unit\n", unit=files)
    (unit,) = places[0].iterdir()
    (unit / "cgroup.procs").write_text("41\n")
    (unit / ENGINE).mkdir()
    (found,) = find_hierarchies(BOTH, True, *places)
    assert (found.folder, found.version) == (unit, 2)
    assert (unit / ENGINE / "cgroup.procs").read_text() == "41"
    assert set((unit / "cgroup.subtree_control").read_text().split()) == {"+pids", "+memory"}


def test_looking_changes_nothing_and_after_a_restart_we_are_in_our_own_group(system):
    files = {
        "cgroup__procs": "1",
        "cgroup__controllers": "memory pids",
        "cgroup__subtree_control": "",
    }
    places = system(f"0::/unit/{ENGINE}\n", unit=files)
    (found,) = find_hierarchies(BOTH, False, *places)
    assert found.folder == places[0] / "unit"
    assert (found.folder / "cgroup.subtree_control").read_text() == ""
    assert not (found.folder / ENGINE).exists()


@pytest.mark.parametrize(
    ("text", "groups"),
    [
        ("5:pids:/\n", {"pids": {"cgroup__procs": ""}}),
        ("0::/\n", {}),
        ("0::/a\n", {"a": {"cgroup__procs": ""}}),
        ("0::/a\n", {"a": {"cgroup__procs": "", "cgroup__controllers": "pids"}}),
    ],
    ids=["no memory", "no folder", "no controllers", "not all controllers"],
)
def test_what_cannot_be_limited_is_said(system, text, groups):
    with pytest.raises(CgroupError):
        find_hierarchies(BOTH, True, *system(text, **groups))


def test_without_a_file_of_our_own_there_are_none(tmp_path):
    with pytest.raises(CgroupError):
        find_hierarchies(BOTH, True, tmp_path, tmp_path / "missing")


@pytest.mark.parametrize(("version", "memory"), [(1, "memory.limit_in_bytes"), (2, "memory.max")])
def test_a_group_has_the_limits_and_is_entered_by_the_command(tmp_path, version, memory):
    groups = Cgroups([Hierarchy(tmp_path, ("pids", "memory"), version)], BOTH)
    folder = tmp_path / "runbook-1"
    with groups.group("1") as prefix:
        assert (folder / "pids.max").read_text() == "10"
        assert (folder / memory).read_text() == str(1 << 20)
        done = subprocess.run([*prefix, "echo", "inside"], capture_output=True, check=True)
        assert done.stdout == b"inside\n"
        assert (folder / "cgroup.procs").read_text() == "0\n"
        for file in folder.iterdir():  # the kernel's files vanish with their folder
            file.unlink()
    assert not folder.exists()


def test_a_script_without_its_group_is_not_started(tmp_path):
    groups = Cgroups([Hierarchy(tmp_path, (), 2)], RunLimits())
    with groups.group("1") as prefix:
        (tmp_path / "runbook-1").rmdir()
        done = subprocess.run([*prefix, "echo", "inside"], capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (126, b"")


def test_groups_of_killed_engines_are_removed_and_new_ones_are_not(tmp_path):
    old, new, other = (
        tmp_path / name for name in ("runbook-1-2-3-4-5", "runbook-1-2-3-4-6", ENGINE)
    )
    for folder in (old, new, other):
        folder.mkdir()
    for folder in (old, other):
        os.utime(folder, (0, 0))
    remove_stale([Hierarchy(tmp_path, (), 2)])
    assert {path.name for path in tmp_path.iterdir()} == {new.name, other.name}


def test_only_the_controllers_of_limits_are_needed():
    assert RunLimits(processes=1).controllers == ["pids"]
    assert RunLimits(memory_bytes=1).controllers == ["memory"]
    assert RunLimits().controllers == []

import os
import shutil
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from runbook.core.document import Language, Step
from runbook.core.run_files import RunFile, digest_of
from runbook.engine.process import workspace as module
from runbook.engine.process.removal import remove_tree
from runbook.engine.process.workspace import Workspace, WorkspaceError

NOBODY = 65_534


@pytest.fixture
def workspace(tmp_path):
    with Workspace.create(tmp_path, "run-1") as workspace:
        yield workspace


@pytest.fixture
def unprivileged():
    """A directory of a user that permissions bind."""
    directory = Path(tempfile.mkdtemp())
    privileged = os.geteuid() == 0
    if privileged:
        os.chown(directory, NOBODY, NOBODY)
        os.seteuid(NOBODY)
    yield directory
    if privileged:
        os.seteuid(0)
    shutil.rmtree(directory)


def step(language, source="true\n"):
    return Step("a step", language, source, 1)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def test_a_workspace_is_its_users_alone_and_is_gone_afterwards(tmp_path):
    with Workspace.create(tmp_path / "made" / "too", "run-1") as workspace:
        assert workspace.path == tmp_path / "made" / "too" / "runbook-run-1"
        assert mode(workspace.path) == 0o700
        assert {path.name for path in workspace.path.iterdir()} == {
            ".runbook",
            ".runbook-artifacts",
        }
    assert not workspace.path.exists()


def test_the_umask_opens_nothing_and_closes_nothing(tmp_path):
    before = os.umask(0)
    try:
        with Workspace.create(tmp_path, "run-1") as workspace:
            assert mode(workspace.path) == 0o700
    finally:
        os.umask(before)


def test_nothing_is_handed_over_at_first(workspace):
    handover = workspace.handover
    files = [handover.output, handover.env, handover.progress, handover.summary]
    assert not any(path.exists() for path in files)
    assert [workspace.read_handover(path, 100) for path in files] == [b""] * 4
    assert handover.artifacts.is_dir()
    assert workspace.tmp.is_dir()


@pytest.mark.parametrize("run_id", ["", ".", "..", "a/b", "../x", "a" * 65, "a\n", "é", "a\0b"])
def test_a_run_id_cannot_lead_elsewhere(tmp_path, run_id):
    with pytest.raises(WorkspaceError, match="not fit"):
        Workspace.create(tmp_path, run_id)
    assert list(tmp_path.iterdir()) == []


def test_a_directory_that_stands_there_is_not_used(tmp_path):
    (tmp_path / "runbook-run-1").symlink_to(tmp_path)
    with pytest.raises(WorkspaceError, match="File exists"):
        Workspace.create(tmp_path, "run-1")


def test_what_cannot_be_filled_is_not_left(tmp_path, monkeypatch):
    mkdir = Path.mkdir

    def full(self, **how):
        if self.name == ".runbook-artifacts":
            raise OSError(28, "No space left on device")
        mkdir(self, **how)

    monkeypatch.setattr(Path, "mkdir", full)
    with pytest.raises(WorkspaceError, match="No space left"):
        Workspace.create(tmp_path, "run-1")
    assert list(tmp_path.iterdir()) == []


def test_the_path_on_the_host(workspace):
    assert workspace.exec_dir_host("/host/exec") == "/host/exec/runbook-run-1"
    assert workspace.exec_dir_host("") == workspace.exec_dir_host(None) == str(workspace.path)


@pytest.mark.parametrize(
    ("language", "expected"),
    [
        (Language.ZSH, ["zsh", "-f", "script.zsh"]),
        (Language.BASH, ["bash", "--noprofile", "--norc", "script.bash"]),
        (Language.PYTHON, [Path(sys.executable).name, "-I", "-u", "script.py"]),
    ],
)
def test_each_language_has_its_interpreter_without_start_up_files(workspace, language, expected):
    program, *options, script = workspace.write_script(step(language))
    assert Path(program).is_absolute()
    assert [Path(program).name, *options, Path(script).name] == expected
    assert Path(script).parent == workspace.path


def test_start_up_files_and_modules_beside_the_script_are_not_run(workspace):
    for name in (".zshenv", ".bashrc", ".profile", "json.py", "sitecustomize.py"):
        (workspace.path / name).write_text("print('canary')\necho canary\n")
    environment = {"HOME": str(workspace.path), "PYTHONPATH": str(workspace.path)}
    for language in Language:
        source = "import json\n" if language is Language.PYTHON else "true\n"
        argv = workspace.write_script(step(language, source))
        where = {"cwd": workspace.path, "env": environment}
        done = subprocess.run(argv, capture_output=True, check=False, **where)
        assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_a_missing_interpreter_is_named(workspace, monkeypatch):
    monkeypatch.setattr(module, "SAFE_PATH", "/nowhere")
    with pytest.raises(WorkspaceError, match="zsh is not installed"):
        workspace.write_script(step(Language.ZSH))


def test_an_interpreter_may_be_on_the_servers_path(tmp_path, monkeypatch):
    (tmp_path / "bin").mkdir()
    zsh = tmp_path / "bin" / "zsh"
    zsh.symlink_to("/bin/sh")
    monkeypatch.setattr(module, "SAFE_PATH", "/nowhere")
    with Workspace.create(tmp_path, "run-1", search_path=str(zsh.parent)) as workspace:
        assert workspace.write_script(step(Language.ZSH))[0] == str(zsh)


def test_the_next_script_replaces_whatever_the_last_one_put_in_its_place(workspace, tmp_path):
    victim = tmp_path / "victim"
    victim.write_text("safe")
    script = Path(workspace.write_script(step(Language.ZSH, "first"))[-1])
    script.unlink()
    script.symlink_to(victim)
    workspace.write_script(step(Language.ZSH, "second"))
    assert (script.read_text(), victim.read_text()) == ("second", "safe")


def test_a_folder_in_the_scripts_place_is_an_error(workspace):
    (workspace.path / "script.zsh").mkdir()
    with pytest.raises(WorkspaceError, match="script could not be written"):
        workspace.write_script(step(Language.ZSH))


def test_hand_over_is_read_up_to_a_limit_and_only_from_files(workspace, tmp_path):
    handover = workspace.handover
    handover.output.write_text("a=1\n" * 100)
    assert workspace.read_handover(handover.output, 4) == b"a=1\n"
    (tmp_path / "secret").write_text("secret")
    handover.env.symlink_to(tmp_path / "secret")
    os.mkfifo(handover.progress)
    for path in (handover.env, handover.progress, handover.summary, handover.artifacts):
        assert workspace.read_handover(path, 100) == b""


def test_what_a_run_begins_with_is_written(workspace):
    contents = {digest_of(text): text for text in (b"data", b"#!/bin/sh\n")}
    plain, tool = contents
    files = [
        RunFile("conf", 0o700),
        RunFile("conf/\udcff", 0o600, plain),
        RunFile("conf/empty", 0o700),
        RunFile("tool", 0o700, tool),
    ]
    workspace.write_run_files(files, contents.__getitem__)
    assert (workspace.path / "conf" / "\udcff").read_bytes() == b"data"
    assert (workspace.path / "conf" / "empty").is_dir()
    modes = {name: (workspace.path / name).stat().st_mode & 0o777 for name in ("conf", "tool")}
    assert modes == {"conf": 0o700, "tool": 0o700}
    assert (workspace.path / "conf" / "\udcff").stat().st_mode & 0o777 == 0o600
    with pytest.raises(WorkspaceError, match="Input file tool: File exists"):
        workspace.write_run_files(files[3:], contents.__getitem__)


@pytest.mark.parametrize("name", [".runbook", "script.zsh", "script.py"])
def test_inputs_cannot_take_the_engines_names(workspace, name):
    with pytest.raises(WorkspaceError, match="cannot be named"):
        workspace.write_run_files([RunFile(name, 0o700)], lambda _: b"")


def test_removal_opens_what_a_script_has_closed(unprivileged):
    tree = unprivileged / "tree"
    (tree / "closed" / "deeper").mkdir(parents=True)
    (tree / "closed" / "deeper" / "file").touch()
    (tree / "read-only").mkdir()
    (tree / "read-only" / "file").touch()
    for path in ("closed/deeper", "closed", "read-only", "."):
        (tree / path).chmod(0o500 if path == "read-only" else 0)
    assert remove_tree(tree) == []
    assert not tree.exists()


def test_removal_copes_with_any_depth_and_any_name(tmp_path):
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / os.fsdecode(b"\xff\n")).touch()
    descriptor = os.open(tree, os.O_RDONLY)
    for _ in range(3000):
        os.mkdir("x" * 100, dir_fd=descriptor)
        following = os.open("x" * 100, os.O_RDONLY, dir_fd=descriptor)
        os.close(descriptor)
        descriptor = following
    os.close(descriptor)
    assert remove_tree(tree) == []
    assert not tree.exists()


def test_removal_follows_no_link(tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir(mode=0o750)
    (outside / "file").touch()
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "folder").symlink_to(outside)
    (tree / "file").symlink_to(outside / "file")
    os.mkfifo(tree / "fifo")
    assert remove_tree(tree) == []
    assert (outside / "file").exists()
    assert mode(outside) == 0o750

    tree.symlink_to(outside)
    assert len(remove_tree(tree)) == 1
    assert (outside / "file").exists()


def test_removal_tells_what_resists_and_removes_the_rest(tmp_path, monkeypatch):
    unlink = os.unlink

    def immutable(name, **where):
        if name == "stays":
            raise PermissionError(1, "Operation not permitted", name)
        unlink(name, **where)

    monkeypatch.setattr(os, "unlink", immutable)
    (tmp_path / "tree" / "folder").mkdir(parents=True)
    (tmp_path / "tree" / "folder" / "stays").touch()
    (tmp_path / "tree" / "goes").touch()
    assert remove_tree(tmp_path / "tree") == ["stays: Operation not permitted"]
    assert not (tmp_path / "tree" / "goes").exists()


def test_what_is_gone_already_is_no_problem(tmp_path, workspace):
    shutil.rmtree(workspace.path)
    assert workspace.remove() == []

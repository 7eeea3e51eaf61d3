"""The user that scripts run as."""

import os
import subprocess

import pytest

from needs import need
from runbook.engine.process.script_user import ScriptUser, as_ourselves
from runbook.errors import ConfigurationError

UID = 54_322


@pytest.fixture
def root():
    need(os.geteuid() == 0, "root")


@pytest.mark.usefixtures("root")
def test_a_user_is_found_by_name_or_number():
    nobody = ScriptUser.find("nobody")
    assert (nobody.name, ScriptUser.find(str(nobody.uid))) == ("nobody", nobody)
    assert ScriptUser.find(str(UID)) == ScriptUser(str(UID), UID, UID, (UID,))


@pytest.mark.usefixtures("root")
@pytest.mark.parametrize("name", ["root", "0", "no such user", str(2**32 - 1), "1" * 40])
def test_other_users_are_refused(name):
    with pytest.raises(ConfigurationError):
        ScriptUser.find(name)


def test_only_root_can_become_another_user(monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(ConfigurationError):
        ScriptUser.find("nobody")


@pytest.mark.usefixtures("root")
def test_a_command_runs_as_the_user():
    user = ScriptUser("x", UID, UID, (UID, 7))
    command = [*user.prefix(), "/bin/sh", "-c", "id -u; id -g; id -G"]
    done = subprocess.run(command, capture_output=True, check=True, text=True)
    assert done.stdout.split() == [str(UID), str(UID), str(UID), "7"]


@pytest.mark.usefixtures("root")
def test_files_are_used_with_the_rights_of_the_user(tmp_path):
    user = ScriptUser("x", UID, UID, (UID,))
    (tmp_path / "theirs").mkdir()
    user.own(tmp_path / "theirs")
    (tmp_path / "roots").write_text("secret")
    (tmp_path / "roots").chmod(0o600)
    os.chmod(tmp_path, 0o711)
    entered = os.open(tmp_path, os.O_PATH)  # the folders above are only root's
    with user.acting():
        with pytest.raises(PermissionError):
            os.open("roots", os.O_RDONLY, dir_fd=entered)
        os.close(os.open("theirs/made", os.O_CREAT | os.O_WRONLY, dir_fd=entered))
    os.close(entered)
    assert (tmp_path / "theirs/made").stat().st_uid == UID
    assert (tmp_path / "roots").read_text() == "secret"


def test_without_a_user_nothing_changes(tmp_path):
    with as_ourselves():
        (tmp_path / "made").touch()
    assert (tmp_path / "made").stat().st_uid == os.geteuid()


def test_a_missing_program_is_named(monkeypatch):
    monkeypatch.setattr("runbook.engine.process.script_user.shutil.which", lambda *_, **__: None)
    with pytest.raises(FileNotFoundError, match="setpriv"):
        ScriptUser("x", UID, UID, ()).prefix()

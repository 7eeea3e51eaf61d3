"""`runbook toolkit`, and the other commands on a toolkit's runbooks."""

import json

import pytest

from runbook.cli.app import cli
from runbook.cli.authoring.selection import select_runbooks
from runbook.cli.completion import complete_refs
from runbook.cli.source.locate import locate
from runbook.errors import ConflictError, NotFoundError
from runbook.settings import process_environment

REF = "health/Health.md"


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    (tmp_path / "runbooks").mkdir()
    monkeypatch.setenv("RUNBOOKS_DIR", str(tmp_path / "runbooks"))
    monkeypatch.setenv("DATA_DIR", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def run(capsys):
    def runs(*arguments):
        """What it prints, if it succeeds."""
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            cli.main(list(arguments))
        text = capsys.readouterr().out
        if ended.value.code:
            return ended.value.code
        return json.loads(text) if "--json" in arguments else text

    return runs


def health(run):
    (found,) = [it for it in run("toolkit", "list", "--json")["toolkits"] if it["slug"] == "health"]
    return found


def test_a_bundled_toolkit(run):
    assert health(run)["version"] is None
    made = run("toolkit", "install", "health", "--json")
    assert (made["slug"], made["version"]) == ("health", health(run)["bundled_version"])
    run("toolkit", "enable", "health")
    assert "enabled" in run("toolkit", "list")
    paths = [one["path"] for one in run("toolkit", "show", "health", "--json")["runbooks"]]
    assert paths == ["health/Diagnose.md", REF]
    assert REF in run("toolkit", "show", "health")
    assert run("show", REF, "--json")["name"] == "Health"
    run("toolkit", "disable", "health")
    assert run("show", REF) == NotFoundError.exit_code
    run("toolkit", "remove", "health")
    assert health(run)["version"] is None


def test_a_folder_is_upgraded_and_rolled_back(run, folder):
    source = folder / "lab"
    source.mkdir()
    for version in ("1.0.0", "1.1.0"):
        (source / "toolkit.yaml").write_text(f"slug: lab\nname: Lab\nversion: {version}\n")
        run("toolkit", "install", "lab")
    assert run("toolkit", "rollback", "lab", "--json")["version"] == "1.0.0"
    run("toolkit", "remove", "lab")
    run("toolkit", "install", "./lab")
    assert run("toolkit", "rollback", "lab") == ConflictError.exit_code


def test_commands_find_a_toolkits_runbooks(run, folder):
    run("toolkit", "install", "health")
    assert complete_refs(None, None, "hea") == []
    run("toolkit", "enable", "health")
    target = locate(REF, process_environment())
    assert (target.ref, target.is_configured) == (REF, True)
    assert locate(str(target.file), process_environment()).ref == REF
    assert [item.value for item in complete_refs(None, None, "health/H")] == [REF]
    assert run("who-can", REF, "--json")["everyone"] is True
    assert run("verify", REF, "--json")["success"] is True
    assert run("lint", "--format", "json", "--strict", REF) == "[]\n"
    assert run("validate", REF, "--json")["success"] is True
    run("toolkit", "disable", "health")
    assert run("who-can", REF) == NotFoundError.exit_code


def test_an_earlier_version_has_no_ref(run, folder):
    run("toolkit", "install", "health")
    run("toolkit", "install", "health")
    earlier = folder / "data/toolkits/.previous/health/Health.md"
    assert locate(str(earlier), process_environment()).is_configured is False


def test_toolkits_beside_each_other_may_call_each_other(folder):
    for slug in ("lab", "net"):
        (folder / "kits" / slug / "deep").mkdir(parents=True)
        (folder / "kits" / slug / "toolkit.yaml").write_text("")
        (folder / "kits" / slug / "deep" / "Job.md").write_text("# Job\n")
    environment = process_environment()
    for path in ("kits/lab", "kits/lab/deep", "kits/lab/deep/Job.md"):
        (item,) = select_runbooks([path], environment)
        assert (item.ref, item.root) == ("lab/deep/Job.md", folder / "kits")
    (folder / "other").mkdir()
    (folder / "other" / "Job.md").write_text("# Job\n")
    (item,) = select_runbooks(["other"], environment)
    assert item.ref == "Job.md"

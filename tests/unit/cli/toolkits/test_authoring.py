"""`runbook toolkit new`, `package` and `schema`."""

import hashlib
import json

import pytest

from runbook.cli.app import cli
from runbook.host import guard


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    (tmp_path / "runbooks").mkdir()
    monkeypatch.setenv("RUNBOOKS_DIR", str(tmp_path / "runbooks"))
    monkeypatch.setenv("DATA_DIR", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(autouse=True)
def tests(monkeypatch):
    """The command lines of the guarded test runs; the first item is the exit code."""
    ran = [0]
    monkeypatch.setattr(guard, "guard_program", lambda argv, _: ran.append(argv[4:]) or ran[0])
    return ran


@pytest.fixture
def run(capfd):
    def runs(*arguments):
        with pytest.raises(SystemExit) as ended:
            cli.main(list(arguments))
        out, err = capfd.readouterr()
        return ended.value.code or 0, out, err

    return runs


def test_a_new_toolkit_is_packaged(run, folder, tests):
    assert run("toolkit", "new", "my-toolkit")[:2] == (0, "my-toolkit\n")
    assert run("toolkit", "new", "my-toolkit")[0] == run("toolkit", "new", "My toolkit")[0] == 2
    assert json.loads(run("lint", "--format", "json", "--strict", "my-toolkit")[1]) == []
    code, out, _ = run("toolkit", "package", "my-toolkit", "-o", "made/my.zip", "--json")
    found = json.loads(out)
    content = (folder / "made/my.zip").read_bytes()
    assert (code, found["sha256"]) == (0, hashlib.sha256(content).hexdigest())
    assert tests[1:] == [["test", "my-toolkit"]]
    assert run("toolkit", "package", "my-toolkit")[0] == 0
    assert (folder / "my-toolkit-0.1.0.zip").read_bytes() == content
    assert run("toolkit", "install", "my-toolkit-0.1.0.zip")[0] == 0


@pytest.mark.parametrize(("code", "expected"), [(1, 1), (65, 65), (130, 130), (66, 0)])
def test_failing_tests_refuse(run, folder, tests, code, expected):
    run("toolkit", "new", "lab")
    tests[0] = code
    assert run("toolkit", "package", "lab", "-o", "lab.zip")[0] == expected
    assert (folder / "lab.zip").exists() is not bool(expected)


def test_lint_errors_refuse(run, folder, tests):
    run("toolkit", "new", "lab")
    (folder / "lab/Greet.md").write_text("# Greet\n")
    code, _, err = run("toolkit", "package", "lab", "-o", "lab.zip")
    assert (code, tests[1:], (folder / "lab.zip").exists()) == (65, [], False)
    assert "lab/Greet.md:" in err


def test_the_mistakes_in_a_manifest_are_shown(run, folder):
    run("toolkit", "new", "lab")
    (folder / "lab/toolkit.yaml").write_text("slug: lab\nname: Lab\nverison: 0.1.0\n")
    code, _, err = run("toolkit", "install", "./lab")
    assert code == 65
    assert any(line.startswith("  line 3: ") for line in err.splitlines())


def test_the_schema(run):
    assert "slug" in json.loads(run("toolkit", "schema")[1])["properties"]

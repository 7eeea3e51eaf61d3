"""`runbook package`."""

import hashlib
import json
import tarfile
from pathlib import Path

import pytest

from runbook.cli.app import cli
from runbook.host import guard

DOCKER = """\
#!/bin/sh
printf '%s ' "$@" >"$DOCKER_SEEN"
cat >"$DOCKER_SEEN.context"
exit "$DOCKER_CODE"
"""


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """The working directory, with the folder `jobs` of one runbook and without Docker."""
    (tmp_path / "jobs").mkdir()
    (tmp_path / "bin").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:/usr/bin:/bin")
    monkeypatch.setattr("shutil.which", lambda name, path: _program(path, name))
    return tmp_path


def _program(path, name):
    found = Path(path.split(":")[0]) / name
    return str(found) if found.exists() else None


@pytest.fixture
def docker(folder, monkeypatch):
    """What Docker was called with."""
    program = folder / "bin/docker"
    program.write_text(DOCKER)
    program.chmod(0o755)
    monkeypatch.setenv("DOCKER_SEEN", str(folder / "seen"))
    monkeypatch.setenv("DOCKER_CODE", "0")
    return folder / "seen"


@pytest.fixture(autouse=True)
def tests(monkeypatch):
    """The guarded test runs, as command line and runbooks directory; the first is the exit code."""
    ran = [0]

    def guarded(argv, environment):
        ran.append((argv[4:], environment["RUNBOOKS_DIR"]))
        return ran[0]

    monkeypatch.setattr(guard, "guard_program", guarded)
    return ran


@pytest.fixture
def run(capfd):
    def runs(*arguments):
        with pytest.raises(SystemExit) as ended:
            cli.main(list(arguments))
        out, err = capfd.readouterr()
        return ended.value.code or 0, out, err

    return runs


@pytest.fixture
def job(run, folder):
    assert run("new", "Job", "--folder", "jobs")[0] == 0
    return folder / "jobs/Job.md"


def test_it_writes_the_context_and_builds_it(run, folder, job, tests, docker):
    code, out, err = run("package", "jobs", "-t", "team/jobs:1", "--single", "Job.md", "--json")
    found, content = json.loads(out), (folder / "jobs-1.tar").read_bytes()
    assert (code, found["success"], found["built"], found["tag"]) == (0, True, True, "team/jobs:1")
    assert found["sha256"] == hashlib.sha256(content).hexdigest()
    assert list(found["documents"]) == ["Job.md"]
    assert docker.read_text() == "build --tag team/jobs:1 - "
    assert docker.with_name("seen.context").read_bytes() == content
    assert tests[1:] == [(["test", "jobs"], str(folder / "jobs"))]


def test_without_docker_it_writes_the_context(run, folder, job):
    code, out, err = run("package", "jobs", "-t", "jobs", "-o", "made/context.tar")
    content = (folder / "made/context.tar").read_bytes()
    assert (code, out) == (0, f"{hashlib.sha256(content).hexdigest()}  made/context.tar\n")
    assert "docker build -t jobs - < made/context.tar" in err


def test_no_build_does_not_call_docker(run, job, docker):
    assert run("package", "jobs", "-t", "jobs", "--no-build")[0] == 0
    assert not docker.exists()


def test_docker_failing_is_a_failure(run, folder, job, docker, monkeypatch):
    monkeypatch.setenv("DOCKER_CODE", "17")
    code, out, _ = run("package", "jobs", "-t", "jobs", "--json")
    assert (code, json.loads(out)["success"], json.loads(out)["built"]) == (1, False, False)
    assert (folder / "jobs.tar").exists()


@pytest.mark.parametrize(("code", "expected"), [(1, 1), (65, 65), (130, 130), (66, 0)])
def test_failing_tests_refuse(run, folder, job, tests, code, expected):
    tests[0] = code
    assert run("package", "jobs", "-t", "jobs")[0] == expected
    assert (folder / "jobs.tar").exists() is not bool(expected)


def test_an_invalid_runbook_refuses(run, folder, job, tests, docker):
    (folder / "jobs/Bad.md").write_text("# Bad\n")
    code, _, err = run("package", "jobs", "-t", "jobs")
    assert (code, tests[1:], docker.exists()) == (65, [], False)
    assert not (folder / "jobs.tar").exists()
    assert "jobs/Bad.md:" in err


@pytest.mark.parametrize(
    "given",
    [
        ("jobs", "-t", "-x"),
        ("jobs", "-t", "a", "--base", "a b"),
        ("missing", "-t", "a"),
        ("jobs", "-t", "a", "--single", "Other.md"),
        ("jobs",),
    ],
)
def test_invalid_arguments(run, folder, job, given):
    assert run("package", *given)[0] == 2
    assert not list(folder.glob("*.tar"))


@pytest.mark.parametrize("single", ["Job.md", "jobs/Job.md"])
def test_the_single_runbook_by_ref_or_by_path(run, folder, job, single):
    assert run("package", "jobs", "-t", "a", "--single", single)[0] == 0
    with tarfile.open(folder / "a.tar") as archive:
        assert b'"--runbook", "Job.md"' in archive.extractfile("Dockerfile").read()

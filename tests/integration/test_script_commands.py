"""The commands of scripts as real processes: what they write, and what they say when they fail."""

import os
import re
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from patience import PATIENCE_S

RUNBOOK = Path(sys.executable).with_name("runbook")
NAMES = ("ENV", "OUTPUT", "SUMMARY", "PROGRESS", "PLAN", "MASK")


class Script:
    """Where a script would be: the hand-over files, and `runbook` on the PATH."""

    def __init__(self, folder):
        self.folder = folder
        self.environment = {"PATH": f"{RUNBOOK.parent}:{os.environ['PATH']}", "LANG": "C.UTF-8"}
        for name in NAMES:
            self.environment[f"RUNBOOK_{name}"] = str(folder / name.lower())
        self.environment["RUNBOOK_ARTIFACTS"] = str(folder / "artifacts")
        (folder / "artifacts").mkdir()

    def run(self, *args, stdin="", environment=None):
        return subprocess.run(
            [RUNBOOK, *args],
            env=self.environment if environment is None else environment,
            input=stdin.encode() if isinstance(stdin, str) else stdin,
            capture_output=True,
            cwd=self.folder,
            timeout=PATIENCE_S,
            check=False,
        )

    def read(self, name):
        return (self.folder / name).read_text()


@pytest.fixture
def script(tmp_path):
    return Script(tmp_path)


@pytest.mark.parametrize(
    ("args", "stdin", "file", "text"),
    [
        (["progress", "40", "Cloning disk"], "", "progress", "40 Cloning disk\n"),
        (["progress", "12.5"], "", "progress", "12.5 \n"),
        (["env", "A=1", "B=x=y", "C="], "", "env", "A=1\nB=x=y\nC=\n"),
        (["env", "A=-", "B=2"], "from stdin\n", "env", "A=from stdin\nB=2\n"),
        (["output", "vm.id=104"], "", "output", "vm.id=104\n"),
        (["output", "host=-"], "web1\r\n", "output", "host=web1\n"),
        (["summary", "# Done"], "", "summary", "# Done\n"),
        (["summary"], "| a |\n|---|\n", "summary", "| a |\n|---|\n"),
        (["summary", "-"], "x", "summary", "x\n"),
        (["mask"], "s3cret\n", "mask", "s3cret\n"),
        (["mask", "s3cret"], "", "mask", "s3cret\n"),
        (["plan", "look"], "", "plan", "unknown: look\n"),
        (["plan", "create VM", "--verified"], "", "plan", "verified: create VM\n"),
        (["plan", "--assumed", "restart"], "", "plan", "assumed: restart\n"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_a_command_writes_its_file_and_says_nothing(script, args, stdin, file, text):
    done = script.run(*args, stdin=stdin)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert script.read(file) == text


def test_values_of_several_lines_come_from_standard_input(script):
    script.run("mask", stdin="-----BEGIN-----\nabc\n")
    assert re.fullmatch(r"<<(\S+)\n-----BEGIN-----\nabc\n\1\n", script.read("mask"))
    script.run("output", "key=-", stdin="a\nb\n")
    assert re.fullmatch(r"key<<(\S+)\na\nb\n\1\n", script.read("output"))


def test_an_artifact_is_copied(script):
    (script.folder / "report.txt").write_text("all")
    assert script.run("artifact", "report.txt").returncode == 0
    assert script.run("artifact", "report.txt", "--name", "logs/x.txt").returncode == 0
    assert script.read("artifacts/report.txt") == script.read("artifacts/logs/x.txt") == "all"


@pytest.mark.parametrize(
    ("args", "stdin", "code", "words"),
    [
        (["progress", "101"], "", 2, "101"),
        (["progress", "nan"], "", 2, "nan"),
        (["progress"], "", 2, "PERCENT"),
        (["env", "A"], "", 2, "must be NAME=VALUE"),
        (["env"], "", 2, "NAME=VALUE"),
        (["env", "1A=x"], "", 2, "not a valid name"),
        (["env", "A=-", "B=-"], "x", 2, "only one"),
        (["output", "a b=x"], "", 2, "not a valid name"),
        (["output", "a=-"], b"\xff", 2, "not UTF-8"),
        (["output", "a=-"], b"\0", 2, "NUL"),
        (["mask"], b"\0", 2, "NUL"),
        (["plan", " "], "", 2, "must not be empty"),
        (["artifact", "none.txt"], "", 74, "none.txt"),
        (["artifact", "none.txt", "--name", "../x"], "", 2, "not a valid artifact name"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_what_cannot_be_written_is_said_in_one_line(script, args, stdin, code, words):
    done = script.run(*args, stdin=stdin)
    assert done.returncode == code
    assert done.stdout == b""
    assert done.stderr.startswith(b"runbook: error: ")
    assert words in done.stderr.decode()
    assert not [name for name in NAMES if (script.folder / name.lower()).exists()]


@pytest.mark.parametrize(
    ("args", "name"),
    [
        (["progress", "1"], "PROGRESS"),
        (["env", "A=1"], "ENV"),
        (["output", "a=1"], "OUTPUT"),
        (["summary", "x"], "SUMMARY"),
        (["mask", "x"], "MASK"),
        (["plan", "x"], "PLAN"),
        (["artifact", "/dev/null"], "ARTIFACTS"),
        (["call", "A.md"], "API_TOKEN"),
    ],
)
def test_outside_of_a_run_they_say_so(script, args, name):
    done = script.run(*args, environment={"PATH": os.environ["PATH"]})
    assert done.returncode == 2
    assert done.stderr.decode().startswith(f"runbook: error: RUNBOOK_{name} is not set")


def test_a_full_disk_is_an_error(script):
    environment = script.environment | {"RUNBOOK_OUTPUT": "/dev/full"}
    done = script.run("output", "a=1", environment=environment)
    assert done.returncode == 74
    assert b"No space left" in done.stderr


MOST_STARTS = 20
HEAVY = ("sqlalchemy", "pydantic", "httpx", "flask", "jwt", "runbook.engine", "runbook.settings")


@pytest.mark.parametrize("args", [["progress", "1"], ["env", "A=1"], ["mask", "x"], ["plan", "x"]])
def test_they_load_nothing_heavy(script, args):
    program = (
        f"import atexit, sys; sys.argv = {['runbook', *args]!r}\nfrom runbook.cli import main\n"
        "atexit.register(lambda: print(*sys.modules)); main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=script.environment,
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = done.stdout.split()
    assert "runbook.script.commands" in loaded
    assert not [name for name in loaded if name.startswith(HEAVY)]


def test_they_start_fast(script):
    """By the processor's time and that of a bare interpreter: machines differ, and are busy."""

    def took(*command):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(command, env=script.environment, cwd=script.folder, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    bare, ours = (sys.executable, "-c", "pass"), (RUNBOOK, "progress", "1")
    pairs = [(took(*ours), took(*bare)) for _ in range(8)]
    fastest, unit = (min(times) for times in zip(*pairs))
    assert fastest < MOST_STARTS * unit, pairs

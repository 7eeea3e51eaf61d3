"""How processes of the command line start and end."""

import subprocess
import sys
from pathlib import Path

import pytest

LIGHT = ("click", "pydantic", "sqlalchemy", "runbook.core", "runbook.settings", "threading")
UNUSED_BY_A_RUN = ("jwt", "http.client", "httpx", "alembic", "flask", "mako", "runbook.api")


def python(code, *args, **more):
    command = [sys.executable, "-c", code, *args]
    return subprocess.run(command, capture_output=True, text=True, check=False, **more)


def loaded(code, names, *args):
    """Which of the modules a process that executes `code` has imported at its end."""
    at_end = (
        "import atexit, sys\n"
        f"show = lambda: print([n for n in {names!r} if n in sys.modules], file=sys.stderr)\n"
        "atexit.register(show)\n"
    )
    done = python(at_end + code, *args)
    return done.stderr.splitlines()[-1]


def test_the_guardian_of_a_run_loads_nothing_heavy():
    code = (
        "from runbook.host import guard, sealing\n"
        "sealing.seal_environment = lambda: {}\n"
        "guard.guard = lambda: 0\n"
        "from runbook import cli; cli.main()"
    )
    assert loaded(code, LIGHT, "execute", "A.md", "--env", "X=h") == "[]"
    assert "click" in loaded(code, LIGHT, "execute", "-qh")


def test_an_engine_process_loads_only_what_a_run_uses():
    assert loaded("import runbook.cli.one_shot.execution", UNUSED_BY_A_RUN) == "[]"


@pytest.mark.parametrize("code", [0, 3, 255])
def test_it_ends_with_the_code_after_its_output_and_exit_handlers(code):
    program = (
        "import atexit, sys; from runbook.cli.process import leave\n"
        "atexit.register(lambda: print('handled', end=''))\n"
        f"print('out', end=' '); leave({code})"
    )
    done = python(program)
    assert (done.returncode, done.stdout) == (code, "out handled")


def test_it_ends_after_its_threads():
    program = (
        "import threading; from runbook.cli.process import leave\n"
        "began = threading.Event()\n"
        "def work():\n"
        "    began.set(); threading.main_thread().join(); print('done')\n"
        "threading.Thread(target=work).start(); began.wait(); leave(4)"
    )
    done = python(program)
    assert (done.returncode, done.stdout) == (4, "done\n")


def test_full_output_does_not_change_the_code():
    command = [sys.executable, "-c", "from runbook.cli.process import leave\nprint(1); leave(5)"]
    with Path("/dev/full").open("w") as full:
        assert subprocess.run(command, stdout=full, env={}, check=False).returncode == 5


@pytest.mark.parametrize(("raised", "code"), [("SystemExit", 0), ("SystemExit(7)", 7)])
def test_a_command_that_exits_ends_the_process(raised, code):
    program = (
        f"from runbook.cli.process import leave_after\ndef f(): raise {raised}\nleave_after(f)"
    )
    assert python(program).returncode == code

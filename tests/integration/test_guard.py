"""The sealed environment and the guardian, with real processes that are really killed."""

import json
import os
import pty
import signal
import subprocess
import sys
import time
from contextlib import contextmanager

import pytest

from runbook.host import proctable, supervisor
from runbook.host.sealing import SEALED_FD

CANARY = "c4n4ry"

SEALED = """
import json, os, subprocess, sys
from runbook.host.sealing import seal_environment
given = seal_environment()
print(json.dumps({
    "given": given.get("SECRET"),
    "size": sum(map(len, given.values())),
    "shown": open("/proc/self/environ", errors="replace").read(),
    "child": subprocess.run(["env"], capture_output=True, text=True).stdout,
    "open": sorted(os.listdir("/proc/self/fd")),
    "arguments": sys.argv[1:],
    "input": sys.stdin.read(),
    "optimized": sys.flags.optimize,
    "pid": os.getpid(),
}))
"""


def python(program, *arguments, options=(), **more):
    return subprocess.Popen(
        [sys.executable, *options, "-c", program, *arguments],
        stdout=subprocess.PIPE,
        text=True,
        **more,
    )


def sealed(program=SEALED, *arguments, text="", options=(), **variables):
    environment = os.environ | {"SECRET": CANARY} | variables
    where = {"stdin": subprocess.PIPE, "env": environment, "options": options}
    with python(program, *arguments, **where) as process:
        out, _ = process.communicate(text)
    assert process.returncode == 0
    return json.loads(out) | {"started": process.pid}


def alive(pid: int) -> bool:
    entry = proctable.read_process(pid)
    return entry is not None and not entry.ended


def await_end(pid: int) -> None:
    while alive(pid):
        time.sleep(0.005)


def test_the_secret_is_given_and_shown_nowhere():
    seen = sealed()
    assert seen["given"] == CANARY
    assert CANARY not in seen["shown"]
    assert CANARY not in seen["child"]
    assert "PATH=" in seen["child"]
    assert SEALED_FD not in seen["child"]
    assert len(seen["open"]) == 4  # three streams, and the listing itself


def test_the_process_its_arguments_options_and_input_stay_the_same():
    seen = sealed(SEALED, "a b", "*", text="typed", options=["-O"])
    assert seen["pid"] == seen["started"]
    assert (seen["arguments"], seen["input"]) == (["a b", "*"], "typed")
    assert seen["optimized"] == 1


def test_a_value_may_be_any_bytes():
    seen = sealed(SECRET=os.fsdecode(b"\xff\n=\xc3"))
    assert os.fsencode(seen["given"]) == b"\xff\n=\xc3"


def test_an_environment_may_be_large():
    many = {f"LARGE_{number}": "x" * 100_000 for number in range(10)}
    assert sealed(**many)["size"] > 1_000_000


@pytest.mark.parametrize("forged", ["0", "1", "999", "-1", "x", "²", ""])
def test_a_forged_descriptor_is_not_believed(forged):
    assert sealed(**{SEALED_FD: forged})["given"] == CANARY


def test_a_file_of_someone_else_is_not_read_as_an_environment(tmp_path):
    (tmp_path / "file").write_bytes(b"SECRET=forged\0")
    with (tmp_path / "file").open() as file:
        program = f"import os; os.set_inheritable({file.fileno()}, True)\n{SEALED}"
        environment = os.environ | {SEALED_FD: str(file.fileno()), "SECRET": CANARY}
        inherited = {"stdin": subprocess.DEVNULL, "pass_fds": [file.fileno()]}
        with python(program, env=environment, **inherited) as process:
            out, _ = process.communicate()
    assert json.loads(out)["given"] == CANARY


def test_without_memory_files_a_file_without_a_name_will_do(tmp_path):
    seen = sealed("import os; del os.memfd_create\n" + SEALED, TMPDIR=str(tmp_path))
    assert seen["given"] == CANARY
    assert list(tmp_path.iterdir()) == []


def test_the_guard_is_light():
    """Each of these would be paid for at every start."""
    heavy = ("subprocess", "threading", "typing", "dataclasses", "ctypes", "pathlib", "logging")
    program = "import sys; before = set(sys.modules); import runbook.host.guard\n"
    program += "print(sorted((set(sys.modules) - before) & set(sys.argv[1:])))"
    with python(program, *heavy, options=["-I"]) as process:
        assert process.communicate()[0] == "[]\n"


# The engine process is a copy of the guardian.
GUARDED = """
import os, signal, subprocess, sys, time
from runbook.host.guard import *
from runbook.host.sealing import seal_environment
given = seal_environment()
code = guard()
if code is not None:
    sys.exit(code)
lifeline = take_lifeline()

def start(*argv):
    child = subprocess.Popen(argv, start_new_session=True, stdout=subprocess.DEVNULL)
    child.returncode = 0
    return child.pid

def say(*words):
    print(*words, flush=True)

say(os.getpid(), os.getppid())
"""


@contextmanager
def guarded(program, **more):
    """A guardian with its engine: the process, and both numbers as it says them."""
    environment = os.environ | {"SECRET": CANARY}
    with python(GUARDED + program, env=environment, **more) as process:
        engine, guardian = map(int, process.stdout.readline().split())
        assert guardian == process.pid
        try:
            yield process, engine
        finally:
            process.kill()
            await_end(engine)


def line(process) -> str:
    return process.stdout.readline().strip()


def test_the_exit_code_is_the_engines():
    with guarded("sys.exit(7)") as (process, _):
        assert process.wait() == 7


def test_the_engine_gets_the_environment_sealed():
    program = """
say(given["SECRET"], b"c4n4ry" in open("/proc/self/environ", "rb").read())
say(sys.stdin.read())
say(len(os.listdir("/proc/self/fd")))
say(os.get_inheritable(lifeline), os.environ.get("RUNBOOK_LIFELINE_FD"))
say(signal.pthread_sigmask(signal.SIG_BLOCK, ()))
"""
    with guarded(program, stdin=subprocess.PIPE) as (process, _):
        process.stdin.write("typed")
        process.stdin.close()
        said = process.stdout.read().splitlines()
    assert said[:2] == [f"{CANARY} False", "typed"]
    assert said[2:] == ["5", "False None", "set()"]  # streams, lifeline, listing


def test_a_killed_engine_takes_its_escaped_descendants_along():
    program = """
say(start("sleep", "99"))
say(start("setsid", "-f", "env", "-i", "sh", "-c", "echo $$ >&2; exec setsid -f sleep 99"))
trap = start("sh", "-c", "trap '' INT TERM HUP; sleep 99; sleep 99")
say(trap)
time.sleep(99)
"""
    with guarded(program) as (process, engine):
        started = [int(line(process)) for _ in range(3)]
        os.kill(engine, signal.SIGKILL)
        assert process.wait() == 128 + signal.SIGKILL
    assert not any(alive(pid) for pid in started)


def test_a_double_forked_grandchild_dies_with_the_engine(tmp_path):
    program = f"""
subprocess.run(["setsid", "-f", "sh", "-c", "echo $$ > {tmp_path}/pid; exec sleep 99"],
               stdout=subprocess.DEVNULL, env={{}})
while not (os.path.exists("{tmp_path}/pid") and os.path.getsize("{tmp_path}/pid")):
    time.sleep(0.005)
say("ready")
sys.stdin.read()
"""
    with guarded(program, stdin=subprocess.PIPE) as (process, engine):
        assert line(process) == "ready"
        grandchild = int((tmp_path / "pid").read_text())
        assert alive(grandchild)
        os.kill(engine, signal.SIGKILL)
        process.wait()
        assert not alive(grandchild)


def test_descendants_end_also_when_the_engine_ends_by_itself():
    with guarded("say(start('sleep', '99'))") as (process, _):
        child = int(line(process))
        assert process.wait() == 0
    assert not alive(child)


def test_the_engine_notices_that_its_guardian_was_killed():
    program = """
watch_lifeline(lifeline, lambda: (say("lost"), os._exit(0)))
say("watching")
time.sleep(99)
"""
    with guarded(program) as (process, engine):
        assert line(process) == "watching"
        process.kill()
        assert line(process) == "lost"
        await_end(engine)


COUNTING = """
seen = []
def tell(text):  # not print: a handler may come in while the program itself is printing
    os.write(1, (text + "\\n").encode())
def take(number, frame):
    seen.append(number)
    tell(f"got {int(number)}")
for number in (signal.SIGINT, signal.SIGHUP, signal.SIGQUIT):
    signal.signal(number, take)
signal.signal(signal.SIGTERM, lambda *_: (tell(f"total {len(seen)}"), os._exit(3)))
say("ready")
while True: time.sleep(99)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP, signal.SIGQUIT])
def test_a_signal_to_the_guardian_alone_is_passed_on(number):
    with guarded(COUNTING) as (process, _):
        assert line(process) == "ready"
        process.send_signal(number)
        assert line(process) == f"got {int(number)}"
        process.send_signal(signal.SIGTERM)
        assert line(process) == "total 1"
        assert process.wait() == 3


def test_what_the_guardian_was_started_to_ignore_is_not_passed_on():
    """As by nohup. Stray signals end neither of the two."""
    command = f"trap '' HUP; exec '{sys.executable}' -c \"$0\""
    with subprocess.Popen(
        ["bash", "-c", command, GUARDED + COUNTING], stdout=subprocess.PIPE, text=True
    ) as process:
        line(process)
        assert line(process) == "ready"
        for number in (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGALRM):
            process.send_signal(number)
        process.send_signal(signal.SIGTERM)
        assert line(process) == "total 0"
        assert process.wait() == 3


def test_ctrl_c_at_a_terminal_arrives_once(tmp_path):
    """The terminal sends it to the engine itself; the guardian must not send it again."""
    taking = "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); "
    taking += "os.execv(sys.executable, [sys.executable, '-c', sys.argv[1]])"
    master, terminal = pty.openpty()
    with python(taking, GUARDED + COUNTING, stdin=terminal, start_new_session=True) as process:
        os.close(terminal)
        line(process)
        assert line(process) == "ready"
        os.write(master, b"\x03")
        assert line(process) == f"got {int(signal.SIGINT)}"
        # The guardian takes pending signals in order of their numbers: 2 would come before 15.
        process.send_signal(signal.SIGTERM)
        assert line(process) == "total 1"
        assert process.wait() == 3
    os.close(master)


def test_a_sweep_spares_what_is_kept_and_what_that_has_started():
    program = """
import os, subprocess
from runbook.host.guard import sweep_descendants
from runbook.host.proctable import become_subreaper, read_process
become_subreaper()
def start(script):
    child = subprocess.Popen(["sh", "-c", script], stdout=subprocess.PIPE, start_new_session=True)
    return child, int(child.stdout.readline())
kept, below = start("sleep 99 & echo $!; wait")
other, lower = start("setsid sleep 99 & echo $!; wait")
print(sweep_descendants({kept.pid}) >= 2)
print(read_process(kept.pid) is not None, read_process(below) is not None)
print(read_process(other.pid), read_process(lower))
print(sweep_descendants() >= 2, read_process(kept.pid), read_process(below))
for child in (kept, other): child.returncode = -9
"""
    with python(program) as process:
        out, _ = process.communicate()
    assert out.splitlines() == ["True", "True True", "None None", "True None None"]


def test_a_process_without_children_does_not_read_the_process_table():
    program = "from runbook.host import guard; guard.list_processes = None\n"
    program += "print(guard.sweep_descendants())"
    with python(program) as process:
        assert process.communicate()[0] == "0\n"


def test_an_engine_that_cannot_start_is_an_error_and_leaks_nothing():
    program = """
import os
from runbook.host.guard import spawn_engine
before = sorted(os.listdir("/proc/self/fd"))
try:
    spawn_engine(["/nowhere"], {})
except FileNotFoundError:
    print(sorted(os.listdir("/proc/self/fd")) == before)
"""
    with python(program) as process:
        assert process.communicate()[0] == "True\n"


@pytest.mark.parametrize("command", [supervisor.WEB, supervisor.WORKER], ids=["web", "worker"])
def test_no_file_in_the_current_folder_takes_the_place_of_a_module(command, tmp_path):
    for name in ("yaml", "sqlalchemy", "flask"):
        (tmp_path / f"{name}.py").write_text("open('imported', 'w')")
    environment = {"PATH": os.environ["PATH"], "API_PORT": "none"}
    ended = subprocess.run(command, check=False, cwd=tmp_path, env=environment, capture_output=True)
    assert ended.returncode != 0
    assert not (tmp_path / "imported").exists()


@pytest.mark.parametrize("forged", ["999", "x"])
def test_a_forged_lifeline_is_not_taken(forged):
    program = "from runbook.host.guard import take_lifeline; print(take_lifeline())"
    with python(program, env=os.environ | {"RUNBOOK_LIFELINE_FD": forged}) as process:
        assert process.communicate()[0] == "None\n"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_another_process_of_the_same_user_finds_no_secret():
    """What a script would try: every environment in /proc that its user may read."""
    program = """
import ctypes, json, os, subprocess
import runbook.host.guard
import runbook.host.sealing
given = runbook.host.sealing.seal_environment()
os.setuid(65534)
runbook.host.guard.make_undumpable()
search = "cat /proc/*/environ 2>/dev/null | grep -zc ^SECRET="
found = subprocess.run(search, shell=True, capture_output=True, text=True, env={})
server = subprocess.run(["cat", f"/proc/{os.getpid()}/environ"], capture_output=True, env={})
print(json.dumps({"found": found.stdout.strip(), "server": server.returncode}))
"""
    seen = sealed(program)
    assert (seen["found"], seen["server"]) == ("0", 1)

"""Real scripts, run to their end; whatever they try, nothing of them is left."""

import errno
import json
import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from runbook.core.events import EventType
from runbook.engine.process.family import RUN_MARK, Families
from runbook.engine.process.limits import ScriptLimits
from runbook.engine.process.run import (
    Command,
    Ended,
    Grace,
    ProcessStartError,
    StopReason,
    run_process,
)
from runbook.engine.process.run import Stop as StopRequest
from runbook.host import proctable

PATH = "/usr/local/bin:/usr/bin:/bin"
SHORT = Grace(interrupt_s=0.2, terminate_s=0.2, drain_s=0.2)

# Other test processes look for the marks of their own runs at the same time.
RUN = f"run-{uuid.uuid4()}"


class Memory:
    """A sink that remembers, and can call back on the first output."""

    def __init__(self, on_output=None):
        self.chunks = {EventType.STDOUT: [], EventType.STDERR: []}
        self.flushed = 0
        self.prepared = 0
        self.due = None
        self._on_output = on_output

    def prepare(self):
        self.prepared += 1

    def write(self, stream, data):
        self.chunks[stream].append(data)
        if self._on_output:
            self._on_output()

    def due_at(self):
        return self.due

    def flush(self):
        self.flushed += 1
        self.due = None

    @property
    def stdout(self):
        return b"".join(self.chunks[EventType.STDOUT])

    @property
    def stderr(self):
        return b"".join(self.chunks[EventType.STDERR])


@pytest.fixture(scope="module", autouse=True)
def subreaper():
    proctable.become_subreaper()
    yield
    proctable._prctl(proctable._PR_SET_CHILD_SUBREAPER, 0)


@pytest.fixture
def families():
    return Families()


@pytest.fixture
def stop():
    stop = StopRequest()
    yield stop
    stop.close()


@pytest.fixture
def run(tmp_path, families, stop):
    def run(script, sink=None, **options) -> Ended:
        command = options.pop("command", None) or zsh(script, tmp_path)
        settings = {"timeout_s": 60, "run_id": f"{RUN}-1", "grace": SHORT, "stop": stop} | options
        return run_process(command, sink=sink or Memory(), families=families, **settings)

    return run


def zsh(script, directory: Path, **variables) -> Command:
    return Command(["/usr/bin/zsh", "-f", "-c", script], {"PATH": PATH, **variables}, directory)


def alive(pid: int) -> bool:
    entry = proctable.read_process(pid)
    return entry is not None and not entry.ended


def open_descriptors() -> list[str]:
    return sorted(path.name for path in Path("/proc/self/fd").iterdir())


def pid_in(file: Path) -> int:
    return int(file.read_text())


def test_both_streams_and_the_return_code_arrive(run):
    sink = Memory()
    ended = run("print out; print err >&2; exit 3", sink)
    assert (ended.return_code, ended.stopped, ended.background) == (3, None, [])
    assert (sink.stdout, sink.stderr) == (b"out\n", b"err\n")


def test_a_sink_gets_ready_only_while_no_other_script_runs(run):
    beside = Memory()
    alone = Memory(lambda: run("print beside", beside))
    run("print alone; sleep 0.01", alone)
    assert (alone.prepared, beside.prepared, beside.stdout) == (1, 0, b"beside\n")


def test_death_by_a_signal_is_a_negative_return_code(run):
    assert run("kill -SEGV $$").return_code == -signal.SIGSEGV


FACTS = """
import json, os, sys
facts = {
    "input": sys.stdin.read(),
    "open": sorted(set(os.listdir("/proc/self/fd")) - {"3"}),  # 3 lists the folder
    "leads": os.getsid(0) == os.getpid(),
    "environment": sorted(set(os.environ) - {"LC_CTYPE"}),
    "umask": os.umask(0),
    "directory": os.getcwd(),
}
print(json.dumps(facts))
"""


def test_a_script_has_a_session_of_its_own_and_nothing_of_the_server(run, monkeypatch, tmp_path):
    monkeypatch.setenv("SERVER_SECRET", "canary")
    sink = Memory()
    argv = [sys.executable, "-I", "-c", FACTS]
    reading, writing = os.pipe()
    os.set_inheritable(reading, True)
    run("", sink, command=Command(argv, {"GIVEN": "1"}, tmp_path))
    os.close(reading)
    os.close(writing)
    assert json.loads(sink.stdout) == {
        "input": "",
        "open": ["0", "1", "2"],
        "leads": True,
        "environment": ["GIVEN", RUN_MARK],
        "umask": 0o022,
        "directory": str(tmp_path),
    }


def test_a_huge_line_arrives_whole(run):
    sink = Memory()
    run("head -c 20000000 /dev/zero", sink)
    assert len(sink.stdout) == 20_000_000
    assert max(map(len, sink.chunks[EventType.STDOUT])) <= 65_536


def test_bytes_are_passed_on_as_they_are(run):
    sink = Memory()
    run(r"print -n 'a\xff\x00b'", sink)
    assert sink.stdout == b"a\xff\x00b"


# Seconds for what a script does meanwhile. If a busy machine does not let it, it gets more.
SLOWLY = (0.5, 2, 8)


def test_a_timeout_kills_what_ignores_every_other_signal(run, tmp_path):
    script = "trap 'print int' INT; trap 'print term' TERM; print begin; while :; do sleep 9; done"
    for seconds in SLOWLY:
        sink = Memory()
        grace = Grace(interrupt_s=seconds, terminate_s=seconds)
        ended = run(script, sink, timeout_s=2 * seconds, grace=grace)
        assert (ended.return_code, ended.stopped) == (-signal.SIGKILL, StopReason.TIMEOUT)
        if sink.stdout == b"begin\nint\nterm\n":
            return
    raise AssertionError(sink.stdout)


def test_an_interrupted_script_may_end_in_its_own_way(run):
    for seconds in SLOWLY:
        script = "trap 'exit 7' INT; while :; do sleep 9; done"
        ended = run(script, timeout_s=seconds, grace=Grace())
        assert ended.stopped is StopReason.TIMEOUT
        if ended.return_code == 7:
            return
    raise AssertionError(ended)


@pytest.mark.parametrize("reason", [StopReason.CANCEL, StopReason.DRAIN])
def test_a_stop_from_another_thread_wakes_the_pump(run, stop, reason):
    def request():
        threading.Thread(target=stop.request, args=(reason,)).start()

    ended = run("print begin; sleep 99", Memory(on_output=request))
    assert (ended.return_code, ended.stopped) == (-signal.SIGINT, reason)


def test_the_first_reason_counts_and_at_once_leaves_no_grace(run, stop):
    def request():
        stop.request(StopReason.DRAIN)
        stop.request(StopReason.CANCEL, at_once=True)

    long = Grace(interrupt_s=600, terminate_s=600)
    ended = run("trap '' INT TERM; print; while :; do sleep 9; done", Memory(request), grace=long)
    assert (ended.return_code, ended.stopped) == (-signal.SIGKILL, StopReason.DRAIN)


def test_a_stop_requested_before_starts_nothing(run, stop, tmp_path):
    stop.request(StopReason.CANCEL)
    ended = run("touch started")
    assert (ended.stopped, list(tmp_path.iterdir())) == (StopReason.CANCEL, [])


def test_a_request_to_a_closed_stop_is_harmless():
    stop = StopRequest()
    stop.close()
    stop.request(StopReason.CANCEL)
    stop.close()
    assert stop.reason is StopReason.CANCEL


DAEMON = "sh -c 'echo $$ > $0; exec sleep 99'"
ESCAPES = {
    "background": "sleep 99 & print $! > pid",
    "holds only files": "sleep 99 >/dev/null 2>&1 & print $! > pid",
    "nohup": "nohup sleep 99 >/dev/null 2>&1 & print $! > pid",
    "own session": f"setsid {DAEMON} pid >/dev/null 2>&1 &; wait_pid",
    "daemon": f"(setsid {DAEMON} pid >/dev/null 2>&1 &); wait_pid",
    "no mark": f"(env -i setsid {DAEMON} pid >/dev/null 2>&1 &); wait_pid",
    "elsewhere": f"p=$PWD/pid; (cd /; env -i setsid {DAEMON} $p &); wait_pid",
    "deep": "setsid sh -c 'setsid sh -c \"echo \\$\\$ > pid; env -i sleep 99\" & wait' &; wait_pid",
    "stopped": "sleep 99 & print $! > pid; kill -STOP $!",
}
WAIT = "wait_pid() { until [[ -s pid ]]; do sleep 0.01; done }\n"


@pytest.mark.parametrize("script", ESCAPES.values(), ids=ESCAPES.keys())
def test_nothing_that_was_started_survives_the_script(run, tmp_path, script):
    ended = run(WAIT + script)
    assert ended.return_code == 0
    assert ended.background
    assert not alive(pid_in(tmp_path / "pid"))


@pytest.mark.parametrize("script", ESCAPES.values(), ids=ESCAPES.keys())
def test_nothing_that_was_started_survives_a_stubborn_script(run, stop, tmp_path, script):
    def request():
        stop.request(StopReason.CANCEL)

    script = f"{WAIT} trap '' INT TERM\n{script}\nprint ready; while :; do sleep 9; done"
    ended = run(script, Memory(request))
    assert (ended.return_code, ended.stopped) == (-signal.SIGKILL, StopReason.CANCEL)
    assert not alive(pid_in(tmp_path / "pid"))


def test_no_zombie_of_a_daemon_is_left(run, tmp_path):
    run(WAIT + ESCAPES["daemon"])
    assert proctable.read_process(pid_in(tmp_path / "pid")) is None


def test_a_fork_bomb_ends_with_its_script(run, tmp_path):
    bomb = "bomb() { sleep 99 & print $! >> pids; (( i++ < 99 )) && bomb & }; touch pids; bomb\n"
    run(bomb + "until (( $(wc -l < pids) > 40 )); do sleep 0.01; done")
    assert not any(alive(int(pid)) for pid in (tmp_path / "pids").read_text().split())


def test_output_of_a_background_process_is_drained_for_a_while(run):
    for seconds in SLOWLY:
        sink = Memory()
        script = "(sleep 0.05; print late; sleep 99) & print early"
        ended = run(script, sink, grace=Grace(drain_s=seconds))
        assert ended.background
        if sink.stdout == b"early\nlate\n":
            return
    raise AssertionError(sink.stdout)


def test_a_stop_cuts_the_draining_short(run, stop):
    """The second letter comes when the script itself is over: it has not been stopped."""

    def request():
        if sink.stdout == b"ab":
            stop.request(StopReason.DRAIN)

    sink = Memory(request)
    script = (
        "p=$$; print -n a; (while [[ $(ps -o s= $p) != Z ]]; do :; done; print -n b; sleep 99) &"
    )
    ended = run(script + " exit 4", sink, grace=Grace(drain_s=60), timeout_s=600)
    assert (ended.return_code, ended.stopped) == (4, None)


def test_a_sink_that_raises_ends_the_script(run, tmp_path):
    def fail():
        raise ConnectionError("the store is gone")

    with pytest.raises(ConnectionError):
        run("print $$ > pid; setsid sleep 99 & print $! > child; print x; sleep 99", Memory(fail))
    assert proctable.read_process(pid_in(tmp_path / "pid")) is None
    assert not alive(pid_in(tmp_path / "child"))


def test_the_sink_is_flushed_when_it_asks_for_it(run):
    sink = Memory()
    sink.due = time.monotonic() + 0.05
    run("sleep 0.3", sink)
    assert sink.flushed == 1


@pytest.mark.parametrize(
    ("command", "text"),
    [
        (Command(["/nowhere/zsh"], {}, Path("/")), "zsh: No such file"),
        (Command(["/bin/true"], {}, Path("/nowhere")), "nowhere: No such file"),
        (Command(["/bin/true"], {"A": "x" * 140_000}, Path("/")), "too large"),
        (Command(["/bin/true"], {"A": "x\0y"}, Path("/")), "null byte"),
    ],
)
def test_a_command_that_cannot_start_says_why(run, command, text):
    with pytest.raises(ProcessStartError, match=text):
        run("", command=command)


def test_no_descriptor_leaks(run):
    run("true")
    before = open_descriptors()
    for _ in range(5):
        run("sleep 99 & print x")
        with pytest.raises(ProcessStartError):
            run("", command=Command(["/nowhere"], {}, Path("/")))
    assert open_descriptors() == before


def test_a_kernel_without_pidfd_will_do(run, monkeypatch, tmp_path):
    def missing(pid):
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr(os, "pidfd_open", missing)
    ended = run(WAIT + ESCAPES["no mark"] + "; exit 5")
    assert ended.return_code == 5
    assert not alive(pid_in(tmp_path / "pid"))


def test_concurrent_runs_leave_each_other_alone(tmp_path, families):
    """Each has a daemon that must live exactly as long as its own script."""
    script = """
    (env -i setsid sh -c 'echo $$ > pid; exec sleep 99' >/dev/null 2>&1 &)
    (setsid sh -c 'echo $$ > marked; exec sleep 99' >/dev/null 2>&1 &)
    until [[ -s pid && -s marked ]]; do sleep 0.01; done
    sleep 0.$((RANDOM % 5))
    kill -0 $(<pid) $(<marked)
    """

    def one(number):
        directory = tmp_path / str(number)
        directory.mkdir()
        stop = StopRequest()
        ended = run_process(
            zsh(script, directory),
            sink=Memory(),
            stop=stop,
            timeout_s=60,
            run_id=f"{RUN}-{number}",
            families=families,
        )
        stop.close()
        return ended.return_code, alive(pid_in(directory / "pid"))

    with ThreadPoolExecutor(20) as pool:
        assert list(pool.map(one, range(20))) == [(0, False)] * 20
    assert not any(proctable.read_process(pid_in(file)) for file in tmp_path.glob("*/pid"))


def test_an_orphan_that_two_runs_may_have_started_ends_with_the_last_of_them(tmp_path, families):
    """Without mark, and outside its run's directory, it cannot be told whose it is."""
    escape = f"(cd /; env -i setsid sh -c 'echo $$ > {tmp_path}/pid; exec sleep 99' >&- 2>&- &)"
    begun = threading.Event()
    stop, other_stop = StopRequest(), StopRequest()

    def long_run():
        command = zsh("print; sleep 99", tmp_path)
        run_process(
            command,
            sink=Memory(begun.set),
            stop=other_stop,
            timeout_s=60,
            run_id=f"{RUN}-2",
            families=families,
        )

    thread = threading.Thread(target=long_run)
    thread.start()
    begun.wait()
    run_process(
        zsh(WAIT + escape + "; wait_pid", tmp_path),
        sink=Memory(),
        stop=stop,
        timeout_s=60,
        run_id=f"{RUN}-1",
        families=families,
    )
    assert alive(pid_in(tmp_path / "pid"))
    other_stop.request(StopReason.CANCEL)
    thread.join()
    assert not alive(pid_in(tmp_path / "pid"))


def test_children_of_the_engine_itself_are_spared(run):
    with subprocess.Popen(["sleep", "99"]) as helper:
        run("setsid sleep 99 &")
        assert helper.poll() is None
        helper.kill()


def test_zombies_of_a_long_run_are_reaped_while_it_goes_on(run, families, tmp_path):
    def reap():
        pid = pid_in(tmp_path / "pid")
        while (entry := proctable.read_process(pid)) and not entry.ended:
            time.sleep(0.005)
        reaped.append(families.reap_orphans())
        assert proctable.read_process(pid) is None

    reaped = []
    script = f"{WAIT} (setsid sh -c 'echo $$ > pid' &); wait_pid; print; sleep 0.2"
    ended = run(script, Memory(reap))
    assert (ended.return_code, reaped) == (0, [1])


def test_optional_limits_bind_the_script_from_its_first_moment(run):
    sink = Memory()
    limits = ScriptLimits(processes=50, memory_bytes=1 << 30, file_bytes=1 << 20)
    ended = run("ulimit -u; ulimit -v; head -c 2M /dev/zero > big; ls -l big", sink, limits=limits)
    assert sink.stdout.splitlines()[:2] == [b"50", b"1048576"]
    assert b" 1048576 " in sink.stdout
    assert ended.return_code == 0


def test_a_limit_without_prlimit_is_not_forgotten(run, monkeypatch):
    monkeypatch.setattr("runbook.engine.process.limits.shutil.which", lambda name, path: None)
    with pytest.raises(ProcessStartError, match="prlimit"):
        run("true", limits=ScriptLimits(processes=50))

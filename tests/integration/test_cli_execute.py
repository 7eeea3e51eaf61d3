"""`runbook execute` as a process: streams, exit codes, signals, secrets, folders."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

import psutil
import pytest

from patience import PATIENCE_S
from runbook.cli.source.local import open_local
from runbook.cli.source.protocol import RunQuery

JWT_SECRET = "a-secret-of-more-than-thirty-two-bytes!"
RUNBOOK = """\
# {name}

# Environment Requirements
```yaml
{inputs}
```

# File System Requirements
```yaml
Input:
```
{claims}
# Script
```{language}
{script}
```

# History
"""


class CommandLine:
    """Runs `runbook` in a folder of its own, with nothing of our environment."""

    def __init__(self, folder):
        self.folder = folder
        self.runbooks = folder / "runbooks"
        self.data = folder / "data"
        self.execution = folder / "execution"
        self.runbooks.mkdir()
        self.execution.mkdir()
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "RUNBOOKS_DIR": str(self.runbooks),
            "DATA_DIR": str(self.data),
            "EXECUTION_DIR": str(self.execution),
        }

    def add(self, name, script, *, inputs="", claims="", language="zsh", folder=None):
        path = (folder or self.runbooks) / f"{name}.md"
        path.parent.mkdir(parents=True, exist_ok=True)
        claims = f"\n# Required Claims\n```yaml\n{claims}\n```\n" if claims else ""
        path.write_text(
            RUNBOOK.format(
                name=path.stem, inputs=inputs, claims=claims, language=language, script=script
            )
        )
        return str(path)

    def start(self, *args, environment=None, **options):
        defaults = {
            "stdin": subprocess.DEVNULL,
            "stdout": subprocess.PIPE,
            "stderr": subprocess.PIPE,
            "text": True,
            "cwd": self.folder,
        }
        return subprocess.Popen(
            [sys.executable, "-m", "runbook", *args],
            env=self.environment | (environment or {}),
            **(defaults | options),
        )

    def run(self, *args, stdin=None, environment=None, **options):
        given = {"stdin": subprocess.PIPE} if stdin is not None else {}
        with self.start(*args, environment=environment, **given, **options) as process:
            stdout, stderr = process.communicate(stdin, timeout=2 * PATIENCE_S)
        return subprocess.CompletedProcess(args, process.returncode, stdout, stderr)

    def execute(self, file, *args, **options):
        return self.run("execute", "--runbook", file, *args, **options)

    def events(self, file, *args, **options):
        done = self.execute(file, *args, "--json", **options)
        return done, [json.loads(line) for line in done.stdout.splitlines()]

    def runs(self):
        with open_local(self.environment, "") as source:
            return source.runs(RunQuery(), None, 50)["runs"]


@pytest.fixture
def cli(tmp_path):
    return CommandLine(tmp_path)


def wait_for_line(stream, text):
    for line in stream:
        if text in line:
            return
    raise AssertionError(f"{text!r} was never printed")


# -- streams and exit codes ----------------------------------------------------------------------


def test_the_output_goes_where_the_script_sends_it(cli):
    done = cli.execute(cli.add("Greet", "print to stdout; print -u2 to stderr"))

    assert done.returncode == 0
    assert done.stdout == "to stdout\n"
    assert done.stderr.startswith("to stderr\nrunbook: Greet.md succeeded after ")


def test_the_runbook_may_stand_behind_the_command(cli):
    done = cli.run("execute", cli.add("Greet", "print hello"), "--quiet")

    assert (done.returncode, done.stdout, done.stderr) == (0, "hello\n", "")


def test_quiet_says_nothing_of_its_own(cli):
    done = cli.execute(cli.add("Greet", "print out; print -u2 err; exit 4"), "--quiet")

    assert (done.returncode, done.stdout, done.stderr) == (4, "out\n", "err\n")


@pytest.mark.parametrize(
    ("script", "code"),
    [("exit 0", 0), ("exit 3", 3), ("kill -KILL $$", 137), ("kill -TERM $$", 143)],
)
def test_the_exit_code_is_the_scripts(cli, script, code):
    assert cli.execute(cli.add("Exit", script)).returncode == code


def test_a_run_that_takes_too_long_exits_with_124(cli):
    done = cli.execute(cli.add("Slow", "sleep 60"), "--timeout", "0.5")

    assert done.returncode == 124
    assert "Script execution timed out after 0.5 seconds" in done.stderr


def test_missing_inputs_exit_with_65_and_name_the_line(cli):
    file = cli.add("Needs", "print $STAGE", inputs="STAGE: where to")
    done = cli.execute(file)

    assert (done.returncode, done.stdout) == (65, "")
    assert f"{file}:5: error: Required environment variable not set: STAGE" in done.stderr


def test_a_runbook_that_is_none_exits_with_65(cli):
    (cli.runbooks / "Empty.md").write_text("# Empty\n")
    done = cli.execute("Empty.md")

    assert done.returncode == 65
    assert "Missing required section: Script" in done.stderr


@pytest.mark.parametrize("name", ["missing.md", "folder", "notes.txt", ""])
def test_what_is_no_runbook_exits_with_66(cli, name):
    (cli.folder / "folder").mkdir()
    (cli.folder / "notes.txt").write_text("# Notes")
    done = cli.execute(name)

    assert (done.returncode, done.stdout) == (66, "")
    assert done.stderr.startswith("runbook: error: ")


def test_bad_settings_exit_with_78(cli):
    file = cli.add("Greet", "print hello")
    done = cli.execute(file, environment={"SCRIPT_TIMEOUT_SECONDS": "soon"})

    assert (done.returncode, done.stdout) == (78, "")
    assert "SCRIPT_TIMEOUT_SECONDS" in done.stderr


def test_a_data_dir_inside_the_runbooks_exits_with_78(cli):
    file = cli.add("Greet", "print hello")
    done = cli.execute(file, environment={"DATA_DIR": str(cli.runbooks / "data")})

    assert done.returncode == 78
    assert "DATA_DIR" in done.stderr


# -- JSON ----------------------------------------------------------------------------------------


def test_json_prints_every_event_and_done_last(cli):
    done, events = cli.events(cli.add("Greet", "print out; print -u2 err; exit 2"))

    assert done.returncode == 2
    assert done.stderr == ""
    assert [event["n"] for event in events] == list(range(1, len(events) + 1))
    assert [event["type"] for event in events][:2] == ["queued", "started"]
    output = {event["stream"]: event["text"] for event in events if "stream" in event}
    assert output == {"stdout": "out\n", "stderr": "err\n"}
    last = events[-1]
    assert (last["type"], last["status"], last["return_code"]) == ("done", "failed", 2)
    assert last["run_id"] == cli.runs()[0]["id"]


def test_json_of_an_invalid_run_ends_with_done_too(cli):
    done, events = cli.events(cli.add("Needs", "print x", inputs="STAGE: where to"))

    assert done.returncode == 65
    assert (events[-1]["type"], events[-1]["status"]) == ("done", "invalid")
    assert events[-1]["errors"] == ["Required environment variable not set: STAGE"]


def test_json_of_a_refusal_is_one_done_event(cli):
    file = cli.add("Secret", "print x", claims="roles: admin")
    done, events = cli.events(file, environment={"ENFORCE_CLAIMS": "true"})

    assert done.returncode == 77
    (only,) = events
    assert (only["type"], only["status"], only["return_code"]) == ("done", "refused", 403)


# -- inputs and secrets --------------------------------------------------------------------------


def test_inputs_come_from_options_before_the_file_before_the_environment(cli):
    file = cli.add("Show", "print $A $B $C $D", inputs="A: a\nB: b\nC: c\nD: d")
    (cli.folder / "test.env").write_text("A=file\nB=file\nC='from file'\n")
    environment = dict.fromkeys("ABCD", "environment")
    done = cli.execute(file, "--env", "A=option", "--env-file", "test.env", environment=environment)

    assert done.stdout == "option file from file environment\n"


def test_the_environment_reaches_a_script_only_where_it_is_declared(cli):
    file = cli.add("Env", "env", inputs="DECLARED: yes")
    done = cli.execute(file, environment={"DECLARED": "1", "OTHER": "2", "RUNBOOK_TOKEN": ""})

    assert "DECLARED=1" in done.stdout
    assert "OTHER=" not in done.stdout
    assert "DATA_DIR=" not in done.stdout


def test_an_input_that_is_not_declared_is_refused(cli):
    done = cli.execute(cli.add("Greet", "print hello"), "--env", "OTHER=1")

    assert done.returncode == 65
    assert "OTHER" in done.stderr


@pytest.mark.parametrize("way", ["file", "stdin"])
def test_a_secret_is_used_and_nowhere_seen(cli, way):
    file = cli.add("Login", 'print "got ${#PASSWORD} $PASSWORD"', inputs="PASSWORD: a password")
    (cli.folder / "password").write_text("correct-horse-battery\n")
    stdin = "correct-horse-battery\n" if way == "stdin" else None
    value = "-" if way == "stdin" else "@password"
    done = cli.execute(file, "--secret", f"PASSWORD={value}", stdin=stdin)

    assert done.returncode == 0
    assert done.stdout.startswith("got 21 ")
    everything = done.stdout + done.stderr + Path(file).read_text() + json.dumps(cli.runs())
    assert "correct-horse" not in everything
    assert not any(
        b"correct-horse" in path.read_bytes() for path in cli.data.rglob("*") if path.is_file()
    )


def test_no_process_shows_a_secret(cli):
    file = cli.add("Wait", "print ready; sleep 60", inputs="PASSWORD: a password")
    (cli.folder / "password").write_text("correct-horse-battery")
    environment = {"JWT_SECRET": JWT_SECRET, "RUNBOOK_TOKEN": "", "OTHER": "very-own-value"}
    process = cli.start(
        "execute", "--runbook", file, "--secret", "PASSWORD=@password", environment=environment
    )
    with process:
        wait_for_line(process.stdout, "ready")
        guardian = psutil.Process(process.pid)
        engines = guardian.children()
        shown = [
            Path(f"/proc/{item.pid}/{name}").read_bytes()
            for item in (guardian, *engines)
            for name in ("environ", "cmdline")
        ]
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=2 * PATIENCE_S)

    assert engines
    assert not any(
        secret.encode() in text
        for text in shown
        for secret in (JWT_SECRET, "correct-horse", "very-own-value")
    )


def test_a_secret_of_a_command_line_is_refused_without_repeating_it(cli):
    done = cli.execute(cli.add("Greet", "print x"), "--secret", "PASSWORD=hunter2-hunter2")

    assert done.returncode == 2
    assert "hunter2" not in done.stdout + done.stderr


# -- who may -------------------------------------------------------------------------------------


def mint(cli, *args):
    made = cli.run("token", *args, environment={"JWT_SECRET": JWT_SECRET})
    assert made.returncode == 0, made.stderr
    return made.stdout


def test_claims_do_not_bind_the_person_at_this_machine(cli):
    done = cli.execute(cli.add("Secret", "print x", claims="roles: admin"))

    assert done.returncode == 0
    assert cli.runs()[0]["by"].startswith("local:")


def test_claims_bind_where_they_are_enforced_and_the_refusal_is_recorded(cli):
    file = cli.add("Secret", "print x", claims="roles: admin")
    done = cli.execute(file, environment={"ENFORCE_CLAIMS": "true"})

    assert (done.returncode, done.stdout) == (77, "")
    assert "roles (not present)" in done.stderr
    assert "Exit Code: 403" in Path(file).read_text()
    assert cli.runs()[0]["status"] == "refused"


@pytest.mark.parametrize("way", ["stdin", "environment"])
@pytest.mark.parametrize(("role", "code"), [("admin", 0), ("sre", 77)])
def test_the_claims_of_a_token_bind(cli, way, role, code):
    file = cli.add("Secret", "print x", claims="roles: admin")
    token = mint(cli, "--subject", "ann", "--role", role)
    environment = {"JWT_SECRET": JWT_SECRET}
    if way == "stdin":
        done = cli.execute(file, "--token-stdin", stdin=token, environment=environment)
    else:
        done = cli.execute(file, environment=environment | {"RUNBOOK_TOKEN": token})

    assert done.returncode == code, done.stderr
    assert (cli.runs()[0]["by"], cli.runs()[0]["origin"]) == ("ann", "cli")
    assert token.strip() not in done.stdout + done.stderr + Path(file).read_text()


def test_a_token_that_is_not_valid_is_refused(cli):
    file = cli.add("Greet", "print x")
    environment = {"JWT_SECRET": JWT_SECRET, "RUNBOOK_TOKEN": "not.a.token"}
    done = cli.execute(file, environment=environment)

    assert (done.returncode, done.stdout) == (77, "")
    assert cli.runs() == []


def test_a_token_needs_a_secret_worth_the_name(cli):
    file = cli.add("Greet", "print x")
    environment = {"JWT_SECRET": "changeme", "RUNBOOK_TOKEN": "a.b.c"}

    assert cli.execute(file, environment=environment).returncode == 78


# -- ends ----------------------------------------------------------------------------------------

TRAP = """\
trap 'print cleaned; exit 9' INT
print ready
while true; do sleep 0.05; done"""
STUBBORN = """\
trap 'print asked' INT
trap 'print told' TERM
print ready
while true; do sleep 0.05; done"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_cancels_and_waits_for_the_scripts_own_end(cli, number):
    file = cli.add("Trap", TRAP)
    with cli.start("execute", "--runbook", file) as process:
        wait_for_line(process.stdout, "ready")
        process.send_signal(number)
        stdout, stderr = process.communicate(timeout=2 * PATIENCE_S)

    assert process.returncode == 130
    assert "cleaned" in stdout
    assert "Trap.md cancelled" in stderr
    run = cli.runs()[0]
    assert run["status"] == "cancelled"
    assert run["cancel_requested_by"].startswith("local:")


AT_A_TERMINAL = "import os, sys; os.login_tty(0); os.execv(sys.executable, sys.argv[1:])"


def test_control_c_at_a_terminal_counts_once(cli):
    """The terminal signals the whole group, so both of our processes."""
    file = cli.add("Trap", TRAP)
    ours, theirs = os.openpty()
    command = [sys.executable, "-m", "runbook", "execute", "--runbook", file]
    with subprocess.Popen(
        [sys.executable, "-c", AT_A_TERMINAL, *command], stdin=theirs, env=cli.environment
    ) as process:
        os.close(theirs)
        with open(ours, "r+b", buffering=0) as terminal:
            shown = read_until(terminal, b"ready")
            terminal.write(b"\x03")
            shown = read_until(terminal, b"cancelled")
        process.wait(2 * PATIENCE_S)

    assert process.returncode == 130
    assert b"cleaned" in shown


def read_until(terminal, text):
    shown = b""
    while text not in shown:
        piece = terminal.read(4096)
        assert piece, shown
        shown += piece
    return shown


def test_a_signal_that_comes_to_each_process_of_the_group_counts_once(cli):
    file = cli.add("Trap", TRAP)
    with cli.start("execute", "--runbook", file, start_new_session=True) as process:
        wait_for_line(process.stdout, "ready")
        os.killpg(process.pid, signal.SIGTERM)
        stdout, _ = process.communicate(timeout=2 * PATIENCE_S)

    assert process.returncode == 130
    assert "cleaned" in stdout


def test_a_second_signal_kills_at_once(cli):
    file = cli.add("Stubborn", STUBBORN)
    with cli.start("execute", "--runbook", file) as process:
        wait_for_line(process.stdout, "ready")
        while process.poll() is None:
            process.send_signal(signal.SIGINT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(0.5)
        stdout, _ = process.communicate()

    assert process.returncode == 130
    assert "told" not in stdout  # SIGTERM, which would have come before SIGKILL
    run = cli.runs()[0]
    assert (run["status"], run["return_code"]) == ("cancelled", -9)


def test_another_terminal_may_cancel_the_run(cli):
    file = cli.add("Slow", "print ready; sleep 60")
    with cli.start("execute", "--runbook", file) as process:
        wait_for_line(process.stdout, "ready")
        run_id = cli.runs()[0]["id"]
        cancelled = cli.run("cancel", run_id, "--wait")
        process.communicate(timeout=2 * PATIENCE_S)

    assert process.returncode == 130
    assert (cancelled.returncode, cancelled.stdout) == (0, f"run {run_id} finished: cancelled\n")


@pytest.mark.parametrize("victim", ["guardian", "engine"])
def test_no_script_outlives_the_processes_that_watch_it(cli, victim, nap, sleepers):
    file = cli.add("Slow", f"print $$; setsid sleep {nap} & sleep {nap}")
    with cli.start("execute", "--runbook", file) as process:
        script = psutil.Process(int(process.stdout.readline()))
        (engine,) = psutil.Process(process.pid).children()
        (process if victim == "guardian" else engine).kill()
        process.communicate(timeout=2 * PATIENCE_S)
        psutil.wait_procs([script, engine], timeout=2 * PATIENCE_S)

    assert process.returncode != 0
    assert not sleepers()
    assert cli.runs()[0]["status"] == ("interrupted" if victim == "guardian" else "lost")


def test_the_next_command_cleans_up_after_a_run_that_was_killed_with_its_guardian(
    cli, nap, sleepers
):
    script = f'print -r -- "$PASSWORD" > note; print begun; sleep {nap}'
    file = cli.add("Slow", script, inputs="PASSWORD:\n  description: p\n  type: secret")
    with cli.start("execute", "--runbook", file, environment={"PASSWORD": "hunter2"}) as process:
        assert process.stdout.readline() == "begun\n"
        (engine,) = psutil.Process(process.pid).children()
        for victim in (psutil.Process(process.pid), engine):
            victim.suspend()
        for victim in (engine, psutil.Process(process.pid)):
            victim.kill()
        process.communicate(timeout=2 * PATIENCE_S)
        psutil.wait_procs([engine], timeout=2 * PATIENCE_S)
    assert len(list(cli.execution.glob("runbook-*/note"))) == 1

    assert cli.runs()[0]["status"] == "lost"
    assert not sleepers()
    assert list(cli.execution.iterdir()) == []


def test_a_reader_that_leaves_does_not_end_the_run(cli):
    script = f"print first; cat {cli.folder}/go; repeat 9999 print more; exit 5"
    file = cli.add("Chatty", script)
    os.mkfifo(cli.folder / "go")
    with cli.start("execute", "--runbook", file) as process:
        process.stdout.readline()
        process.stdout.close()
        (cli.folder / "go").write_text("")
        process.wait(2 * PATIENCE_S)
        stderr = process.stderr.read()

    assert process.returncode == 5
    assert "Broken pipe" not in stderr
    assert cli.runs()[0]["status"] == "failed"


@pytest.mark.parametrize(
    "streams", [">&-", ">/dev/full", "2>/dev/full", ">/dev/full 2>&1", "<&- >&- 2>&-"]
)
def test_streams_that_take_nothing_change_no_exit_code(cli, streams):
    file = cli.add("Both", "print one; print -u2 two; exit 7")
    command = f"exec '{sys.executable}' -m runbook execute --runbook '{file}' {streams}"
    done = subprocess.run(
        ["bash", "-c", command],
        env=cli.environment,
        cwd=cli.folder,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 7
    assert cli.runs()[0]["return_code"] == 7


def test_a_hang_up_does_not_end_a_run_under_nohup(cli):
    script = "print begun; while [[ ! -e $GATE ]]; do sleep 0.02; done"
    file, gate = cli.add("Gate", script, inputs="GATE: file"), cli.folder / "gate"
    execute = f"-m runbook execute --runbook '{file}' --env GATE={gate}"
    command = f"trap '' HUP; exec '{sys.executable}' {execute}"
    with subprocess.Popen(
        ["bash", "-c", command],
        env=cli.environment,
        cwd=cli.folder,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        wait_for_line(process.stdout, "begun")
        (engine,) = psutil.Process(process.pid).children()
        process.send_signal(signal.SIGHUP)
        engine.send_signal(signal.SIGHUP)
        gate.touch()
        process.stdout.read()
    assert process.returncode == 0


def test_a_slow_reader_does_not_slow_the_script(cli):
    file = cli.add("Chatty", f"repeat 20000 print {'x' * 100}; print > {cli.folder}/finished")
    os.mkfifo(cli.folder / "finished")
    with cli.start("execute", "--runbook", file) as process:
        (cli.folder / "finished").read_text()  # the script's last act; nobody has read its output
        stdout, _ = process.communicate(timeout=2 * PATIENCE_S)

    assert process.returncode == 0
    assert stdout.count("\n") == 20_000


# -- folders -------------------------------------------------------------------------------------


def test_a_file_elsewhere_needs_no_folder_to_exist(cli):
    folder = cli.folder / "elsewhere"
    file = cli.add("Greet", "print hello", folder=folder)
    done = cli.execute("elsewhere/Greet.md", environment={"RUNBOOKS_DIR": "/nowhere"})

    assert (done.returncode, done.stdout) == (0, "hello\n")
    assert "Exit Code: 0" in Path(file).read_text()


def test_a_file_in_a_folder_below_the_runbooks_has_its_path_as_ref(cli):
    cli.add("Greet", "print hello", folder=cli.runbooks / "deep" / "er")
    done = cli.execute("deep/er/Greet.md")

    assert done.returncode == 0
    assert cli.runs()[0]["runbook"] == "deep/er/Greet.md"


def test_a_data_dir_that_cannot_be_written_is_replaced_for_this_run(cli):
    (cli.folder / "file").write_text("")
    file = cli.add("Greet", "print hello")
    temporary = cli.folder / "tmp"
    temporary.mkdir()
    environment = {"DATA_DIR": str(cli.folder / "file" / "data"), "TMPDIR": str(temporary)}
    done = cli.execute(file, environment=environment)

    assert (done.returncode, done.stdout) == (0, "hello\n")
    assert re.search(r"^runbook: warning: .*DATA_DIR", done.stderr)
    assert list(temporary.iterdir()) == []


def test_a_run_that_is_recorded_nowhere_says_so(cli):
    (cli.folder / "file").write_text("")
    file = cli.add("Greet", "print hello")
    environment = {"DATA_DIR": str(cli.folder / "file" / "data"), "HISTORY": "store"}
    done = cli.execute(file, environment=environment)

    assert (done.returncode, done.stdout) == (0, "hello\n")
    assert len(re.findall(r"^runbook: warning: .*DATA_DIR", done.stderr, re.MULTILINE)) == 2


@pytest.mark.parametrize("name", ["keys", "wake"])
def test_a_file_where_a_folder_of_data_dir_belongs_exits_with_78(cli, name):
    cli.data.mkdir()
    (cli.data / name).touch()
    done = cli.execute(cli.add("Greet", "print hello"))

    assert (done.returncode, done.stdout) == (78, "")
    assert str(cli.data / name) in done.stderr


def test_nothing_is_left_of_a_run_but_its_record(cli):
    cli.execute(cli.add("Greet", "print hello > file"))

    assert list(cli.execution.iterdir()) == []
    assert list((cli.data / "wake").iterdir()) == []


def test_log_lines_appear_only_where_a_level_is_set(cli):
    file = cli.add("Greet", "print hello")
    done = cli.execute(file, environment={"LOGGING_LEVEL": "INFO"})
    lines = [json.loads(line) for line in done.stderr.splitlines() if line.startswith("{")]

    assert "run.record" in [line["event"] for line in lines]


def test_several_at_once_share_the_store_and_the_history(cli):
    file = cli.add("Greet", "print $N", inputs="N: a number")
    outputs = {}

    def execute(number):
        outputs[number] = cli.execute(file, "--env", f"N={number}", "-q").stdout

    threads = [threading.Thread(target=execute, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert outputs == {number: f"{number}\n" for number in range(4)}
    assert Path(file).read_text().count("Exit Code: 0") == 4
    assert cli.run("verify", file).returncode == 0


@pytest.mark.parametrize("below_runbooks_dir", [True, False])
def test_input_files_are_kept_and_copied(cli, tmp_path, below_runbooks_dir):
    folder = cli.runbooks if below_runbooks_dir else tmp_path / "elsewhere"
    (folder / "tools").mkdir(parents=True)
    (folder / "tools" / "run").write_text("#!/bin/sh\necho from a file\n")
    (folder / "tools" / "run").chmod(0o755)
    # What it changes is its copy.
    path = Path(cli.add("Show", "tools/run; echo changed > tools/run", folder=folder))
    path.write_text(path.read_text().replace("Input:\n", "Input:\n  - tools\n", 1))
    for _ in range(2):
        done = cli.execute(str(path))
        assert (done.returncode, done.stdout) == (0, "from a file\n"), done.stderr
    assert list(cli.execution.iterdir()) == []


def test_the_history_entry_on_standard_output(cli):
    file = cli.add("Job", "echo out; echo err >&2; exit 7")
    done = cli.run("execute", "--runbook", file, environment={"HISTORY": "stdout"})
    output, entry = done.stdout[:4], done.stdout[4:]
    assert (done.returncode, output) == (7, "out\n")
    document = Path(file).read_bytes()
    assert document.endswith(b"# History\n")
    # It is the one that the runbook would have got: a history that it begins verifies.
    Path(file).write_bytes(document + entry.encode())
    assert cli.run("verify", file).returncode == 0
    assert "Exit Code: 7" in entry
    assert re.search("^err$", entry, re.MULTILINE)
    listed = cli.run("execute", "--runbook", file, "--json", environment={"HISTORY": "stdout"})
    assert all(json.loads(line) for line in listed.stdout.splitlines())

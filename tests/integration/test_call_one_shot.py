"""`runbook call` in the script of a one-shot run: its engine process executes the child too."""

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from patience import PATIENCE_S

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
    """`runbook execute` in folders of its own, with nothing of our environment."""

    def __init__(self, folder):
        self.folder = folder
        self.runbooks, self.execution = folder / "runbooks", folder / "execution"
        self.tmp = folder / "tmp"
        for path in (self.runbooks, self.execution, self.tmp):
            path.mkdir()
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "TMPDIR": str(self.tmp),
            "RUNBOOKS_DIR": str(self.runbooks),
            "DATA_DIR": str(folder / "data"),
            "EXECUTION_DIR": str(self.execution),
            "JWT_SECRET": "a-secret-of-more-than-thirty-two-bytes!",
        }

    def add(self, name, script, *, inputs="", claims="", language="zsh"):
        claims = f"\n# Required Claims\n```yaml\n{claims}\n```\n" if claims else ""
        text = RUNBOOK.format(
            name=name, inputs=inputs, claims=claims, language=language, script=script
        )
        (self.runbooks / f"{name}.md").write_text(text)

    def start(self, *args, **environment):
        return subprocess.Popen(
            [sys.executable, "-m", "runbook", *args],
            env=self.environment | environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(self, *args, **environment):
        with self.start(*args, **environment) as process:
            stdout, stderr = process.communicate(timeout=2 * PATIENCE_S)
        return subprocess.CompletedProcess(args, process.returncode, stdout, stderr)

    def execute(self, name, *args, **environment):
        return self.run("execute", "--runbook", f"{name}.md", *args, **environment)

    def runs(self):
        return json.loads(self.run("runs", "--json").stdout)["runs"]

    def left_behind(self):
        return [*self.execution.iterdir(), *self.tmp.iterdir()]


@pytest.fixture
def cli():
    """In a folder with a short path, which a socket's must be."""
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="call-") as folder:
        found = CommandLine(Path(folder))
        yield found
        assert found.left_behind() == []


def test_calls_go_three_levels_deep(cli):
    cli.add("A", 'print -n "from B: "; runbook call B.md X=1; print $?')
    cli.add("B", 'print "in B, X is $X"; runbook call C.md; print after', inputs="X: x")
    cli.add("C", "import runbook\nprint('in C', runbook.call('D.md'))", language="python")
    cli.add(
        "D",
        "print in D; [[ -S $RUNBOOK_SOCKET ]] && print a socket; stat -c %a ${RUNBOOK_SOCKET:h}",
    )
    done = cli.execute("A")

    assert done.returncode == 0
    assert done.stdout == "from B: {}\n0\n"
    lines = done.stderr.splitlines()
    assert [re.sub(r" (run|after) \S+( s)?$", "", line) for line in lines[:-1]] == [
        "┌ B.md",
        "┊ in B, X is 1",
        "┊ ┌ C.md",
        "┊ ┊ ┌ D.md",
        "┊ ┊ ┊ in D",
        "┊ ┊ ┊ a socket",
        "┊ ┊ ┊ 700",
        "┊ ┊ └ D.md succeeded",
        "┊ ┊ in C {}",
        "┊ └ C.md succeeded",
        "┊ {}",
        "┊ after",
        "└ B.md succeeded",
    ]
    runs = {run["runbook"]: run for run in cli.runs()}
    assert [len(runs[f"{name}.md"]["chain"]) for name in "ABCD"] == [1, 2, 3, 4]
    assert {run["root_id"] for run in runs.values()} == {None, runs["A.md"]["id"]}
    assert "| Exit Code: 0" in (cli.runbooks / "D.md").read_text()


@pytest.mark.parametrize(
    "stack", ["", "RUNBOOK_RECURSION_STACK= ", "env -u RUNBOOK_RECURSION_STACK "]
)
def test_a_cycle_is_refused(cli, stack):
    cli.add("A", f"{stack}runbook call B.md; print $?")
    cli.add("B", f"{stack}runbook call A.md; exit $?")
    done = cli.execute("A")

    assert done.stdout == "65\n"
    text = "Recursion detected: Runbook A.md already in execution chain: ['A.md', 'B.md']"
    assert f"┃ runbook: error: {text}\n" in done.stderr


def test_a_stack_in_the_request_counts_too(cli):
    cli.add("A", """RUNBOOK_RECURSION_STACK='["B.md"]' runbook call B.md; print $?""")
    cli.add("B", "print never")
    done = cli.execute("A")
    assert done.stdout == "65\n"
    assert "Recursion detected: Runbook B.md" in done.stderr


@pytest.mark.parametrize(
    ("call", "code", "words"),
    [
        ("Fails.md", 3, "└ Fails.md failed with return code 3"),
        ("Fails.md --quiet", 3, "runbook: error: Fails.md failed with return code 3\n"),
        ("Needs.md", 65, "runbook: error: Required environment variable not set: X\n"),
        ("Needs.md Y=1", 65, "runbook: error: "),
        ("None.md", 66, "runbook: error: "),
        ("../A.md", 66, "runbook: error: "),
    ],
)
def test_what_goes_wrong_is_said_with_its_exit_code(cli, call, code, words):
    cli.add("A", f"runbook call {call}; print $?")
    cli.add("Fails", "exit 3")
    cli.add("Needs", "true", inputs="X: x")
    done = cli.execute("A")
    assert done.stdout == f"{code}\n"
    assert words in done.stderr


def test_the_callers_claims_bind(cli):
    cli.add("A", "runbook call Restricted.md; print $?")
    cli.add("Restricted", "print opened", claims="roles: sre")
    for role, code in (("viewer", 77), ("sre", 0)):
        token = cli.run("token", "--claim", f"roles={role}").stdout.strip()
        done = cli.execute("A", RUNBOOK_TOKEN=token)
        assert done.stdout.splitlines()[-1] == str(code), done.stderr
        assert ("opened" in done.stderr) is (code == 0)


def test_several_calls_run_side_by_side(cli):
    cli.add("A", "for n in 1 2 3; do runbook call B.md N=$n & done; wait")
    cli.add("B", "print $N > $RUNBOOK_EXEC_DIR_HOST/x", inputs="N: n")
    assert cli.execute("A").returncode == 0
    assert sorted(run["status"] for run in cli.runs()) == ["succeeded"] * 4


ASK = """
import json, os, socket
TOKEN = os.environ["RUNBOOK_API_TOKEN"]
with socket.socket(socket.AF_UNIX) as s:
    s.connect(os.environ["RUNBOOK_SOCKET"])
    s.sendall({data})
    s.shutdown(socket.SHUT_WR)
    print(s.makefile().read())
"""


def asking(**request):
    """A request with the token of the script's own run, as an expression of Python."""
    return f"json.dumps({request!r} | {{'token': TOKEN}}).encode() + b'\\n'"


@pytest.mark.parametrize(
    ("data", "code"),
    [
        ('b"\\n"', "bad_request"),
        ('b"x" * 100', "bad_request"),
        ('b"[1]\\n"', "bad_request"),
        ('b"[" * 5000 + b"\\n"', "bad_request"),
        ('b"{}\\n"', "invalid_token"),
        ('b\'{"token": "a.b.c", "op": "call", "ref": "A.md"}\\n\'', "invalid_token"),
        (asking(op="stop", ref="A.md"), "bad_request"),
        (asking(op="call"), "bad_request"),
        (asking(op="call", ref="A.md", recursion_stack="x"), "bad_request"),
        (asking(op="call", ref="A.md", recursion_stack='["A.md", 1]'), "bad_request"),
        (asking(op="call", ref="A.md", recursion_stack=["A.md"]), "bad_request"),
    ],
)
def test_a_request_that_is_none_is_refused(cli, data, code):
    cli.add("A", ASK.format(data=data), language="python")
    done = cli.execute("A")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["error"]["code"] == code


def test_a_callers_token_that_is_no_runs_is_refused(cli):
    token = cli.run("token", "--claim", "roles=sre").stdout.strip()
    asked = json.dumps({"token": token, "op": "call", "ref": "A.md"}).encode() + b"\n"
    cli.add("A", ASK.format(data=asked), language="python")
    assert json.loads(cli.execute("A").stdout)["error"]["code"] == "invalid_token"


def test_the_types_of_inputs_are_answered(cli):
    cli.add("A", ASK.format(data=asking(op="inputs", ref="B.md")), language="python")
    cli.add("B", "true", inputs="X: x")
    done = json.loads(cli.execute("A").stdout)
    assert done["properties"]["X"]["x-type"]


def test_a_caller_that_leaves_does_not_stop_its_child(cli):
    fifo = cli.folder / "fifo"
    os.mkfifo(fifo)
    cli.add(
        "A",
        f"runbook call B.md & read < {fifo}; kill -KILL $!; print > {fifo}; wait; "
        f"read line < {fifo}; print $line",
    )
    cli.add("B", f"print > {fifo}; read < {fifo}; print survived > {fifo}")
    assert cli.execute("A").stdout == "survived\n"


def test_a_socket_path_that_is_too_long_goes_elsewhere(cli):
    deep = cli.folder / ("d" * 80) / "execution"
    cli.add("A", "print $RUNBOOK_SOCKET; runbook call B.md")
    cli.add("B", "true")
    cli.environment["TMPDIR"] = "/tmp"
    done = cli.execute("A", EXECUTION_DIR=str(deep))
    assert done.returncode == 0, done.stderr
    path = done.stdout.splitlines()[0]
    assert path.startswith("/tmp/runbook-")
    assert not os.path.exists(os.path.dirname(path))
    assert list(deep.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_child_and_leaves_nothing(cli, number, nap, sleepers):
    cli.add("A", "runbook call B.md")
    cli.add("B", f"print begun; sleep {nap}")
    with cli.start("execute", "--runbook", "A.md") as process:
        for line in process.stderr:
            if "begun" in line:
                break
        process.send_signal(number)
        process.communicate(timeout=2 * PATIENCE_S)
    assert process.returncode == 130
    assert {run["status"] for run in cli.runs()} == {"cancelled"}
    assert not sleepers()


def test_no_more_than_so_many_calls_are_answered_at_once(cli):
    """Those who come later wait until a connection has ended; none of them is lost."""
    cli.add(
        "A",
        "import os, socket, threading\n"
        "idle = [socket.socket(socket.AF_UNIX) for _ in range(64)]\n"
        "for one in idle: one.connect(os.environ['RUNBOOK_SOCKET'])\n"
        "threading.Timer(0.2, lambda: [one.close() for one in idle]).start()\n"
        + ASK.format(data="b'{}\\n'"),
        language="python",
    )
    done = cli.execute("A")
    assert json.loads(done.stdout)["error"]["code"] == "invalid_token"

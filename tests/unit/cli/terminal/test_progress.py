"""The bar of progress: its line, and what a real terminal gets of a view."""

import fcntl
import io
import json
import os
import pty
import re
import struct
import subprocess
import sys
import termios

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patience import PATIENCE_S
from runbook.cli.terminal.escaping import escaped
from runbook.cli.terminal.progress import ProgressBar, bar_line, columns_of, shows_bars
from runbook.cli.terminal.render import width

PROGRAM = """
import json, os, sys
from runbook.cli.terminal.views import TextView
from runbook.core.events import EventType, RunEvent

view = TextView("A.md", quiet="--quiet" in sys.argv, environment=dict(os.environ))
for n, (kind, text, data) in enumerate(json.loads(sys.argv[1]), start=1):
    view.event(RunEvent(n, 0, EventType(kind), text, data, step=1 if kind == "step" else None))
view.ended({"runbook": "A.md", "status": "succeeded", "id": "7", "duration_ms": 100})
"""


def progress(percent, text):
    return ["progress", None, {"percent": percent, "text": text}]


def out(text, stream="stdout"):
    return [stream, text, None]


def step(name):
    return ["step", None, {"name": name, "state": "started"}]


# -- the line ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("percent", "text", "columns", "line"),
    [
        (40, "Cloning disk", 80, "[########------------] 40% Cloning disk"),
        (0, "", 80, "[--------------------] 0%"),
        (100, "done", 80, "[####################] 100% done"),
        (40, "Cloning disk", 31, "40% Cloning disk"),
        (40, "Cloning all the disks of it", 21, "40% Cloning all the…"),
        (None, "Cloning", 80, "Cloning"),
        (5, "日本語日本語", 12, "5% 日本語…"),
        (5, "a\x1b[2Jb\n", 80, "[#-------------------] 5% a\\x1b[2Jb\\n"),
    ],
)
def test_a_bar_is_one_line(percent, text, columns, line):
    assert bar_line(percent, text, columns) == line


@given(st.one_of(st.none(), st.floats(0, 100)), st.text(max_size=120), st.integers(11, 200))
def test_a_bar_never_wraps(percent, text, columns):
    line = bar_line(percent, text, columns)
    assert width(line) < columns
    assert escaped(line) == line


# -- where it is shown ---------------------------------------------------------------------------


@pytest.fixture
def terminal():
    """The two ends of a pseudo terminal of 60 columns."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 60, 0, 0))
    yield ours, theirs
    os.close(ours)
    os.close(theirs)


@pytest.mark.parametrize(
    ("term", "shown"), [("xterm-256color", True), ("dumb", False), ("", False), (None, False)]
)
def test_a_terminal_must_know_how(terminal, term, shown):
    environment = {} if term is None else {"TERM": term, "NO_COLOR": "1"}
    with open(terminal[1], "w", closefd=False) as stream:
        assert shows_bars(stream, environment) is shown
        assert columns_of(stream) == 60


def test_what_is_no_terminal_has_usual_columns_and_no_bar():
    assert columns_of(io.StringIO()) == 80
    assert not shows_bars(io.StringIO(), {"TERM": "xterm"})


def test_a_bar_that_was_never_set_is_not_drawn():
    stream = io.StringIO()
    bar = ProgressBar(stream)
    bar.draw()
    bar.clear()
    assert stream.getvalue() == ""


class Gone(io.StringIO):
    def flush(self):
        raise OSError(5, "Input/output error")


def test_a_terminal_that_is_gone_is_no_error():
    bar = ProgressBar(Gone())
    bar.set(40, "Cloning")
    bar.draw()
    bar.clear()


# -- a view at a terminal ------------------------------------------------------------------------


def view_at(terminal, events, *flags, term="xterm", **streams):
    """All that a terminal gets of these events, from a process of its own."""
    ours, theirs = terminal
    given = {"stdout": theirs, "stderr": theirs} | streams
    environment = {"PATH": os.environ["PATH"], "TERM": term, "LANG": "C.UTF-8"}
    command = [sys.executable, "-c", PROGRAM, json.dumps(events), *flags]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, env=environment, **given) as process:
        piped = process.stdout.read().decode() if process.stdout else ""
        piped += process.stderr.read().decode() if process.stderr else ""
        assert process.wait(PATIENCE_S) == 0
    os.write(theirs, b"\x04")
    data = b""
    while not data.endswith(b"\x04"):
        data += os.read(ours, 65536)
    return data[:-1].decode().replace("\r\n", "\n"), piped


def screen(data):
    """The lines that a terminal shows in the end."""
    lines = [""]
    for part in re.split(r"(\r\x1b\[K|\n)", data):
        if part == "\n":
            lines.append("")
        elif part.startswith("\r"):
            lines[-1] = ""
        else:
            lines[-1] += part
    return lines


BAR = "[########------------] 40% Cloning disk"


def test_a_bar_is_drawn_and_gone_in_the_end(terminal):
    data, _ = view_at(terminal, [progress(40, "Cloning disk"), progress(80, "Booting")])
    assert f"\r\x1b[K{BAR}\r\x1b[K[################----] 80% Booting\r\x1b[K" in data
    assert screen(data) == ["runbook: A.md succeeded after 0.1 s; run 7", ""]


def test_output_stands_above_the_bar(terminal):
    events = [progress(40, "Cloning disk"), out("one\n"), out("two\n", "stderr"), step("Boot")]
    data, _ = view_at(terminal, events)
    assert screen(data)[:3] == ["one", "two", "runbook: step 1: Boot"]
    assert data.count(BAR) == 4
    assert "%" not in "".join(screen(data))


def test_an_open_line_is_not_cut_in_two(terminal):
    events = [out("an open "), progress(40, "Cloning disk"), out("line\n"), out("next\n")]
    data, _ = view_at(terminal, events)
    assert screen(data)[:2] == ["an open line", "next"]
    assert data.index("line\n") < data.index(BAR)


def test_output_that_goes_elsewhere_opens_no_line_here(terminal):
    events = [out("an open "), progress(40, "Cloning disk")]
    data, piped = view_at(terminal, events, stdout=subprocess.PIPE)
    assert piped == "an open "
    assert BAR in data


def test_a_dumb_terminal_gets_lines(terminal):
    events = [progress(40, "Cloning disk"), progress(40, "Cloning disk"), progress(80, "Booting")]
    data, _ = view_at(terminal, events, term="dumb")
    assert screen(data)[:2] == ["runbook: 40% Cloning disk", "runbook: 80% Booting"]
    assert len(screen(data)) == 4
    assert "\x1b" not in data


def test_a_pipe_gets_a_line_for_each_change(terminal):
    events = [progress(40, "Cloning disk")] * 3 + [progress(None, "Booting"), progress(None, "")]
    _, piped = view_at(terminal, events, stderr=subprocess.PIPE)
    assert piped.splitlines()[:-1] == ["runbook: 40% Cloning disk", "runbook: Booting"]


@pytest.mark.parametrize("streams", [{}, {"stderr": subprocess.PIPE}])
def test_who_wants_quiet_gets_no_progress(terminal, streams):
    events = [progress(40, "Cloning disk"), step("Boot"), out("printed\n")]
    data, piped = view_at(terminal, events, "--quiet", **streams)
    assert (data, piped) == ("printed\n", "")

"""Signals of programs that engine processes are, and of those that they start."""

import signal
import subprocess
import sys

import pytest

from runbook.host.signals import STRAY, ignored_at_start

SHOW = """
import signal, subprocess, sys
from runbook.host import signals
signals.keep_ignoring()
signals.disregard(signals.STRAY)
ready = subprocess.run(["grep", "SigIgn", "/proc/self/status"], capture_output=True, text=True)
print(ready.stdout.split()[1], flush=True)
input()
print("alive")
"""


@pytest.fixture
def program():
    """A program that was started to ignore SIGHUP and SIGQUIT, as by nohup in the background."""
    shell = f"trap '' HUP QUIT; exec '{sys.executable}' -c '{SHOW}'"
    with subprocess.Popen(
        ["bash", "-c", shell], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield process
        process.kill()


def test_ignored_and_stray_signals_do_nothing_and_scripts_have_their_default_actions(program):
    bits = int(program.stdout.readline(), 16)
    # Those that programs can change: make starts its own with a signal of the C library ignored.
    ignored = {number for number in signal.valid_signals() if bits >> (number - 1) & 1}
    assert ignored <= {signal.SIGPIPE, signal.SIGXFSZ}

    for number in (signal.SIGHUP, signal.SIGQUIT, *sorted(STRAY)):
        program.send_signal(number)
    out, _ = program.communicate("\n")
    assert out == "alive\n"


def test_what_a_process_handles_it_does_not_ignore():
    before = signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    try:
        assert ignored_at_start({signal.SIGUSR1, signal.SIGUSR2}) == {signal.SIGUSR1}
    finally:
        signal.signal(signal.SIGUSR1, before)

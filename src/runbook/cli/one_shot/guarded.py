"""What the engine processes of the command line have in common: a guardian has started them."""

from __future__ import annotations

import signal
import sys
from types import FrameType
from typing import Protocol

import click

from runbook.cli.commands import Invocation, exit_code_of
from runbook.host import guard
from runbook.host.proctable import become_subreaper


class Interruptible(Protocol):
    """What signals end. Both may be called from a signal handler."""

    def interrupt(self) -> None:
        """End what goes on, and give it time to end."""

    def abandon(self) -> None:
        """The guardian is gone: kill the script at once."""


def obey_signals(target: Interruptible) -> None:
    """A signal interrupts; the guardian's end kills."""

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        target.interrupt()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, on_signal)
    lifeline = guard.take_lifeline()
    if lifeline is not None:
        guard.watch_lifeline(lifeline, target.abandon)


def run_guarded(command: click.Command) -> None:
    """Run a command in this process, which a guardian has started for it."""
    environment = guard.seal_environment()
    guard.make_undumpable()
    become_subreaper()
    called = Invocation(tuple(sys.argv[1:]), environment)
    sys.exit(exit_code_of(lambda: command.main(obj=called, standalone_mode=False)))

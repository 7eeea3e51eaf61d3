"""Common parts of the command line's engine processes, which a guardian starts."""

from __future__ import annotations

import signal
from collections.abc import Mapping, Sequence
from types import FrameType
from typing import Protocol

import click

from runbook.cli.commands import PROGRAM, Invocation, exit_code_of
from runbook.host import garbage, guard, signals
from runbook.host.proctable import become_subreaper


class Interruptible(Protocol):
    """Something that signals stop. Both methods may be called from a signal handler."""

    def interrupt(self) -> None:
        """Stop the current work gracefully."""

    def abandon(self) -> None:
        """Kill the script, because the guardian is gone."""


def obey_signals(target: Interruptible) -> None:
    """Interrupt the target on a signal, and abandon it if the guardian dies.

    Signals that the command was started to ignore, as by `nohup`, don't interrupt it.
    """

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        target.interrupt()

    obeyed = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
    ignored = signals.ignored_at_start(obeyed)
    signals.keep_ignoring()
    signals.disregard(signals.STRAY)
    for number in obeyed - ignored:
        signal.signal(number, on_signal)
    lifeline = guard.take_lifeline()
    if lifeline is not None:
        guard.watch_lifeline(lifeline, target.abandon)


def run_guarded(
    command: click.Command, shown: str, arguments: Sequence[str], environment: Mapping[str, str]
) -> int:
    """Run a command in this process, which a guardian has started. Returns the exit code.

    `shown` is the command that the user typed, for messages.
    """
    guard.make_undumpable()
    become_subreaper()
    garbage.resume(garbage.RARELY)
    called = Invocation(tuple(arguments), environment)
    return exit_code_of(lambda: _main(command, shown, called))


def _main(command: click.Command, shown: str, called: Invocation) -> object:
    name = f"{PROGRAM} {shown}"
    return command.main(called.arguments, name, standalone_mode=False, obj=called)

"""The process of a running script, with everything that it starts."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from typing import IO, cast

from runbook.core.events import EventType
from runbook.engine.process.family import Family
from runbook.engine.process.report import Report
from runbook.engine.process.start import ProcessStartError, Started
from runbook.host.proctable import ProcessEntry

_ENDING_S = 0.02
"""Time in which a process that has closed its output ends."""


class Child:
    """The script's process and its family. Reaped last, so that its ID isn't reused before."""

    def __init__(self, process: Started, family: Family, report: Report | None) -> None:
        family.lead(process.pid, sandboxed=report is not None)
        self.process = process
        self.family = family
        self.report = report
        self.return_code: int = -signal.SIGKILL
        self.exited = False
        self.background: list[ProcessEntry] = []
        self._alone = False

    def pipes(self) -> list[tuple[EventType, IO[bytes]]]:
        out, err = self.process.stdout, self.process.stderr
        return [(EventType.STDOUT, cast(IO[bytes], out)), (EventType.STDERR, cast(IO[bytes], err))]

    def note_exit(self) -> None:
        """See how the process ended, without reaping it."""
        self.exited = True
        if self.report is not None:
            self.report.read()
            self._note_report(self.report)
            return
        with suppress(ChildProcessError):  # SIGCHLD is ignored: see become_subreaper
            how = os.waitid(os.P_PID, self.process.pid, os.WEXITED | os.WNOWAIT)
            if how is not None:
                exited = how.si_code == os.CLD_EXITED
                self.return_code = how.si_status if exited else -how.si_status

    def note_report(self) -> bool:
        """Read what the sandbox reports; False if there won't be more."""
        report = cast(Report, self.report)
        goes_on = report.read()
        self._note_report(report)
        return goes_on

    def _note_report(self, report: Report) -> None:
        if report.return_code is not None and not self.exited:
            self.exited = True
        if report.return_code is not None:
            self.return_code = report.return_code

    def check_start(self) -> None:
        """Raises ProcessStartError if the sandbox didn't start the script."""
        problem = self.report.problem if self.report is not None else None
        if problem is not None:
            raise ProcessStartError(f"The script could not be started: {problem}")

    def kill(self) -> None:
        """Kill all living processes."""
        self.family.kill()

    def kill_leftovers(self) -> None:
        """Kill what the script left. What is about to end may do so, and isn't reported."""
        found = self.family.kill(grace_s=_ENDING_S)
        if self.exited:
            self.background = found
        self._alone = True

    def end(self) -> None:
        """Clean up all processes, zombies and open pipes."""
        try:
            if not self._alone:
                self.kill()
        finally:
            for _, pipe in self.pipes():
                pipe.close()
            if self.report is not None:
                self.report.close()
            self.process.poll()

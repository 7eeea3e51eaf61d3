"""Kills workers, but not so many young ones in a row that the supervisor gives up."""

import os
import time

from patience import PATIENCE_S
from runbook.host.proctable import read_process
from runbook.host.supervisor import MOST_QUICK_DEATHS, QUICK_DEATH_SECONDS

WORKER = "runbook.worker"


class YoungWorkers:
    """The workers of a server, and how many in a row were killed young."""

    def __init__(self, server):
        self._server = server
        self._in_a_row = 0

    def make_room(self, kills=1):
        """Before so many kills: wait for a worker that is old enough, if they would be too many."""
        if self._in_a_row + kills < MOST_QUICK_DEATHS:
            return
        deadline = time.monotonic() + QUICK_DEATH_SECONDS + PATIENCE_S
        while not any(map(_is_old, self._server.children(WORKER))):
            self._server.assert_running()
            assert time.monotonic() < deadline, "no worker lives long enough to be killed"
            time.sleep(0.05)  # nothing says that a process has lived for some time

    def kill(self, worker):
        self._in_a_row = 0 if _is_old(worker) else self._in_a_row + 1
        worker.kill()


def _is_old(worker):
    """Whether the supervisor takes its death for one of a worker that had started."""
    entry = read_process(worker.pid)
    if entry is None:
        return False
    born_s = entry.started / os.sysconf("SC_CLK_TCK")
    return time.clock_gettime(time.CLOCK_BOOTTIME) - born_s > QUICK_DEATH_SECONDS

import dataclasses
import uuid

import pytest

from runbook.engine import upkeep
from runbook.engine.process.workspace import directory_of
from runbook.engine.upkeep import DAY_MS, Upkeep


@pytest.fixture
def shifted(workshop):
    """The upkeep of a process whose clock is wrong by some days, over a database with one run."""
    workshop.write("Quick")
    workshop.register()
    workshop.submit("Quick.md")
    workshop.execute()
    workshop.store.workers.remove("w")
    parts, true_clock = workshop.engine.parts, workshop.engine.parts.clock

    class Process(Upkeep):
        days = 0

        def __init__(self, days):
            self.days = days
            super().__init__(dataclasses.replace(parts, clock=self._now))

        def _now(self):
            return true_clock() + self.days * DAY_MS

    def start(days):
        process = Process(days)
        for component in (parts.store.leases, parts.store.maintenance):
            component._clock = process._now
        return process

    return start


def runs(workshop):
    return len(workshop.store.runs.page().runs)


def test_a_start_with_a_clock_far_ahead_purges_nothing_for_a_day(workshop, shifted):
    for process in (shifted(100), shifted(100)):  # also after a restart
        process.check_clock_at_start()
        process.purge_runs(90)
        process.purge_audit(1)
    assert runs(workshop) == 1

    process = shifted(102)  # the clock was right: the server was off for long
    process.purge_runs(90)
    assert runs(workshop) == 0


def test_a_clock_that_jumps_ahead_while_the_worker_runs_purges_nothing(workshop, shifted):
    process = shifted(0)
    process.check_clock_at_start()
    process.days = 100
    process.purge_runs(90)
    assert runs(workshop) == 1

    process.days = 0  # it was set right
    process.purge_runs(0)
    assert runs(workshop) == 0


def test_a_clock_that_passes_normally_lets_old_runs_go(workshop, shifted, monkeypatch):
    process = shifted(0)
    process.check_clock_at_start()
    process.days = 100
    boottime = upkeep.time.clock_gettime_ns
    later = 100 * DAY_MS * 1_000_000
    monkeypatch.setattr(upkeep.time, "clock_gettime_ns", lambda clock: boottime(clock) + later)
    process.purge_runs(90)
    assert runs(workshop) == 0


def test_only_the_directories_of_active_runs_stay(workshop):
    workshop.write("Quick")
    workshop.register()
    active, ended = workshop.submit("Quick.md"), workshop.submit("Quick.md")
    folder = workshop.settings.execution_dir
    directories = [directory_of(folder, run_id) for run_id in (active.id, ended.id, uuid.uuid4())]
    workshop.claim()
    workshop.execute()
    for directory in directories:
        directory.mkdir()

    workshop.engine.upkeep.remove_stale_directories()

    assert list(folder.iterdir()) == directories[:1]

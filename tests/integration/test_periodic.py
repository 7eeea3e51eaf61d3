"""Two real workers of one store: what concerns the store is done by one of them at a time."""

import json
import os
import queue
import subprocess
import sys
import threading
from collections import Counter
from datetime import datetime

import pytest

from patience import PATIENCE_S
from runbook.worker.periodic import REAP_SECONDS


class WorkerProcess:
    """A worker as `runbook serve` starts it. What it logs goes to a queue that both have."""

    def __init__(self, environment, logged):
        self._process = subprocess.Popen(
            [sys.executable, "-m", "runbook.worker"],
            env=environment,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, args=(logged,))
        self._reader.start()
        self.id = ""

    def _read(self, logged):
        for line in self._process.stderr:
            if line.startswith("{"):
                event = json.loads(line)
                self.id = self.id or event.get("worker_id", "")
                logged.put(event)

    def kill(self):
        self._process.kill()
        self.wait()

    def stop(self):
        self._process.terminate()
        self.wait()

    def wait(self):
        self._process.wait(PATIENCE_S)
        self._reader.join(PATIENCE_S)
        self._process.stderr.close()


@pytest.fixture
def logged():
    return queue.Queue()


@pytest.fixture
def two(tmp_path, logged):
    (tmp_path / "runbooks").mkdir()
    environment = {
        "RUNBOOKS_DIR": str(tmp_path / "runbooks"),
        "DATA_DIR": str(tmp_path / "data"),
        "EXECUTION_DIR": str(tmp_path / "execution"),
        "LOGGING_LEVEL": "DEBUG",
        "PATH": os.environ["PATH"],
    }
    workers = [WorkerProcess(environment, logged) for _ in range(2)]
    yield workers
    for worker in workers:
        worker.stop()


@pytest.fixture
def done(logged):
    """The tasks that are done next, until there are so many of a name."""

    def until(name, count):
        seen = []
        while sum(event["task"] == name for event in seen) < count:
            event = logged.get(timeout=2 * PATIENCE_S)
            if event["event"] == "task.done":
                seen.append(event)
            assert event["event"] != "task.failed"
        return seen

    return until


def seconds_from_first_to_last(events):
    times = sorted(datetime.fromisoformat(event["time"]) for event in events)
    return (times[-1] - times[0]).total_seconds()


def test_each_task_is_done_once_per_interval_also_when_a_worker_dies(two, done):
    tasks = done("reap", 4)
    counted = Counter(event["task"] for event in tasks)
    assert counted["purge"] == 1
    assert counted["purge-artifacts"] == counted["remove-stale-directories"] == 2
    reaps = [event for event in tasks if event["task"] == "reap"]
    # Three intervals, where each on its own would do four in little more than one.
    assert seconds_from_first_to_last(reaps) > 2 * REAP_SECONDS

    holder = reaps[-1]["worker_id"]
    (dead,) = [worker for worker in two if worker.id == holder]
    (alive,) = [worker for worker in two if worker is not dead]
    dead.kill()

    taken_over = [event for event in done("reap", 2) if event["task"] == "reap"]
    assert {event["worker_id"] for event in taken_over} == {alive.id}

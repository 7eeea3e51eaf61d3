"""Worker processes that compete for runs and locks, while some of them are killed.

`python contention.py --runs 2000 --locks 50` shows it on SQLite and on a PostgreSQL of its own;
the tests do the same with fewer runs.
"""

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import psutil
import sqlalchemy as sa

import databases
from patience import PATIENCE_S
from runbook.bootstrap import build_engine
from runbook.core.access import Principal
from runbook.core.permissions import ALL_GRANTS
from runbook.core.run import Origin
from runbook.engine.requests import ExecuteRequest
from runbook.engine.wakeups import ANY_RUN, Role
from runbook.settings import Settings
from runbook.store.models import RunFilter
from runbook.store.tables import locks

# Who finds the file locked shares the lock with somebody. The kernel unlocks it when the script
# ends, however it does.
RUNBOOK = """\
# Contends

# Environment Requirements
```yaml
LOCK: {{type: string}}
```

# File System Requirements
```yaml
```

# Policy
```yaml
locks: ${{LOCK}}
```

# Script
```zsh
zmodload zsh/system zsh/zselect
print $RUNBOOK_RUN_ID >> {folder}/started
: >> {folder}/held/$LOCK
zsystem flock -t 0 {folder}/held/$LOCK || print "$LOCK $RUNBOOK_RUN_ID" >> {folder}/twice
zselect -t 1 || true
```

# History
"""
WORKER = """
import os, sys
from runbook.host.guard import guard_program
sys.exit(guard_program([sys.executable, "-m", "runbook.worker"], dict(os.environ)))
"""
CALLER = Principal("ann", Origin.API, grants=ALL_GRANTS)
WORKERS = 8


@dataclass
class Report:
    """`started` counts the starts of each run's script; `shared` is what should not be."""

    statuses: Counter
    started: Counter
    shared: list[str]
    seconds: float

    def check(self, runs):
        """Each run was executed once; whose worker was killed, once at most."""
        assert self.statuses.total() == runs
        assert set(self.statuses) <= {"succeeded", "lost"}, self.statuses
        assert set(self.started.values()) == {1}, self.started.most_common(3)
        assert self.statuses["succeeded"] <= self.started.total() <= runs
        assert self.shared == []


class Contention:
    """A database, folders of one host or of two, and worker processes on them."""

    def __init__(self, folder, url, *, hosts):
        self.folder = folder
        for name in ("runbooks", "held", "execution"):
            (folder / name).mkdir()
        (folder / "runbooks" / "Contends.md").write_text(RUNBOOK.format(folder=folder))
        self._environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "RUNBOOKS_DIR": str(folder / "runbooks"),
            "EXECUTION_DIR": str(folder / "execution"),
            "DATABASE_URL": url,
            "HISTORY": "store",
            # Where the scripts say that they have started, and hold their locks.
            "ISOLATION_WRITABLE": str(folder),
            "MAX_PARALLEL_RUNS": "4",
            "MAX_QUEUED_RUNS": "1000000",
            "LOGGING_LEVEL": "WARNING",
        }
        self._data = [folder / f"data-{number}" for number in range(hosts)]
        settings = Settings.load(self._of_host(0))
        self.engine = build_engine(settings, Role.FOLLOWER)
        self.engine.open()
        for data in self._data[1:]:
            shutil.copytree(self._data[0] / "keys", data / "keys")
        self._workers = []

    def submit(self, runs, locks):
        for number in range(runs):
            asked = ExecuteRequest(env_vars={"LOCK": f"lock-{number % locks}"})
            self.engine.submit("Contends.md", CALLER, asked)

    def start_worker(self):
        number = len(self._workers)
        with (self.folder / "log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-c", WORKER],
                env=self._of_host(number % len(self._data)),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._workers.append(process)

    def kill_worker(self):
        """Kill one that executes something; its guardian kills what it leaves behind."""
        running = set(self.engine.store.workers.run_counts())
        busy = {w.pid for w in self.engine.store.workers.all() if w.id in running}
        alive = [guardian for guardian in self._workers if guardian.poll() is None]
        random.shuffle(alive)
        for guardian in alive:
            for child in psutil.Process(guardian.pid).children():
                if child.pid in busy:
                    child.kill()
                    guardian.wait(PATIENCE_S)
                    return True
        return False

    def wait(self, runs, kills):
        """Until all runs have ended. Meanwhile workers are killed, and others come instead."""
        due = [runs * (number + 1) // (kills + 1) for number in range(kills)]
        ended, last_ended_at = 0, time.monotonic()
        with self.engine.wakeups.following(ANY_RUN) as news:
            while ended < runs:
                news.wait(1)
                news.clear()
                stats = self.engine.store.runs.queue_stats()
                now_ended = runs - stats.queued - stats.running - stats.waiting
                if now_ended > ended:
                    ended, last_ended_at = now_ended, time.monotonic()
                assert time.monotonic() - last_ended_at < 2 * PATIENCE_S, (stats, self.log())
                if due and ended >= due[0] and self.kill_worker():
                    del due[0]
                    self.start_worker()
        assert not due

    def stop(self):
        for guardian in self._workers:
            if guardian.poll() is None:
                guardian.send_signal(signal.SIGTERM)
        for guardian in self._workers:
            guardian.wait(PATIENCE_S)
        self.engine.close()

    def report(self, seconds):
        return Report(
            Counter(run.status.value for run in self._runs()),
            Counter(self._lines("started")),
            [*self._lines("twice"), *map(str, self._held())],
            seconds,
        )

    def log(self):
        return (self.folder / "log").read_text()[-2000:]

    def _of_host(self, number):
        return {**self._environment, "DATA_DIR": str(self._data[number])}

    def _runs(self):
        cursor = None
        while True:
            page = self.engine.store.runs.page(RunFilter(), cursor, limit=200)
            yield from page.runs
            cursor = page.next_cursor
            if cursor is None:
                return

    def _held(self):
        """Locks that nobody has given back."""
        return self.engine.store._database.read(lambda c: c.execute(sa.select(locks)).all())

    def _lines(self, name):
        path = self.folder / name
        return path.read_text().split("\n")[:-1] if path.exists() else []


def contend(folder, url, *, runs, locks, kills):
    """Let WORKERS processes execute so many runs of so many locks; kill some on the way."""
    hosts = 2 if url.startswith("postgresql") else 1
    contention = Contention(folder, url, hosts=hosts)
    try:
        contention.submit(runs, locks)
        began = time.monotonic()
        for _ in range(WORKERS):
            contention.start_worker()
        contention.wait(runs, kills)
        return contention.report(time.monotonic() - began)
    finally:
        contention.stop()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=2000)
    parser.add_argument("--locks", type=int, default=50)
    parser.add_argument("--kills", type=int, default=10)
    given = parser.parse_args()
    with ExitStack() as ends:
        server = databases.Server(Path(tempfile.mkdtemp(prefix="pg-")), fsync="on").start()
        ends.callback(server.remove)
        urls = {"SQLite": "", "PostgreSQL": server.url("postgres")}
        for name, url in urls.items():
            folder = Path(ends.enter_context(tempfile.TemporaryDirectory(prefix="contention-")))
            report = contend(
                folder,
                url or f"sqlite:///{folder}/runbook.db",
                runs=given.runs,
                locks=given.locks,
                kills=given.kills,
            )
            report.check(given.runs)
            print(
                f"{name}: {given.runs} runs of {given.locks} locks by {WORKERS} workers, of which"
                f" {given.kills} were killed, in {report.seconds:.0f} s: {dict(report.statuses)};"
                f" {report.started.total()} scripts started, none twice; no lock was shared"
            )


if __name__ == "__main__":
    main()

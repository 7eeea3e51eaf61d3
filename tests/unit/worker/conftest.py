"""A real engine over a real store and folder, for workers that are threads of this process."""

import threading

import pytest

from patience import wait_for_lost_runs
from runbook.bootstrap import build_engine
from runbook.core.access import Principal
from runbook.core.permissions import ALL_GRANTS
from runbook.core.run import Origin
from runbook.engine.requests import ExecuteRequest
from runbook.engine.wakeups import Role
from runbook.settings import Settings
from runbook.worker.local import LocalWorker
from runbook.worker.one_shot import OneShotWorker
from runbook.worker.periodic import Retention

ANN = Principal("ann", Origin.API, grants=ALL_GRANTS)
RUNBOOK = """# {name}

# Environment Requirements
```yaml
```

# File System Requirements
```yaml
Input:
```

# Policy
```yaml
{policy}
```

# Script
```zsh
{script}
```

# History
"""


@pytest.fixture(autouse=True)
def patience(monkeypatch):
    wait_for_lost_runs(monkeypatch)


@pytest.fixture
def build(tmp_path):
    """Builds engines of one DATA_DIR."""
    (tmp_path / "runbooks").mkdir()
    settings = Settings.load(
        {
            "RUNBOOKS_DIR": str(tmp_path / "runbooks"),
            "DATA_DIR": str(tmp_path / "data"),
            "EXECUTION_DIR": str(tmp_path / "execution"),
            "PATH": "/usr/bin:/bin",
            "ISOLATION": "process",
        }
    )
    built = []

    def make(role):
        built.append(build_engine(settings, role))
        built[-1].store.maintenance.migrate()
        return built[-1]

    yield make
    for engine in built:
        engine.parts.wakeups.close()
        engine.store.close()


@pytest.fixture
def engine(build):
    """The engine of those who ask for runs and follow them."""
    return build(Role.FOLLOWER)


@pytest.fixture
def submit(engine, tmp_path):
    def make(name, script="true", policy="{}", **request):
        text = RUNBOOK.format(name=name, script=script, policy=policy)
        (tmp_path / "runbooks" / f"{name}.md").write_text(text)
        return engine.submit(f"{name}.md", ANN, ExecuteRequest(**request)).run

    return make


@pytest.fixture
def ended(engine):
    """Waits for a run's end; its status."""

    def wait(run):
        for _ in engine.follow(run.id):
            pass
        return engine.store.runs.get(run.id).status

    return wait


@pytest.fixture
def local(build):
    """Starts local workers, each with an engine and a thread; they are drained at the end."""
    started = []

    def start(**options):
        executing = build(Role.WORKER)
        worker = LocalWorker(
            executing, **({"slots": 4, "drain_s": 0, "retention": Retention(90, 0)} | options)
        )
        executing.parts.wakeups.open()
        started.append((worker, threading.Thread(target=worker.run)))
        started[-1][1].start()
        return executing

    yield start
    for worker, thread in started:
        worker.drain()
        thread.join()


@pytest.fixture
def one_shot(engine):
    """A one-shot worker that is known already; it is signed off at the end."""
    worker = OneShotWorker(engine, ANN)
    worker.register()
    yield worker
    worker.close()
